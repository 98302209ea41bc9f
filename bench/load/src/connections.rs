//! A connection for every request: what accepting, shaking hands and closing cost.

use std::rc::Rc;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use rustls::HandshakeKind;
use tokio::task::spawn_local;

use crate::client::{Connection, Endpoint};
use crate::gate::{self, Budget, Outcome};
use crate::http1::Then;
use crate::latency::Latencies;
use crate::target::{Target, Where};
use crate::tls::Handshakes;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Where,
    /// How many at a time
    #[arg(long)]
    concurrency: usize,
    /// How many in all
    #[arg(long)]
    connections: u64,
    /// Resume the TLS session of an earlier connection; every one must be
    #[arg(long)]
    resume: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        target,
        concurrency,
        connections,
        resume,
    } = args;
    let targets: Rc<[Target]> = target.read_targets(Then::Close)?.into();
    let (handshakes, kind) = if resume {
        (Handshakes::Resumed, HandshakeKind::Resumed)
    } else {
        (Handshakes::Full, HandshakeKind::Full)
    };
    let endpoint = Endpoint::new(&target, b"http/1.1", handshakes)?;
    // Sessions are kept by host.
    let targets: Rc<[Target]> = if resume {
        targets.iter().take(1).cloned().collect()
    } else {
        targets
    };
    // At the same time: servers give one ticket for a resumed session, which is as many as it took.
    let first = targets.iter().cycle().take(concurrency);
    try_join_all(first.map(|target| visit(&endpoint, target))).await?;
    let started = gate::ready().await?;
    let budget = Rc::new(Budget::new(connections));
    let tasks = (0..concurrency).map(|index| {
        let (endpoint, targets, budget) =
            (endpoint.clone(), Rc::clone(&targets), Rc::clone(&budget));
        spawn_local(async move {
            let mut bytes = 0;
            for target in targets.iter().cycle().skip(index % targets.len()) {
                if !budget.take() {
                    break;
                }
                let found = visit(&endpoint, target).await?;
                ensure!(
                    found.is_none_or(|found| found == kind),
                    "a handshake was {found:?}, not {kind:?}"
                );
                bytes += target.length;
            }
            anyhow::Ok(bytes)
        })
    });
    let shares: Vec<Result<u64>> = try_join_all(tasks).await?;
    let outcome = Outcome {
        count: connections,
        bytes: shares.into_iter().sum::<Result<u64>>()?,
        wall: started.elapsed(),
        latencies: Latencies::default(),
    };
    Ok(gate::done(outcome).await?)
}

/// Connects, asks, and waits until the other side closes, as it was asked to.
async fn visit(endpoint: &Endpoint, target: &Target) -> Result<Option<HandshakeKind>> {
    let (stream, kind) = endpoint.connect(&target.host).await?;
    let mut connection = Connection::new(stream);
    connection.exchange(target).await?;
    connection.closed().await?;
    Ok(kind)
}
