//! Connections that had one answer and then rest.

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use tokio::io::AsyncReadExt;

use crate::client::{Connection, Endpoint};
use crate::gate::{self, Outcome};
use crate::http1::Then;
use crate::latency::Latencies;
use crate::target::Where;
use crate::tls::Handshakes;

/// How many connect at a time.
const AT_ONCE: usize = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Where,
    #[arg(long)]
    connections: usize,
}

/// Counts the connections that were still open when it was told to look.
pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        target,
        connections,
    } = args;
    let targets = target.read_targets(Then::KeepAlive)?;
    let endpoint = Endpoint::new(&target, b"http/1.1", Handshakes::Full)?;
    let mut open = Vec::with_capacity(connections);
    let mut hosts = targets.iter().cycle();
    while open.len() < connections {
        let count = AT_ONCE.min(connections - open.len());
        let each = hosts.by_ref().take(count).map(async |target| {
            let (stream, _) = endpoint.connect(&target.host).await?;
            let mut connection = Connection::new(stream);
            connection.exchange(target).await?;
            anyhow::Ok(connection.into_parts().0)
        });
        open.append(&mut try_join_all(each).await?);
    }
    let started = gate::ready().await?;
    for stream in &mut open {
        let mut byte = [0];
        let read = tokio::select! {
            biased;
            read = stream.read(&mut byte) => Some(read?),
            () = std::future::ready(()) => None,
        };
        ensure!(
            read.is_none(),
            "an idle connection was closed or written to"
        );
    }
    let outcome = Outcome {
        count: open.len() as u64,
        bytes: 0,
        wall: started.elapsed(),
        latencies: Latencies::default(),
    };
    Ok(gate::done(outcome).await?)
}
