//! What a connection's bytes go through: everything that the streams of a connection have to say is
//! collected, and goes out at once when all of them have had their turn.
//!
//! The h2 crate writes and flushes after each DATA frame that is not tiny. Its flushes mean nothing
//! here; who drives the connection calls [`Outlet::poll_out`] once the crate has no more to say. It
//! also reads little at a time, so more is read for it. A connection that has nothing to say or to
//! hear holds no buffer.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much collected is written before more is taken.
const FULL: usize = 48 * 1024;

/// Room for what is collected: one more frame of the usual size.
const ROOM: usize = FULL + 16 * 1024;

/// Where in its buffer what is collected begins: half a page from where buffers of an allocator with
/// classes of sizes lie. `rep movsb`, which glibc copies with before 2.39, takes four times as long on
/// AMD's Zen where source and target lie almost alike in their pages (sourceware bug 30994).
const OFFSET: usize = 2 * 1024;

/// So much is read at a time. All of it has been taken when the crate has had its turn.
const READ: usize = 64 * 1024;

/// Empty buffers of each kind that a worker keeps. One is in use at a time, but for connections
/// whose peers do not read.
const SPARE_BUFFERS: usize = 8;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static SPARE_READ: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A connection as the h2 crate has it.
pub(super) struct Io<T>(Arc<Mutex<Transport<T>>>);

/// The same connection for who drives it.
pub(super) struct Outlet<T>(Arc<Mutex<Transport<T>>>);

struct Transport<T> {
    stream: T,
    /// Bytes that were read before HTTP/2 began.
    unread: BytesMut,
    ahead: Option<Ahead>,
    /// What was collected, from [`OFFSET`] on; its first `written` bytes are out.
    collected: Vec<u8>,
    written: usize,
    flushing: Flushing,
}

/// What was read and not taken.
struct Ahead {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What a flush of the crate does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flushing {
    /// What it says: nobody drives the connection yet.
    AtOnce,
    /// Nothing.
    ByOutlet,
}

/// The two handles of `stream`, of which `unread` has been read.
pub(super) fn share<T>(stream: T, unread: BytesMut) -> (Io<T>, Outlet<T>) {
    let transport = Arc::new(Mutex::new(Transport {
        stream,
        unread,
        ahead: None,
        collected: Vec::new(),
        written: 0,
        flushing: Flushing::AtOnce,
    }));
    (Io(Arc::clone(&transport)), Outlet(transport))
}

impl<T: AsyncWrite + Unpin> Outlet<T> {
    /// Says that from now on [`Outlet::poll_out`] is called.
    pub(super) fn take_over(&self) {
        self.0.lock().flushing = Flushing::ByOutlet;
    }

    /// Writes what was collected. Errors are the connection's end, of which its next read tells too.
    pub(super) fn poll_out(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_out(cx)
    }
}

impl<T: AsyncWrite + Unpin> Transport<T> {
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.collected.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(rest) = self.collected.get(self.written..)
            && !rest.is_empty()
        {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        give_back(&mut self.collected);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Makes room, by writing if need be.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.collected.len() >= OFFSET + FULL {
            ready!(self.poll_out(cx))?;
        }
        if self.collected.capacity() == 0 {
            self.collected = take_spare();
            self.written = OFFSET;
        }
        Poll::Ready(Ok(()))
    }

    /// Collects what there is room for.
    fn collect(&mut self, bytes: &[u8]) -> usize {
        let room = (OFFSET + ROOM).saturating_sub(self.collected.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.collected.extend_from_slice(taken);
        taken.len()
    }
}

fn take_spare() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| {
        let mut buffer = Vec::with_capacity(OFFSET + ROOM);
        buffer.resize(OFFSET, 0);
        buffer
    })
}

fn give_back(buffer: &mut Vec<u8>) {
    let mut buffer = std::mem::take(buffer);
    buffer.truncate(OFFSET);
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    });
}

