//! Idle HTTP/1.1 connections over TLS of one worker.
//!
//! Whether a connection may serve another request is for pingora to say: it is put into pingora's
//! own pool then, and closed otherwise. There it is watched until it breaks or its time is over,
//! and from there the next request takes it, leaving an empty shell behind that pingora throws
//! away.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use crate::limits;
use crate::stream::socket::Socket;

/// A connection that one request after another may use.
#[derive(Debug)]
pub(super) struct Kept {
    place: Mutex<Place>,
    reused: bool,
}

/// Where a connection is, or was.
#[derive(Debug)]
struct Place {
    stream: Option<Box<TlsStream<Socket>>>,
    /// Who waits for it to be readable.
    reader: Option<Waker>,
    /// Whether anything of an answer has come.
    answered: bool,
}

impl Kept {
    /// A connection that has served nothing yet.
    pub(super) fn new(stream: TlsStream<Socket>) -> Self {
        Self::holding(Box::new(stream), false)
    }

    /// A connection that another request has used.
    pub(super) fn reused(stream: Box<TlsStream<Socket>>) -> Self {
        Self::holding(stream, true)
    }

    fn holding(stream: Box<TlsStream<Socket>>, reused: bool) -> Self {
        let stream = Some(stream);
        Self {
            place: Mutex::new(Place {
                stream,
                reader: None,
                answered: false,
            }),
            reused,
        }
    }

    pub(super) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Takes the connection away, if it is still there; who reads from it is told that it ended.
    fn take(&self) -> Option<Box<TlsStream<Socket>>> {
        let mut place = self.place.lock();
        let stream = place.stream.take();
        let reader = place.reader.take();
        drop(place);
        if let Some(reader) = reader {
            reader.wake();
        }
        stream
    }

    fn is_there(&self) -> bool {
        self.place.lock().stream.is_some()
    }
}

/// The idle connections of one worker, by endpoint.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<Connections>);

#[derive(Debug, Default)]
struct Connections {
    by_endpoint: BTreeMap<u64, Vec<Arc<Kept>>>,
    count: usize,
}

impl Idle {
    /// Takes the connection to an endpoint that was used last, of those which are alive.
    pub(super) fn take(&self, endpoint: u64) -> Option<Box<TlsStream<Socket>>> {
        loop {
            let kept = self.pop(endpoint)?;
            if let Some(mut stream) = kept.take()
                && is_silent(&mut stream)
            {
                return Some(stream);
            }
        }
    }

    fn pop(&self, endpoint: u64) -> Option<Arc<Kept>> {
        let mut idle = self.0.lock();
        let of_endpoint = idle.by_endpoint.get_mut(&endpoint)?;
        let kept = of_endpoint.pop()?;
        if of_endpoint.is_empty() {
            idle.by_endpoint.remove(&endpoint);
        }
        idle.count -= 1;
        Some(kept)
    }

    /// Keeps a connection whose request is over, unless it was closed.
    pub(super) fn keep(&self, endpoint: u64, kept: Arc<Kept>) {
        if !kept.is_there() {
            return;
        }
        let mut idle = self.0.lock();
        if idle.count < limits::BACKEND_POOL {
            idle.by_endpoint.entry(endpoint).or_default().push(kept);
            idle.count += 1;
        } else {
            drop(idle);
            // Over the cap: it is closed.
            drop(kept.take());
        }
    }

    /// Forgets a connection that pingora has closed.
    fn forget(&self, endpoint: u64, closed: &Arc<Kept>) {
        let mut idle = self.0.lock();
        let Some(of_endpoint) = idle.by_endpoint.get_mut(&endpoint) else {
            return;
        };
        let before = of_endpoint.len();
        of_endpoint.retain(|kept| !Arc::ptr_eq(kept, closed));
        let forgotten = before - of_endpoint.len();
        if of_endpoint.is_empty() {
            idle.by_endpoint.remove(&endpoint);
        }
        idle.count -= forgotten;
    }
}

/// Whether nothing has come on an idle connection: neither its end nor an answer to no request.
fn is_silent(stream: &mut TlsStream<Socket>) -> bool {
    let mut byte = [0];
    let mut buf = ReadBuf::new(&mut byte);
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(&mut cx, &mut buf).is_pending()
}

/// A connection as one request uses it; closed with it unless another takes it out first.
#[derive(Debug)]
pub(super) struct Wire {
    kept: Arc<Kept>,
    idle: Weak<Idle>,
    endpoint: u64,
}

impl Wire {
    pub(super) fn new(kept: Arc<Kept>, idle: &Arc<Idle>, endpoint: u64) -> Self {
        Self {
            kept,
            idle: Arc::downgrade(idle),
            endpoint,
        }
    }

    fn write_with<T>(
        &self,
        write: impl FnOnce(Pin<&mut TlsStream<Socket>>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.kept.place.lock().stream {
            Some(stream) => write(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.kept.take().is_some()
            && let Some(idle) = self.idle.upgrade()
        {
            idle.forget(self.endpoint, &self.kept);
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut place = self.kept.place.lock();
        let Some(stream) = &mut place.stream else {
            return Poll::Ready(Ok(()));
        };
        let before = buf.filled().len();
        match Pin::new(&mut **stream).poll_read(cx, buf) {
            Poll::Pending => {
                place.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Poll::Ready(Ok(())) => {
                place.answered |= buf.filled().len() > before;
                Poll::Ready(Ok(()))
            }
            // An end without close_notify may be a cut, and what came before it not all. Before an
            // answer there is nothing to be cut: many servers end idle connections so, and pingora
            // repeats what meets an orderly end.
            Poll::Ready(Err(error))
                if error.kind() == io::ErrorKind::UnexpectedEof && !place.answered =>
            {
                Poll::Ready(Ok(()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_with(|stream| stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write_with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write_with(|stream| stream.poll_shutdown(cx))
    }
}
