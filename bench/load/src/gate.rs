//! The two lines at which the harness reads what the proxy has spent.

use std::cell::Cell;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::latency::Latencies;

/// What a load did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests, connections, messages or datagrams that were completed.
    pub(crate) count: u64,
    /// Bytes of bodies, messages or datagrams that came back.
    pub(crate) bytes: u64,
    /// From the go to the last completion.
    pub(crate) wall: Duration,
    /// Empty unless the load has a fixed rate.
    pub(crate) latencies: Latencies,
}

/// Says that all is set up, and waits for the go; when that was.
pub(crate) async fn ready() -> io::Result<Instant> {
    say("ready")?;
    wait_for_line().await?;
    Ok(Instant::now())
}

/// Tells the outcome, and waits for leave to close connections.
pub(crate) async fn done(outcome: Outcome) -> io::Result<()> {
    let Outcome {
        count,
        bytes,
        wall,
        latencies,
    } = outcome;
    let told = json!({
        "count": count,
        "bytes": bytes,
        "wall_seconds": wall.as_secs_f64(),
        "latency_seconds": latencies.quantiles(),
    });
    say(&told.to_string())?;
    wait_for_line().await
}

fn say(line: &str) -> io::Result<()> {
    println!("{line}");
    io::stdout().flush()
}

/// Also returns at the end of input.
async fn wait_for_line() -> io::Result<()> {
    let read = tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new()));
    read.await.map_err(io::Error::other)?.map(drop)
}

/// How much is left to do, for the tasks of one thread to take from.
#[derive(Debug)]
pub(crate) struct Budget(Cell<u64>);

impl Budget {
    pub(crate) fn new(count: u64) -> Self {
        Self(Cell::new(count))
    }

    /// Takes one; `false` if none is left.
    pub(crate) fn take(&self) -> bool {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        left > 0
    }
}