impl<T: AsyncRead + Unpin> Transport<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            take(&mut self.unread, buf);
            if self.unread.is_empty() {
                self.unread = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        if self.ahead.is_none() {
            if buf.remaining() >= READ / 2 {
                return Pin::new(&mut self.stream).poll_read(cx, buf);
            }
            self.ahead = ready!(poll_ahead(&mut self.stream, cx))?;
        }
        if let Some(ahead) = &mut self.ahead {
            let mut rest = ahead.buffer.get(ahead.start..ahead.end).unwrap_or_default();
            let before = rest.len();
            take(&mut rest, buf);
            ahead.start += before - rest.len();
            if rest.is_empty()
                && let Some(taken) = self.ahead.take()
            {
                taken.give_back();
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads what there is; `None` is the end.
fn poll_ahead<T: AsyncRead + Unpin>(
    stream: &mut T,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Option<Ahead>>> {
    let spare = SPARE_READ.with_borrow_mut(Vec::pop);
    let mut buffer = spare.unwrap_or_else(|| vec![0; READ].into_boxed_slice());
    let mut unfilled = ReadBuf::new(&mut buffer);
    let read = Pin::new(stream).poll_read(cx, &mut unfilled);
    let end = unfilled.filled().len();
    let start = 0;
    let ahead = Ahead { buffer, start, end };
    if read.is_ready() && end > 0 {
        return Poll::Ready(Ok(Some(ahead)));
    }
    ahead.give_back();
    read.map_ok(|()| None)
}

impl Ahead {
    fn give_back(self) {
        SPARE_READ.with_borrow_mut(|spare| {
            if spare.len() < SPARE_BUFFERS {
                spare.push(self.buffer);
            }
        });
    }
}

/// Moves what there is room for.
fn take(from: &mut impl Buf, to: &mut ReadBuf<'_>) {
    let taken = from.remaining().min(to.remaining());
    if let Some(bytes) = from.chunk().get(..taken) {
        to.put_slice(bytes);
    }
    from.advance(taken);
}

impl<T: AsyncRead + Unpin> AsyncRead for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.lock().poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut transport = self.0.lock();
        ready!(transport.poll_room(cx))?;
        Poll::Ready(Ok(transport.collect(buf)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut transport = self.0.lock();
        ready!(transport.poll_room(cx))?;
        Poll::Ready(Ok(bufs.iter().map(|buf| transport.collect(buf)).sum()))
    }

    // The crate then hands over DATA frames where they are, and copies none itself.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut transport = self.0.lock();
        match transport.flushing {
            Flushing::AtOnce => transport.poll_out(cx),
            Flushing::ByOutlet => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut transport = self.0.lock();
        ready!(transport.poll_out(cx))?;
        Pin::new(&mut transport.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_read_before_comes_first() {
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"def").await.unwrap();
        let (mut io, _outlet) = share(ours, BytesMut::from("abc"));
        let mut read = [0; 6];
        io.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abcdef");
    }

    #[tokio::test]
    async fn all_that_was_sent_is_read_in_pieces_of_any_size() {
        let (ours, mut theirs) = duplex(1024 * 1024);
        let message: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        theirs.write_all(&message).await.unwrap();
        drop(theirs);
        let (mut io, _outlet) = share(ours, BytesMut::new());
        let mut all = Vec::new();
        for size in [1, 9, 10_000, 100_000].into_iter().cycle() {
            let mut piece = vec![0; size];
            let read = io.read(&mut piece).await.unwrap();
            if read == 0 {
                break;
            }
            all.extend_from_slice(&piece[..read]);
        }
        assert_eq!(all, message);
        assert!(io.0.lock().ahead.is_none());
    }

    #[tokio::test]
    async fn what_is_written_goes_out_when_the_outlet_says_so() {
        let (ours, mut theirs) = duplex(64);
        let (mut io, outlet) = share(ours, BytesMut::new());
        outlet.take_over();
        io.write_all(b"one ").await.unwrap();
        io.flush().await.unwrap();
        io.write_all(b"two").await.unwrap();
        let mut read = [0; 7];
        assert_eq!(theirs.read(&mut read).now_or_never().map(drop), None);
        poll_fn(|cx| outlet.poll_out(cx)).await.unwrap();
        theirs.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one two");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_stops_the_writing() {
        let (ours, mut theirs) = duplex(1024);
        let (mut io, outlet) = share(ours, BytesMut::new());
        outlet.take_over();
        let message: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        assert!(io.write_all(&message).now_or_never().is_none());
        assert!(io.0.lock().collected.len() <= OFFSET + ROOM);
        let (ours, theirs_all) = tokio::join!(
            async {
                io.write_all(b"end").await.unwrap();
                io.shutdown().await.unwrap();
            },
            async {
                let mut all = Vec::new();
                theirs.read_to_end(&mut all).await.unwrap();
                all
            }
        );
        let () = ours;
        let whole = theirs_all.strip_suffix(b"end").unwrap();
        assert!(message.starts_with(whole));
    }
}
