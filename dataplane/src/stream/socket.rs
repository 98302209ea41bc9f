//! A TCP connection whose end is noticed even while nothing is read from it.
//!
//! While one side of a forwarded connection does not take what the other has sent, the other is
//! not read; nor is a side that has said all. A reset of it would show with the next read or write
//! alone, which may never come. So each socket has a second handle, on which its failure can be
//! awaited.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::buffer::Buffer;
use super::pipe::Pipe;
use crate::limits;

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Socket(Arc<TcpStream>, Ahead);

/// Whether more is read than is asked for.
#[derive(Debug)]
enum Ahead {
    Never,
    /// Not at the next read: the last one found little.
    Little,
    /// At the next read: the last one left nothing free of what it was given.
    Much,
    /// It was.
    Held(Buffer),
}

/// The handle on which the failure of a [`Socket`] is awaited. Holds the connection open.
#[derive(Debug)]
pub(crate) struct Watch(Arc<TcpStream>);

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(stream), Ahead::Never)
    }

    /// For TLS, which asks for 4 KiB at a time: where more than that has come, it is read at once.
    /// Costs nothing as long as little comes.
    pub(crate) fn reading_ahead(self) -> Self {
        Self(self.0, Ahead::Little)
    }

    /// A handle to await its failure on.
    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.0))
    }

    /// Makes its closing a reset: what is on its way is dropped, and the peer learns that this was
    /// no orderly end.
    pub(crate) fn reset_when_closed(&self) {
        // It fails only where the connection is gone already.
        let _ = SockRef::from(&*self.0).set_linger(Some(Duration::ZERO));
    }

    /// Ends its sending side, whatever is spoken on it.
    pub(crate) fn end_sending(&self) -> io::Result<()> {
        match SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write) {
            // The peer has reset it meanwhile: reading tells.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }

    /// Whether there is nothing to be read, not even an end, as far as the system knows.
    pub(crate) fn is_quiet(&self) -> bool {
        if matches!(self.1, Ahead::Held(_)) {
            return false;
        }
        let peeked = SockRef::from(&*self.0).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The same, as far as the runtime knows. Costs no system call unless something has come, and
    /// nobody is woken when something does.
    pub(crate) fn seems_quiet(&self) -> bool {
        let look = || {
            if self.is_quiet() {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        };
        self.0.try_io(Interest::READABLE, look).is_err()
    }

    /// Ready when there may be something to be read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A failure is something to be read too.
        self.0.poll_read_ready(cx).map(|_| ())
    }

    /// Reads into what is free of `buffer`, if the runtime knows that there is something.
    ///
    /// As tokio does for a handle that is not shared, and as [`Socket::try_read`], but the memory
    /// need not be overwritten first. What is read and found to be all is taken note of in the outer
    /// call, which saw the readiness before it was used: what comes meanwhile is not lost.
    pub(crate) fn try_read_buf(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        let room = buffer.capacity() - buffer.len();
        let mut read = 0;
        let outcome = self.0.try_io(Interest::READABLE, || {
            read = self.0.try_read_buf(buffer)?;
            if read == 0 || read == room {
                Ok(())
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        if read > 0 {
            Ok(read)
        } else {
            outcome.map(|()| 0)
        }
    }

    /// Reads what has come, whether the runtime knows of it or not.
    pub(crate) fn read_now(&self, into: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&*self.0)).read(into)
    }

    /// Moves what has come into `pipe`; see [`Pipe::fill`].
    pub(super) fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            // Less than asked for may be all that the pipe has room for.
            let fill = || pipe.fill(&*self.0, limits::FORWARD_PIPE);
            match self.0.try_io(Interest::READABLE, fill) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    /// Moves what is in `pipe` out; see [`Pipe::drain`].
    pub(super) fn poll_drain(
        &self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<io::Result<usize>> {
        let held = pipe.held();
        self.poll_send(cx, held, |socket| pipe.drain(socket))
    }

    /// Sends by `send`, which is to send `whole` bytes and answers how many it did.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        whole: usize,
        mut send: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.attempt(Interest::WRITABLE, whole, || send(&self.0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    /// As tokio does it, but on a shared handle: "if a partial read fills less than the buffer, the
    /// socket is drained", and "if we didn't write all, the socket is full"; asking it once more to
    /// hear that costs a system call.
    fn attempt(
        &self,
        interest: Interest,
        whole: usize,
        transfer: impl FnOnce() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut moved = 0;
        let outcome = self.0.try_io(interest, || {
            moved = transfer()?;
            if moved == 0 || moved == whole {
                Ok(())
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        if moved > 0 {
            Ok(moved)
        } else {
            outcome.map(|()| 0)
        }
    }

    fn poll_read_into(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.try_read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn try_read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let free = buf.initialize_unfilled();
        let whole = free.len();
        let read = || (&*SockRef::from(&*self.0)).read(free);
        let read = self.attempt(Interest::READABLE, whole, read)?;
        buf.advance(read);
        Ok(())
    }
}

impl Watch {
    /// Resolves when the connection has failed, such as by a reset of the peer.
    pub(crate) async fn failed(&self) -> io::Error {
        loop {
            if let Err(error) = self.0.ready(Interest::ERROR).await {
                return error;
            }
            match self.0.take_error() {
                Ok(Some(error)) | Err(error) => return error,
                // A read or a write has taken it already, and tells of it.
                Ok(None) => std::future::pending::<()>().await,
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let this = self.get_mut();
        match &mut this.1 {
            Ahead::Never => this.poll_read_into(cx, buf),
            Ahead::Little => {
                ready!(this.poll_read_into(cx, buf))?;
                if buf.remaining() == 0 {
                    this.1 = Ahead::Much;
                }
                Poll::Ready(Ok(()))
            }
            Ahead::Much => {
                let mut buffer = Buffer::take();
                let mut space = ReadBuf::new(buffer.space());
                ready!(this.poll_read_into(cx, &mut space))?;
                let read = space.filled().len();
                buffer.fill(read);
                this.1 = if buffer.put(buf) {
                    Ahead::Held(buffer)
                } else {
                    Ahead::Little
                };
                Poll::Ready(Ok(()))
            }
            Ahead::Held(buffer) => {
                if !buffer.put(buf) {
                    this.1 = Ahead::Much;
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf.len(), |socket| (&*SockRef::from(socket)).write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_send(cx, whole, |socket| {
            (&*SockRef::from(socket)).write_vectored(bufs)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.end_sending())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn reading_ahead_changes_nothing_but_the_number_of_reads() {
        let sent: Vec<u8> = (0..300_000_u32)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (peer, accepted) = tokio::join!(TcpStream::connect(at), listener.accept());
        let (mut peer, (accepted, _)) = (peer.unwrap(), accepted.unwrap());
        let mut socket = Socket::new(accepted).reading_ahead();
        let write = async {
            for piece in sent.chunks(70_000) {
                peer.write_all(piece).await.unwrap();
            }
            peer.shutdown().await.unwrap();
        };
        let read = async {
            let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
            loop {
                match socket.read(&mut piece).await.unwrap() {
                    0 => return seen,
                    read => seen.extend_from_slice(&piece[..read]),
                }
            }
        };
        let ((), seen) = tokio::join!(write, read);
        assert!(seen == sent);
        assert_eq!(socket.read(&mut [0; 16]).await.unwrap(), 0);
    }
}
