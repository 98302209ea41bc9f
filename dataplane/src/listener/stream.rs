//! A client's byte stream as pingora wants it.
//!
//! It puts back what was read to tell protocols apart, collects small writes, counts the bytes of
//! request heads, and replaces pingora's own early refusals (which name pingora and have no body)
//! by ours.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use pingora_http::ResponseHeader;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::connection::{Connection, HttpVersion, Phase};
use crate::http::refusal;
use crate::limits;

/// The connection that a pingora session belongs to.
pub(crate) fn connection_of(digest: &pingora_core::protocols::Digest) -> Option<&Arc<Connection>> {
    let user_data: &(dyn Any + Send + Sync) = digest.proxy_digest.as_ref()?.user_data.as_deref()?;
    user_data.downcast_ref()
}

/// A client connection with HTTP on it.
pub(crate) struct ClientStream {
    transport: Transport,
    /// Bytes that were read before the stream was handed over.
    unread: BytesMut,
    /// Bytes that pingora wrote and the transport has not taken.
    unwritten: BytesMut,
    reading: Reading,
    connection: Arc<Connection>,
    digest: Arc<ProxyDigest>,
}

/// What a client's bytes travel in.
pub(crate) enum Transport {
    /// Bare TCP.
    Plain(TcpStream),
    /// TLS that ends here.
    Tls(Box<TlsStream<TcpStream>>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    On,
    /// The head was refused: nothing more is read, only swallowed.
    Refused,
}

impl ClientStream {
    pub(crate) fn new(transport: Transport, unread: BytesMut, connection: Arc<Connection>) -> Self {
        // pingora has no slot for a connection's own data that HTTP/1 and HTTP/2 sessions both
        // show but this one, made for CONNECT proxies. The answer in it is never looked at.
        let user_data: Box<dyn Any + Send + Sync> = Box::new(Arc::clone(&connection));
        let digest = ProxyDigest::new(Box::new(no_answer()), Some(user_data));
        if !unread.is_empty() && connection.version == HttpVersion::Http1 {
            connection.head_arrives(0);
        }
        Self {
            transport,
            unread,
            unwritten: BytesMut::new(),
            reading: Reading::On,
            connection,
            digest: Arc::new(digest),
        }
    }

    fn in_head(&self) -> bool {
        self.connection.version == HttpVersion::Http1 && self.connection.phase() != Phase::Request
    }

    /// Puts an answer of ours in the way of what pingora would write.
    fn refuse(&mut self, status: u16) {
        self.reading = Reading::Refused;
        let flag = refusal::flag_of(status);
        self.connection.gateway.rejected[flag].increment();
        tracing::debug!(peer = %self.connection.peer, status, "refused a request head");
        self.unwritten
            .extend_from_slice(refusal::head_refusal(status));
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let written = ready!(Pin::new(&mut self.transport).poll_write(cx, &self.unwritten))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unwritten.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_unread(&mut self, buf: &mut ReadBuf<'_>) -> Option<usize> {
        if self.unread.is_empty() {
            return None;
        }
        let taken = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread.split_to(taken));
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
        Some(taken)
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.reading == Reading::Refused {
            return Poll::Ready(Ok(()));
        }
        let in_head = this.in_head();
        if in_head && this.connection.head_is_too_long() {
            this.refuse(431);
            return Poll::Ready(Ok(()));
        }
        let read = if let Some(read) = this.poll_unread(buf) {
            read
        } else {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.transport).poll_read(cx, buf))?;
            buf.filled().len() - before
        };
        if in_head && read > 0 {
            this.connection.head_arrives(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.connection.version == HttpVersion::Http2 {
            return Pin::new(&mut this.transport).poll_write(cx, buf);
        }
        // Bytes that came with the request before are parsed without a read: not even
        // `Phase::Head` is certain then.
        if this.connection.phase() != Phase::Request {
            if this.reading == Reading::On {
                this.refuse(refusal::status_of(buf));
            }
            return Poll::Ready(Ok(buf.len()));
        }
        if this.unwritten.len() + buf.len() > limits::WRITE_BUFFER {
            ready!(this.poll_write_out(cx))?;
            if buf.len() >= limits::WRITE_BUFFER {
                return Pin::new(&mut this.transport).poll_write(cx, buf);
            }
        }
        this.unwritten.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.connection.version == HttpVersion::Http2 {
            return Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |buf| buf))
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.version == HttpVersion::Http2 && self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(cx))?;
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(cx))?;
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        let closed = AsyncWriteExt::shutdown(self).await;
        if closed.is_ok() && (self.reading == Reading::Refused || self.connection.lingers()) {
            linger(&mut self.transport).await;
        }
    }
}

/// Reads on for a moment after a last word: closing with unread input makes TCP reset the
/// connection, and the client would lose what it was told.
pub(crate) async fn linger(input: &mut (impl AsyncRead + Unpin)) {
    let mut swallowed = [0; 4096];
    let swallow = async {
        let mut total = 0;
        while total < limits::LINGER_BYTES {
            match input.read(&mut swallowed).await {
                Ok(0) | Err(_) => break,
                Ok(read) => total += read,
            }
        }
    };
    // Running out of time is one of the two ways this is meant to end.
    let _ = tokio::time::timeout(limits::LINGER, swallow).await;
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        self.transport.tcp().as_raw_fd()
    }
}

impl Ssl for ClientStream {
    // HTTP/2 is decided by us, in TLS by ALPN and in clear text by the preface: pingora's own
    // peek waits for 24 bytes, which a short HTTP/1.0 request never sends.
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        (self.connection.version == HttpVersion::Http2).then_some(ALPN::H2)
    }
}

impl Peek for ClientStream {}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl Drop for ClientStream {
    /// Says goodbye if that takes no waiting: a client that is owed an answer gets a short one, and
    /// a TLS client tells close_notify from a cut.
    fn drop(&mut self) {
        if let Some(status) = self.connection.last_word() {
            let mut cx = Context::from_waker(Waker::noop());
            self.unwritten
                .extend_from_slice(refusal::head_refusal(status));
            let _ = Pin::new(&mut *self).poll_flush(&mut cx);
        }
        if let Transport::Tls(stream) = &mut self.transport {
            let mut cx = Context::from_waker(Waker::noop());
            let _ = Pin::new(stream.as_mut()).poll_shutdown(&mut cx);
        }
    }
}

impl Transport {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

fn no_answer() -> ResponseHeader {
    ResponseHeader::from(http::Response::new(()).into_parts().0)
}
