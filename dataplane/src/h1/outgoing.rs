//! What waits to be written: heads and other text, and data between it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use super::spare;

/// Data up to this size is copied behind what goes before it: one piece of memory is written with
/// less ado than two.
const COPIED: usize = 4 * 1024;

/// Pieces of memory handed to the system at once.
const SLICES: usize = 16;

/// Collects what is to be written, so that what comes together goes out together.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    text: Vec<u8>,
    /// What of `text` has been written.
    written: usize,
    /// Data that is not copied.
    pieces: VecDeque<Piece>,
    /// What has been handed to TLS may still be there.
    flushed: Flushed,
    /// Bytes that were written, all in all.
    total: u64,
}

#[derive(Debug)]
struct Piece {
    /// So much of the text goes before it.
    after: usize,
    data: Bytes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flushed {
    #[default]
    Yes,
    No,
}

impl Outgoing {
    /// Where text is to be appended.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        if self.text.capacity() == 0 {
            self.text = spare::writing();
        }
        &mut self.text
    }

    /// Appends data.
    pub(crate) fn data(&mut self, data: Bytes) {
        if data.len() <= COPIED {
            self.text().extend_from_slice(&data);
        } else {
            let after = self.text.len();
            self.pieces.push_back(Piece { after, data });
        }
    }

    /// How much waits.
    pub(crate) fn len(&self) -> usize {
        let text = self.text.len() - self.written;
        if self.pieces.is_empty() {
            return text;
        }
        let pieces = self.pieces.iter().map(|piece| piece.data.len());
        text + pieces.sum::<usize>()
    }

    /// How many bytes will have been written when nothing waits any more.
    pub(crate) fn end(&self) -> u64 {
        self.total + size(self.len())
    }

    /// How many bytes have been written.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Whether nothing waits here.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.written == self.text.len()
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.written = 0;
        self.flushed = Flushed::Yes;
        spare::written(&mut self.text);
    }

    /// Writes what waits until there is not more of it than `most`.
    pub(crate) fn poll_write<W>(
        &mut self,
        to: &mut W,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while !self.is_empty() && self.len() > most {
            let written = ready!(self.poll_some(to, cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.flushed = Flushed::No;
            self.total += size(written);
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all that waits, and has it handed to the system.
    pub(crate) fn poll_flush<W>(&mut self, to: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        ready!(self.poll_write(to, 0, cx))?;
        if self.flushed == Flushed::No {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.flushed = Flushed::Yes;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_some<W>(&self, to: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        W: AsyncWrite + Unpin,
    {
        let text = |from: usize, to: usize| self.text.get(from..to).unwrap_or_default();
        if self.pieces.is_empty() {
            let rest = text(self.written, self.text.len());
            return Pin::new(to).poll_write(cx, rest);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut free, mut at) = (slices.iter_mut(), self.written);
        let mut put = |bytes| {
            if !<[u8]>::is_empty(bytes)
                && let Some(slice) = free.next()
            {
                *slice = IoSlice::new(bytes);
            }
        };
        for piece in &self.pieces {
            put(text(at, piece.after));
            put(&piece.data);
            at = piece.after;
        }
        put(text(at, self.text.len()));
        let used = slices.iter().take_while(|slice| !slice.is_empty()).count();
        let used = slices.get(..used).unwrap_or_default();
        Pin::new(to).poll_write_vectored(cx, used)
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let before = piece.after - self.written;
            if written < before {
                break;
            }
            written -= before;
            self.written = piece.after;
            if written < piece.data.len() {
                piece.data.advance(written);
                return;
            }
            written -= piece.data.len();
            self.pieces.pop_front();
        }
        self.written += written;
        if self.is_empty() {
            self.written = 0;
            spare::written(&mut self.text);
        }
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
