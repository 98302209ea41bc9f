//! HTTP/1.1 on open connections: as fast as they go, or at a fixed rate.

use std::rc::Rc;

use anyhow::Result;
use futures_util::future::try_join_all;
use tokio::task::{JoinHandle, spawn_local};

use crate::client::{Connection, Endpoint};
use crate::gate::{self, Budget, Outcome};
use crate::http1::Then;
use crate::latency::Latencies;
use crate::pace::{Due, pace};
use crate::target::{Target, Where};
use crate::tls::Handshakes;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Where,
    #[arg(long)]
    connections: usize,
    /// How many in all
    #[arg(long)]
    requests: u64,
    /// Requests per second; without it every connection asks again as soon as it has its answer
    #[arg(long)]
    rate: Option<u32>,
}

/// What one connection did, and itself, so that it stays open.
type Share = (u64, u64, Latencies, Connection);

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        target,
        connections,
        requests,
        rate,
    } = args;
    let targets: Rc<[Target]> = target.read_targets(Then::KeepAlive)?.into();
    let endpoint = Endpoint::new(&target, b"http/1.1", Handshakes::Full)?;
    let open = open(&endpoint, &targets, connections).await?;
    let started = gate::ready().await?;
    let shares = match rate {
        None => closed_loop(open, &targets, requests).await?,
        Some(rate) => open_loop(open, &targets, requests, rate).await?,
    };
    let wall = started.elapsed();
    let mut outcome = Outcome {
        count: 0,
        bytes: 0,
        wall,
        latencies: Latencies::default(),
    };
    let mut still_open = Vec::new();
    for (count, bytes, latencies, connection) in shares {
        outcome.count += count;
        outcome.bytes += bytes;
        outcome.latencies.append(latencies);
        still_open.push(connection);
    }
    Ok(gate::done(outcome).await?)
}

/// Connections of which each had one answer.
async fn open(endpoint: &Endpoint, targets: &[Target], count: usize) -> Result<Vec<Connection>> {
    let each = targets.iter().cycle().take(count).map(async |target| {
        let (stream, _) = endpoint.connect(&target.host).await?;
        let mut connection = Connection::new(stream);
        connection.exchange(target).await?;
        anyhow::Ok(connection)
    });
    try_join_all(each).await
}

async fn closed_loop(
    open: Vec<Connection>,
    targets: &Rc<[Target]>,
    requests: u64,
) -> Result<Vec<Share>> {
    let budget = Rc::new(Budget::new(requests));
    let tasks = open.into_iter().enumerate().map(|(index, mut connection)| {
        let (targets, budget) = (Rc::clone(targets), Rc::clone(&budget));
        spawn_local(async move {
            let (mut count, mut bytes) = (0, 0);
            for target in from(&targets, index) {
                if !budget.take() {
                    break;
                }
                connection.exchange(target).await?;
                count += 1;
                bytes += target.length;
            }
            anyhow::Ok((count, bytes, Latencies::default(), connection))
        })
    });
    joined(tasks.collect()).await
}

async fn open_loop(
    open: Vec<Connection>,
    targets: &Rc<[Target]>,
    requests: u64,
    rate: u32,
) -> Result<Vec<Share>> {
    let due = Rc::new(Due::default());
    let tasks = open.into_iter().enumerate().map(|(index, mut connection)| {
        let (targets, due) = (Rc::clone(targets), Rc::clone(&due));
        spawn_local(async move {
            let (mut count, mut bytes) = (0, 0);
            let mut latencies = Latencies::default();
            for target in from(&targets, index) {
                let Some(time) = due.next().await else {
                    break;
                };
                connection.exchange(target).await?;
                latencies.record(time);
                count += 1;
                bytes += target.length;
            }
            anyhow::Ok((count, bytes, latencies, connection))
        })
    });
    let tasks = tasks.collect();
    pace(rate, requests, |time| due.push(time)).await?;
    due.end();
    joined(tasks).await
}

/// `targets` without end, each connection beginning at another.
fn from(targets: &[Target], index: usize) -> impl Iterator<Item = &Target> {
    targets.iter().cycle().skip(index % targets.len().max(1))
}

async fn joined<T>(tasks: Vec<JoinHandle<Result<T>>>) -> Result<Vec<T>> {
    try_join_all(tasks).await?.into_iter().collect()
}
