//! HTTP/2: connections with many streams, and requests on them at a fixed rate.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::Request;
use tokio::task::spawn_local;

use crate::client::{Endpoint, Transport};
use crate::gate::{self, Outcome};
use crate::http1::Then;
use crate::latency::Latencies;
use crate::pace::pace;
use crate::target::{Target, Where};
use crate::tls::Handshakes;

/// What may be on its way on a stream and on a connection, in bytes.
const WINDOW: u32 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Where,
    #[arg(long)]
    connections: usize,
    /// How many in all
    #[arg(long)]
    requests: u64,
    /// Requests per second
    #[arg(long)]
    rate: u32,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        target,
        connections,
        requests,
        rate,
    } = args;
    let targets = target.read_targets(Then::KeepAlive)?;
    let first = targets.first().context("no target")?.clone();
    let endpoint = Endpoint::new(&target, b"h2", Handshakes::Full)?;
    let scheme = if target.trust.is_some() {
        "https"
    } else {
        "http"
    };
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (stream, _) = endpoint.connect(&first.host).await?;
        let connection = handshake(stream).await?;
        exchange(connection.clone(), scheme, &first).await?;
        open.push(connection);
    }
    let started = gate::ready().await?;
    let latencies = Rc::new(RefCell::new(Latencies::default()));
    let mut tasks = Vec::new();
    let mut turns = open.iter().cycle();
    pace(rate, requests, |due| {
        let Some(connection) = turns.next().cloned() else {
            return;
        };
        let (target, latencies) = (first.clone(), Rc::clone(&latencies));
        tasks.push(spawn_local(async move {
            exchange(connection, scheme, &target).await?;
            latencies.borrow_mut().record(due);
            anyhow::Ok(())
        }));
    })
    .await?;
    for task in tasks {
        task.await??;
    }
    let outcome = Outcome {
        count: requests,
        bytes: requests * first.length,
        wall: started.elapsed(),
        latencies: latencies.take(),
    };
    Ok(gate::done(outcome).await?)
}

/// HTTP/2 on `stream`, served by a task of its own.
pub(crate) async fn handshake(stream: Box<dyn Transport>) -> Result<SendRequest<Bytes>> {
    let (send, connection) = Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(stream)
        .await?;
    // What ends it, ends its streams with the same error.
    spawn_local(async move {
        let _ = connection.await;
    });
    Ok(send)
}

async fn exchange(connection: SendRequest<Bytes>, scheme: &str, target: &Target) -> Result<()> {
    let uri = format!("{scheme}://{}{}", target.host, target.path);
    let request = Request::get(uri).body(())?;
    let (answer, _) = connection.ready().await?.send_request(request, true)?;
    let answer = answer.await?;
    ensure!(answer.status() == 200, "status {}", answer.status());
    let mut body = answer.into_body();
    let mut length = 0;
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        length += part.len() as u64;
    }
    ensure!(length == target.length, "a body of {length} bytes");
    Ok(())
}
