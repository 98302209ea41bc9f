//! One direction of a forwarded connection.
//!
//! What is read lies in a buffer of this process until the other side has taken it. A direction
//! between bare TCP connections that fills one buffer after the other goes through a pipe instead,
//! so that its bytes stay in the kernel: fewer system calls, and no copying. For messages that come
//! one by one the buffer is cheaper.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::buffer::Buffer;
use super::super::duplex::Duplex;
use super::super::pipe::Pipe;
use super::super::socket::Socket;
use super::{Side, Tally};
use crate::limits;

/// One direction.
#[derive(Debug)]
pub(super) struct Flow {
    from: Side,
    stage: Stage,
    held: Held,
    bulk: Bulk,
    /// TLS may hold back what it was given.
    is_unflushed: bool,
    /// The side that is read has broken: its end is not passed on as an orderly one.
    is_rest: bool,
    /// Grows with every read.
    moved: u64,
}

/// What was read and not yet written.
#[derive(Debug)]
enum Held {
    Nothing,
    Buffer(Buffer),
    Pipe(Pipe),
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
pub(super) enum FlowError {
    Reading(io::Error),
    Writing(io::Error),
}

/// Whether so much goes through that a pipe pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bulk {
    /// Grows with every read that would have filled a buffer, shrinks with every other.
    Weight(u8),
    /// The system does not do it between these two.
    Never,
}

impl Bulk {
    /// From here on a pipe is used.
    const MUCH: u8 = 2;
    /// So many short reads are put up with.
    const MOST: u8 = 4;

    fn is_much(self) -> bool {
        matches!(self, Self::Weight(weight) if weight >= Self::MUCH)
    }

    fn note(&mut self, read: usize) {
        if let Self::Weight(weight) = self {
            *weight = if read >= limits::FORWARD_BUFFER {
                Self::MOST.min(*weight + 1)
            } else {
                weight.saturating_sub(1)
            };
        }
    }
}

impl Flow {
    /// `head` was read before.
    pub(super) fn new(from: Side, head: &[u8]) -> Self {
        Self {
            from,
            stage: Stage::Moving,
            held: if head.is_empty() {
                Held::Nothing
            } else {
                Held::Buffer(Buffer::holding(head))
            },
            bulk: Bulk::Weight(0),
            is_unflushed: false,
            is_rest: false,
            moved: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Grows as long as something moves.
    pub(super) fn moved(&self) -> u64 {
        self.moved
    }

    /// The side that is read takes no more.
    pub(super) fn note_broken(&mut self) {
        self.is_rest = true;
    }

    /// Goes on until it must wait, and will be woken, or is over. An error ends it.
    pub(super) fn advance(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Duplex,
        to: &mut Duplex,
        tally: &mut impl Tally,
    ) -> Result<(), FlowError> {
        let outcome = self.poll(cx, from, to, tally);
        if let Poll::Ready(ended) = outcome {
            self.stage = Stage::Over;
            self.held = Held::Nothing;
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
        let mut turn = limits::FORWARD_TURN;
        loop {
            match self.stage {
                Stage::Over => return Poll::Ready(Ok(())),
                Stage::Moving => {
                    let written = ready!(self.poll_write(cx, to, tally));
                    let written = written.map_err(FlowError::Writing)?;
                    turn = turn.saturating_sub(written);
                    if turn == 0 {
                        // The worker's other connections come first.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    match self.poll_read(cx, from, to) {
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

    /// Ready when nothing is held any more. Answers how much was.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Duplex,
        tally: &mut impl Tally,
    ) -> Poll<io::Result<usize>> {
        let mut total = 0;
        loop {
            let written = match &mut self.held {
                Held::Nothing => return Poll::Ready(Ok(total)),
                Held::Buffer(buffer) if !buffer.unwritten().is_empty() => {
                    self.is_unflushed = true;
                    let writing = Pin::new(&mut *to).poll_write(cx, buffer.unwritten());
                    let written = ready!(writing)?;
                    buffer.advance(written);
                    written
                }
                Held::Pipe(pipe) if pipe.held() > 0 => ready!(to.socket().poll_drain(cx, pipe))?,
                Held::Buffer(_) | Held::Pipe(_) => {
                    self.held = Held::Nothing;
                    continue;
                }
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            tally.passed_on(self.from, written);
            total += written;
        }
    }

    /// Reads something, or finds that there is no more.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Duplex,
        to: &Duplex,
    ) -> Poll<io::Result<Stage>> {
        let read = match self.plain_and_much(from, to) {
            Some((socket, pipe)) => ready!(self.poll_fill(cx, socket, pipe)),
            None => ready!(self.poll_buffer(cx, from)),
        };
        Poll::Ready(match read {
            Ok(0) => Ok(Stage::Ending(End::Orderly)),
            Ok(read) => {
                self.bulk.note(read);
                self.moved = self.moved.wrapping_add(1);
                Ok(Stage::Moving)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Stage::Ending(End::Cut))
            }
            // Then it is tried with a buffer.
            Err(error) if is_no_splice(&error) && self.bulk.is_much() => {
                self.bulk = Bulk::Never;
                Ok(Stage::Moving)
            }
            Err(error) => Err(error),
        })
    }

    /// Where to read from, and into which pipe, if one is to be used and to be had.
    fn plain_and_much<'s>(&self, from: &'s Duplex, to: &Duplex) -> Option<(&'s Socket, Pipe)> {
        let (Duplex::Plain(socket), Duplex::Plain(_)) = (from, to) else {
            return None;
        };
        let pipe = self.bulk.is_much().then(Pipe::take)??;
        Some((socket, pipe))
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &Socket,
        mut pipe: Pipe,
    ) -> Poll<io::Result<usize>> {
        let read = ready!(from.poll_fill(cx, &mut pipe))?;
        if read > 0 {
            self.held = Held::Pipe(pipe);
        }
        Poll::Ready(Ok(read))
    }

    fn poll_buffer(&mut self, cx: &mut Context<'_>, from: &mut Duplex) -> Poll<io::Result<usize>> {
        let mut buffer = Buffer::take();
        let mut space = ReadBuf::new(buffer.space());
        ready!(Pin::new(from).poll_read(cx, &mut space))?;
        let read = space.filled().len();
        buffer.fill(read);
        if read > 0 {
            self.held = Held::Buffer(buffer);
        }
        Poll::Ready(Ok(read))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, to: &mut Duplex) -> Poll<io::Result<()>> {
        if self.is_unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether the system says that it does not splice here: it cannot, or may not.
fn is_no_splice(error: &io::Error) -> bool {
    let refusals = [libc::EINVAL, libc::ENOSYS, libc::EPERM, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|errno| refusals.contains(&errno))
}
