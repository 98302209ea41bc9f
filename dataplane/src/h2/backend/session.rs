//! One connection to a backend, which many requests share.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use h2::client::{self, SendRequest};
use http::uri::Scheme;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};

use super::stream::Stream;
use crate::h2::io::{Io, Outlet, share};
use crate::limits;

/// One connection to a backend.
pub(super) struct Session {
    /// `None` once no stream is to be opened. The crate ends the connection when this and all
    /// streams are gone.
    sender: Mutex<Option<SendRequest<Bytes>>>,
    streams: AtomicUsize,
    /// Whether a stream was opened since the clock was last looked at.
    has_served: AtomicBool,
    scheme: Scheme,
}

/// What moves the streams of a session.
pub(super) struct Driver<T> {
    connection: client::Connection<Io<T>, Bytes>,
    outlet: Outlet<T>,
    session: Arc<Session>,
}

impl Session {
    /// Begins HTTP/2 on `stream`. Errors: writing failed.
    pub(super) async fn begin<T: AsyncRead + AsyncWrite + Unpin>(
        stream: T,
        scheme: Scheme,
    ) -> Result<(Arc<Self>, Driver<T>), h2::Error> {
        let (io, outlet) = share(stream, BytesMut::new());
        let (sender, connection) = options().handshake(io).await?;
        outlet.take_over();
        let session = Arc::new(Self {
            sender: Mutex::new(Some(sender)),
            streams: AtomicUsize::new(0),
            has_served: AtomicBool::new(true),
            scheme,
        });
        let driver = Driver {
            connection,
            outlet,
            session: Arc::clone(&session),
        };
        Ok((session, driver))
    }

    /// A further stream, if there is room for one. After GOAWAY there never is.
    pub(super) fn open(self: &Arc<Self>) -> Option<Stream> {
        let mut sender = self.sender.lock();
        let available = sender.as_mut()?;
        let taken = self.streams.load(Ordering::Relaxed);
        if taken
            >= available
                .current_max_send_streams()
                .min(limits::BACKEND_H2_STREAMS)
        {
            return None;
        }
        let mut own = available.clone();
        let mut nobody = Context::from_waker(Waker::noop());
        if !matches!(own.poll_ready(&mut nobody), Poll::Ready(Ok(()))) {
            *sender = None;
            return None;
        }
        self.streams.store(taken + 1, Ordering::Relaxed);
        self.has_served.store(true, Ordering::Relaxed);
        Some(Stream::new(Arc::clone(self), own))
    }

    /// One stream fewer.
    pub(super) fn leave(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }

    /// Opens no further stream.
    pub(super) fn close(&self) {
        *self.sender.lock() = None;
    }

    /// Whether streams may still be opened, now or later.
    pub(super) fn is_open(&self) -> bool {
        self.sender.lock().is_some()
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme.clone()
    }

    fn is_idle(&self) -> bool {
        self.streams.load(Ordering::Relaxed) == 0
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Moves the streams until the connection ends, which it does too when it has rested for long.
    pub(super) async fn run(mut self) {
        let mut rest = pin!(sleep(limits::BACKEND_KEEP_ALIVE));
        poll_fn(|cx| {
            while self.session.is_idle() && rest.as_mut().poll(cx).is_ready() {
                if !self.session.has_served.swap(false, Ordering::Relaxed) {
                    self.session.close();
                    break;
                }
                rest.as_mut()
                    .reset(Instant::now() + limits::BACKEND_KEEP_ALIVE);
            }
            if Pin::new(&mut self.connection).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            // An error is the end of the connection, which the next read finds.
            let _ = self.outlet.poll_out(cx);
            Poll::Pending
        })
        .await;
        self.session.close();
    }
}

fn options() -> client::Builder {
    let mut options = client::Builder::new();
    options
        .enable_push(false)
        .initial_max_send_streams(limits::BACKEND_H2_STREAMS)
        .max_header_list_size(u32::try_from(limits::MAX_HEADER_LIST).unwrap_or(u32::MAX))
        .initial_window_size(limits::H2_STREAM_WINDOW)
        .initial_connection_window_size(limits::BACKEND_H2_CONNECTION_WINDOW)
        .max_send_buffer_size(limits::H2_SEND_BUFFER);
    options
}
