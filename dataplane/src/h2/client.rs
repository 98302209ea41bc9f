//! A client's connection: its streams, and when it ends.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{FuturesUnordered, Stream as _};
use h2::server;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::io::{Io, Outlet, share};
use crate::http::message::Arrived;
use crate::limits;

mod head;
mod stream;

use stream::Leaving;
pub(crate) use stream::Stream;

/// A client's connection.
pub(crate) struct Connection<T> {
    inner: server::Connection<Io<T>, Bytes>,
    outlet: Outlet<T>,
    leaving: Arc<Leaving>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Begins HTTP/2 on `stream`, of which `unread` has been read.
    ///
    /// Errors: the client does not begin in time, or with anything else. Nothing is to be answered.
    pub(crate) async fn handshake(stream: T, unread: BytesMut) -> Result<Self, h2::Error> {
        let (io, outlet) = share(stream, unread);
        let shaken = timeout(limits::HANDSHAKE_TIMEOUT, options().handshake(io)).await;
        let inner =
            shaken.unwrap_or_else(|_| Err(h2::Error::from(h2::Reason::SETTINGS_TIMEOUT)))?;
        outlet.take_over();
        Ok(Self {
            inner,
            outlet,
            leaving: Arc::default(),
        })
    }

    /// The next request; `None` is the connection's end. This is also what moves all the streams of
    /// the connection: they stand still unless it is polled.
    pub(crate) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Arrived, Stream), h2::Error>>> {
        if self.leaving.take() {
            self.leave();
        }
        match self.inner.poll_accept(cx) {
            Poll::Ready(Some(accepted)) => Poll::Ready(Some(accepted.map(|(request, respond)| {
                let (parts, body) = request.into_parts();
                let stream = Stream::new(body, respond, Arc::clone(&self.leaving));
                let request = http::Request::from_parts(parts, ());
                (head::arrived(request, stream.rest()), stream)
            }))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                // An error is the end of the connection, which the next read finds.
                let _ = self.outlet.poll_out(cx);
                Poll::Pending
            }
        }
    }

    /// Asks the client to send no more requests; those on their way are served, and the connection
    /// ends when all have been.
    pub(crate) fn leave(&mut self) {
        self.inner.graceful_shutdown();
    }

    /// Serves every request with `exchange`, all in this task, until the connection ends, and each
    /// request to its end. `leaving` resolves when the client is to leave.
    ///
    /// Errors: what ended the connection, if it did not end in order. There is nothing to be done.
    pub(crate) async fn serve<F: Future<Output = ()>>(
        self,
        leaving: impl Future<Output = ()>,
        exchange: impl FnMut(Arrived, Stream) -> F,
    ) -> Result<(), h2::Error> {
        let mut serving = Serving {
            connection: self,
            exchanges: FuturesUnordered::new(),
            exchange,
            stage: Stage::Open,
            end: None,
            has_served: false,
        };
        let mut idle = pin!(sleep(limits::CLIENT_H2_IDLE_TIMEOUT));
        let mut leaving = pin!(leaving);
        poll_fn(|cx| {
            if serving.stage == Stage::Open && leaving.as_mut().poll(cx).is_ready() {
                serving.leaves(idle.as_mut());
            }
            serving.poll(cx, idle.as_mut())
        })
        .await
    }
}

/// A connection and what is served on it.
struct Serving<T, E, F> {
    connection: Connection<T>,
    exchanges: FuturesUnordered<F>,
    exchange: E,
    stage: Stage,
    /// How the connection ended. Exchanges learn of it and end by themselves.
    end: Option<Result<(), h2::Error>>,
    /// Whether there was a request since the clock was last looked at.
    has_served: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Requests are taken.
    Open,
    /// Those on their way still are.
    Leaving,
    /// All have been answered; the last answers are on their way.
    Left,
}

/// What a connection had to say.
enum Progress {
    /// A request came.
    Request,
    /// Nothing did.
    None,
    /// There will be no more.
    End(Result<(), h2::Error>),
}

impl<T, E, F> Serving<T, E, F>
where
    T: AsyncRead + AsyncWrite + Unpin,
    E: FnMut(Arrived, Stream) -> F,
    F: Future<Output = ()>,
{
    /// Moves the exchanges, and the connection for as long as it brings new ones: what all of them
    /// have to say leaves together.
    fn poll(&mut self, cx: &mut Context<'_>, idle: Pin<&mut Sleep>) -> Poll<Result<(), h2::Error>> {
        loop {
            self.poll_exchanges(cx);
            if self.exchanges.is_empty()
                && let Some(end) = self.end.take()
            {
                return Poll::Ready(end);
            } else if self.end.is_some() {
                return Poll::Pending;
            }
            match self.poll_request(cx) {
                Progress::Request => {}
                Progress::None if self.exchanges.is_empty() => {
                    return self.poll_idle(cx, idle).map(Ok);
                }
                Progress::None => return Poll::Pending,
                Progress::End(end) => self.end = Some(end),
            }
        }
    }

    fn poll_exchanges(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(())) = Pin::new(&mut self.exchanges).poll_next(cx) {}
    }

    /// Takes a request, if one has come. What exchanges have said leaves when none has.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Progress {
        match self.connection.poll_accept(cx) {
            Poll::Ready(Some(Ok((arrived, stream)))) => {
                self.exchanges.push((self.exchange)(arrived, stream));
                self.has_served = true;
                Progress::Request
            }
            Poll::Ready(Some(Err(error))) => Progress::End(Err(error)),
            Poll::Ready(None) => Progress::End(Ok(())),
            Poll::Pending => Progress::None,
        }
    }

    /// Ready when the connection has rested for too long. Two looks at the clock without a request
    /// between them say so: none is read for each request.
    fn poll_idle(&mut self, cx: &mut Context<'_>, mut idle: Pin<&mut Sleep>) -> Poll<()> {
        while idle.as_mut().poll(cx).is_ready() {
            if self.stage == Stage::Leaving && self.connection.inner.has_streams() {
                // Answered in full, and not yet read.
                self.stage = Stage::Left;
                self.has_served = true;
            }
            if !self.has_served {
                self.connection.inner.abrupt_shutdown(h2::Reason::NO_ERROR);
                // Whether the client still hears it or not.
                let _ = self.connection.poll_accept(cx);
                return Poll::Ready(());
            }
            self.has_served = false;
            idle.as_mut().reset(Instant::now() + self.patience());
        }
        Poll::Pending
    }

    /// How long the connection may rest.
    fn patience(&self) -> Duration {
        match self.stage {
            Stage::Open => limits::CLIENT_H2_IDLE_TIMEOUT,
            Stage::Leaving => limits::CLIENT_H2_LEAVING_TIMEOUT,
            Stage::Left => limits::RESPONSE_WRITE_TIMEOUT,
        }
    }

    fn leaves(&mut self, idle: Pin<&mut Sleep>) {
        self.stage = Stage::Leaving;
        self.connection.leave();
        idle.reset(Instant::now() + self.patience());
    }
}

fn options() -> server::Builder {
    let mut options = server::Builder::new();
    options
        .max_concurrent_streams(limits::MAX_CONCURRENT_STREAMS)
        .max_header_list_size(u32::try_from(limits::MAX_HEADER_LIST).unwrap_or(u32::MAX))
        .initial_window_size(limits::H2_STREAM_WINDOW)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW)
        .max_send_buffer_size(limits::H2_SEND_BUFFER);
    options
}

#[cfg(test)]
mod tests;
