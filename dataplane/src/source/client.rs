//! One HTTP/2 connection as tonic's client takes it.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::body::Body;
use tonic::codegen::Service;

/// A controller that says nothing for so long is asked whether it is there: of a peer that vanished
/// nothing else would tell.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// For the answer. With [`KEEP_ALIVE`] as long as its Lease keeps other controllers from leading.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// How much may be on its way to us at a time: a part of a large state.
const WINDOW: u32 = 1 << 20;

/// The way to the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Connection(SendRequest<Body>);

impl Connection {
    /// Speaks HTTP/2 on `io`. The connection ends when this and its streams are dropped.
    pub(super) async fn open<T>(io: T) -> Result<Self, hyper::Error>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .handshake(TokioIo::new(io))
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to the controller");
            }
        });
        Ok(Self(sender))
    }
}

impl Service<http::Request<Body>> for Connection {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, hyper::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut sender = self.0.clone();
        Box::pin(async move {
            poll_fn(|context| sender.poll_ready(context)).await?;
            sender.send_request(request).await
        })
    }
}
