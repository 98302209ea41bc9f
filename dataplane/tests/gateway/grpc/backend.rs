//! A gRPC server whose methods are ways to behave.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::metadata::MetadataValue;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::Raw;
use crate::backend::{TestBackend, custom};

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// The server, and what it saw.
pub(super) struct GrpcBackend {
    pub(super) server: TestBackend,
    pub(super) seen: Arc<Seen>,
}

/// What a server saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Calls under way.
    pub(super) open: AtomicUsize,
    /// Told when a call begins or ends.
    pub(super) change: Notify,
}

impl Seen {
    /// Waits until that many calls are under way.
    pub(super) async fn open(&self, count: usize) {
        loop {
            let change = self.change.notified();
            if self.open.load(Ordering::SeqCst) == count {
                return;
            }
            change.await;
        }
    }
}

/// A call under way.
struct Open(Arc<Seen>);

impl Open {
    fn new(seen: &Arc<Seen>) -> Self {
        seen.open.fetch_add(1, Ordering::SeqCst);
        seen.change.notify_waiters();
        Self(Arc::clone(seen))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.change.notify_waiters();
    }
}

/// Starts a server. Each connection serves so many calls before it is shut down gracefully.
pub(super) async fn serving(calls_per_connection: usize) -> GrpcBackend {
    let seen = Arc::new(Seen::default());
    let of_server = Arc::clone(&seen);
    let server =
        custom(move |socket, _| serve(socket, Arc::clone(&of_server), calls_per_connection));
    GrpcBackend {
        server: server.await,
        seen,
    }
}

/// Serves calls on a connection.
pub(super) async fn serve<S>(socket: S, seen: Arc<Seen>, most_calls: usize)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let enough = Arc::new(Notify::new());
    let calls = AtomicUsize::new(0);
    let last = Arc::clone(&enough);
    let service = service_fn(move |request| {
        if calls.fetch_add(1, Ordering::SeqCst) + 1 == most_calls {
            last.notify_one();
        }
        answer(Arc::clone(&seen), request)
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(socket), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = enough.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    seen: Arc<Seen>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, Infallible> {
    let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
    let big = 64 << 20;
    let grpc = Grpc::new(Raw).max_decoding_message_size(big);
    let mut grpc = grpc.max_encoding_message_size(big);
    let open = Open::new(&seen);
    Ok(grpc
        .streaming(
            Behave {
                method,
                open: Some(open),
            },
            request,
        )
        .await)
}

struct Behave {
    method: String,
    open: Option<Open>,
}

impl StreamingService<Bytes> for Behave {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = BoxFuture<'static, Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let open = self.open.take();
        let method = self.method.clone();
        Box::pin(async move {
            let asked = request.metadata().get("x-asked").cloned();
            let answers = behave(&method, request.into_inner(), open).await?;
            let mut response = Response::new(answers);
            response
                .metadata_mut()
                .insert("x-method", method.parse().unwrap());
            if let Some(asked) = asked {
                response.metadata_mut().insert("x-asked", asked);
            }
            Ok(response)
        })
    }
}

/// What a method does.
async fn behave(
    method: &str,
    mut asked: Streaming<Bytes>,
    open: Option<Open>,
) -> Result<Answers, Status> {
    Ok(match method {
        // Each message comes back as it comes.
        "Echo" => Box::pin(asked.inspect(move |_| drop_with(open.as_ref()))),
        // As `Echo`, but the answer begins with the first message.
        "Late" => {
            let first = asked.message().await?.unwrap();
            let rest = asked.inspect(move |_| drop_with(open.as_ref()));
            Box::pin(stream::iter([Ok(first)]).chain(rest))
        }
        // How many bytes came in all.
        "Count" => {
            let mut count = 0;
            while let Some(message) = asked.message().await? {
                count += message.len();
            }
            Box::pin(stream::iter([Ok(Bytes::from(count.to_string()))]))
        }
        // Messages of 16 KiB, as many as the first message says, whoever reads them.
        "Repeat" => {
            let count = asked.message().await?.unwrap();
            let count: usize = std::str::from_utf8(&count).unwrap().parse().unwrap();
            let messages = (0..count).map(|_| Ok(Bytes::from(vec![b'x'; 16 << 10])));
            Box::pin(stream::iter(messages).inspect(move |_| drop_with(open.as_ref())))
        }
        // An error at once.
        "Fail" => {
            let mut status = Status::failed_precondition("not today: 100%");
            let detail = MetadataValue::from_bytes(b"\x00\xff");
            status.metadata_mut().insert_bin("detail-bin", detail);
            return Err(status);
        }
        // An error after two messages.
        "FailLate" => {
            let message = || Ok(Bytes::from_static(b"fine"));
            let error = Err(Status::aborted("enough"));
            Box::pin(stream::iter([message(), message(), error]))
        }
        // One message, and the end of the connection.
        "Break" => Box::pin(
            stream::iter([Ok(Bytes::from_static(b"fine"))]).chain(stream::once(async {
                std::future::pending::<()>().await;
                Ok(Bytes::new())
            })),
        ),
        // Nothing, ever.
        "Hang" => {
            let _open = open;
            std::future::pending().await
        }
        _ => return Err(Status::unimplemented("no such method")),
    })
}

/// Keeps the call open for as long as its stream lives.
fn drop_with(_: Option<&Open>) {}
