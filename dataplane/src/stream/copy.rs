//! Bytes both ways between a client and a backend, until both have said all.
//!
//! Each direction ends on its own: the end of one side is passed on, and the other side may go on
//! for as long as it likes. A connection that fails, by a reset or otherwise, ends the whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::Sleep;

use super::duplex::Duplex;
use crate::limits;

mod flow;

use flow::{Flow, FlowError};

/// How a forwarded connection ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Both sides said all they had to say, and it was passed on.
    Complete,
    /// A connection failed; the one it was joined with is to be reset.
    Failed {
        /// Whose.
        side: Side,
        error: io::Error,
    },
    /// One side had ended, and nothing came from the other for [`limits::HALF_CLOSED_IDLE`].
    Stale,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Backend,
}

/// Told how much is passed on, as it happens.
pub(crate) trait Tally {
    /// So many bytes went from `side` to the other.
    fn passed_on(&mut self, side: Side, bytes: usize);
}

/// Forwards between `client` and `backend` until both have ended or one has failed. `head` was read
/// from the client before; more than [`limits::FORWARD_BUFFER`] is cut off. May be dropped at any
/// time.
pub(crate) async fn copy_both_ways(
    client: &mut Duplex,
    head: Box<[u8]>,
    backend: &mut Duplex,
    tally: &mut impl Tally,
) -> Ending {
    let (client_watch, backend_watch) = (client.socket().watch(), backend.socket().watch());
    let failed = |side, error| Ending::Failed { side, error };
    let mut copy = Copy::new(&head);
    drop(head);
    tokio::select! {
        // What has arrived is passed on before a failure is looked for: the peer may still read it.
        biased;
        ending = std::future::poll_fn(|cx| copy.poll(cx, client, backend, tally)) => ending,
        error = client_watch.failed() => failed(Side::Client, error),
        error = backend_watch.failed() => failed(Side::Backend, error),
    }
}

/// Both directions.
#[derive(Debug)]
struct Copy {
    onward: Flow,
    back: Flow,
    /// A side that took no more. What it had sent before is still passed on.
    broken: Option<(Side, io::Error)>,
    idle: Option<Idle>,
}

/// Ticks while one side has ended.
#[derive(Debug)]
struct Idle {
    tick: Pin<Box<Sleep>>,
    /// What both flows had [moved](Flow::moved) at the last tick.
    moved: u64,
}

impl Copy {
    fn new(head: &[u8]) -> Self {
        Self {
            onward: Flow::new(Side::Client, head),
            back: Flow::new(Side::Backend, &[]),
            broken: None,
            idle: None,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Duplex,
        backend: &mut Duplex,
        tally: &mut impl Tally,
    ) -> Poll<Ending> {
        if let Err(failure) = self.onward.advance(cx, client, backend, tally)
            && let Some(ending) = self.settle(Side::Client, failure)
        {
            return Poll::Ready(ending);
        }
        if let Err(failure) = self.back.advance(cx, backend, client, tally)
            && let Some(ending) = self.settle(Side::Backend, failure)
        {
            return Poll::Ready(ending);
        }
        match (self.onward.is_over(), self.back.is_over()) {
            (true, true) => Poll::Ready(match self.broken.take() {
                Some((side, error)) => Ending::Failed { side, error },
                None => Ending::Complete,
            }),
            (false, false) => Poll::Pending,
            (true, false) | (false, true) => self.poll_idle(cx).map(|()| Ending::Stale),
        }
    }

    /// What a failure in the direction from `from` means: `None` if the other direction may go on.
    fn settle(&mut self, from: Side, failure: FlowError) -> Option<Ending> {
        match failure {
            FlowError::Reading(error) => Some(Ending::Failed { side: from, error }),
            FlowError::Writing(error) => {
                let (broken, rest) = match from {
                    Side::Client => (Side::Backend, &mut self.back),
                    Side::Backend => (Side::Client, &mut self.onward),
                };
                rest.note_broken();
                self.broken.get_or_insert((broken, error));
                None
            }
        }
    }

    /// Ready if nothing has moved between two ticks.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let moved = self.onward.moved().wrapping_add(self.back.moved());
        loop {
            let idle = self.idle.get_or_insert_with(|| Idle {
                tick: Box::pin(tokio::time::sleep(limits::HALF_CLOSED_IDLE)),
                moved,
            });
            ready!(idle.tick.as_mut().poll(cx));
            if idle.moved == moved {
                return Poll::Ready(());
            }
            self.idle = None;
        }
    }
}

#[cfg(test)]
mod tests;
