//! Bytes both ways between a client and a backend, until both have said all.
//!
//! Each direction ends on its own: the end of one side is passed on, and the other side may go on
//! for as long as it likes. A connection that fails, by a reset or otherwise, ends the whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::buffer::Buffer;
use super::duplex::Duplex;
use crate::limits;

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
        let mut onward = Flow::new(Side::Client);
        onward.held = (!head.is_empty()).then(|| Buffer::holding(head));
        Self {
            onward,
            back: Flow::new(Side::Backend),
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
                rest.is_rest = true;
                self.broken.get_or_insert((broken, error));
                None
            }
        }
    }

    /// Ready if nothing has moved between two ticks.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let moved = self.onward.moved.wrapping_add(self.back.moved);
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

/// One direction.
#[derive(Debug)]
struct Flow {
    from: Side,
    stage: Stage,
    /// What was read and not yet written.
    held: Option<Buffer>,
    /// TLS may hold back what it was given.
    is_unflushed: bool,
    /// The side that is read has broken: its end is not passed on as an orderly one.
    is_rest: bool,
    /// Grows with every read.
    moved: u64,
}

/// Where a direction is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There may be more to read.
    Moving,
    /// All is read and written; the other side is being told.
    Ending(End),
    Over,
}

/// How the side that is read has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It said that there is no more.
    Orderly,
    /// Within TLS it did not, so that somebody else may have cut it off. Where TLS is spoken on the
    /// other side too, it is passed on just so.
    Cut,
}

/// Where a direction failed.
#[derive(Debug)]
enum FlowError {
    Reading(io::Error),
    Writing(io::Error),
}

impl Flow {
    fn new(from: Side) -> Self {
        Self {
            from,
            stage: Stage::Moving,
            held: None,
            is_unflushed: false,
            is_rest: false,
            moved: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Goes on until it must wait, and will be woken, or is over. An error ends it.
    fn advance(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Duplex,
        to: &mut Duplex,
        tally: &mut impl Tally,
    ) -> Result<(), FlowError> {
        let outcome = self.poll(cx, from, to, tally);
        if let Poll::Ready(ended) = outcome {
            self.stage = Stage::Over;
            self.held = None;
            return ended;
        }
        Ok(())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Duplex,
        to: &mut Duplex,
        tally: &mut impl Tally,
    ) -> Poll<Result<(), FlowError>> {
        loop {
            match self.stage {
                Stage::Over => return Poll::Ready(Ok(())),
                Stage::Moving => {
                    ready!(self.poll_write(cx, to, tally)).map_err(FlowError::Writing)?;
                    match self.poll_read(cx, from) {
                        Poll::Ready(Ok(stage)) => self.stage = stage,
                        Poll::Ready(Err(error)) => {
                            return Poll::Ready(Err(FlowError::Reading(error)));
                        }
                        Poll::Pending => {
                            ready!(self.poll_flush(cx, to)).map_err(FlowError::Writing)?;
                            return Poll::Pending;
                        }
                    }
                }
                Stage::Ending(_) if self.is_rest => return Poll::Ready(Ok(())),
                Stage::Ending(end) => {
                    ready!(self.poll_flush(cx, to)).map_err(FlowError::Writing)?;
                    let told = match end {
                        End::Orderly => ready!(Pin::new(to).poll_shutdown(cx)),
                        End::Cut => to.socket().end_sending(),
                    };
                    return Poll::Ready(told.map_err(FlowError::Writing));
                }
            }
        }
    }

    /// Ready when nothing is held any more.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Duplex,
        tally: &mut impl Tally,
    ) -> Poll<io::Result<()>> {
        while let Some(held) = &mut self.held {
            let unwritten = held.unwritten();
            if unwritten.is_empty() {
                self.held = None;
                break;
            }
            let written = ready!(Pin::new(&mut *to).poll_write(cx, unwritten))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            held.advance(written);
            self.is_unflushed = true;
            tally.passed_on(self.from, written);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads something, or finds that there is no more.
    fn poll_read(&mut self, cx: &mut Context<'_>, from: &mut Duplex) -> Poll<io::Result<Stage>> {
        let mut buffer = Buffer::take();
        let mut space = ReadBuf::new(buffer.space());
        match ready!(Pin::new(from).poll_read(cx, &mut space)) {
            Ok(()) if space.filled().is_empty() => Poll::Ready(Ok(Stage::Ending(End::Orderly))),
            Ok(()) => {
                let read = space.filled().len();
                buffer.fill(read);
                self.held = Some(buffer);
                self.moved = self.moved.wrapping_add(1);
                Poll::Ready(Ok(Stage::Moving))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(Stage::Ending(End::Cut)))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, to: &mut Duplex) -> Poll<io::Result<()>> {
        if self.is_unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
