//! Messages that come back on streams that stay open, one at a time on each.

use std::rc::Rc;

use anyhow::Result;
use futures_util::future::try_join_all;
use tokio::task::spawn_local;

use crate::gate::{self, Budget, Outcome};
use crate::latency::Latencies;

/// A stream whose messages come back.
pub(crate) trait Echo: 'static {
    /// Sends a message and waits until it is back.
    async fn exchange(&mut self) -> Result<()>;
}

/// Exchanges `messages` of `size` bytes on all `streams`; they close when the harness has read what
/// that cost.
pub(crate) async fn run(streams: Vec<impl Echo>, messages: u64, size: u64) -> Result<()> {
    let started = gate::ready().await?;
    let budget = Rc::new(Budget::new(messages));
    let tasks = streams.into_iter().map(|mut stream| {
        let budget = Rc::clone(&budget);
        spawn_local(async move {
            while budget.take() {
                stream.exchange().await?;
            }
            anyhow::Ok(stream)
        })
    });
    let streams: Vec<Result<_>> = try_join_all(tasks).await?;
    let outcome = Outcome {
        count: messages,
        bytes: messages * size,
        wall: started.elapsed(),
        latencies: Latencies::default(),
    };
    let streams = streams.into_iter().collect::<Result<Vec<_>>>()?;
    gate::done(outcome).await?;
    drop(streams);
    Ok(())
}
