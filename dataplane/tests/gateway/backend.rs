//! Backends that tests look into.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A backend on a port of its own.
pub(crate) struct TestBackend {
    pub(crate) at: SocketAddr,
    /// Connections accepted.
    pub(crate) connections: Arc<AtomicUsize>,
}

impl TestBackend {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Answers with the request as text: method, target, headers, an empty line, the body. Speaks
/// HTTP/1.1 and h2c.
pub(crate) async fn echo(name: &'static str) -> TestBackend {
    custom(move |stream, _| async move {
        let service = service_fn(move |request| describe(name, request));
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let _ = server
            .serve_connection_with_upgrades(TokioIo::new(stream), service)
            .await;
    })
    .await
}

pub(crate) async fn describe(
    name: &'static str,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version);
    for (header, value) in &parts.headers {
        let _ = writeln!(
            text,
            "{header}: {}",
            String::from_utf8_lossy(value.as_bytes())
        );
    }
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let _ = write!(text, "\n{}", String::from_utf8_lossy(&body));
    let response = Response::builder().header("backend", name);
    Ok(response.body(Full::from(text)).unwrap())
}

/// Does what `serve` says with each connection; it is given the connection's number, from 0.
pub(crate) async fn custom<F, S>(serve: S) -> TestBackend
where
    S: Fn(TcpStream, usize) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream, number));
        }
    });
    TestBackend { at, connections }
}

/// An address at which nobody listens.
pub(crate) async fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// Reads one request head (HTTP/1) from `stream`; empty when it is closed.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Answers every request on a connection with the same bytes.
pub(crate) async fn always(answer: &'static str) -> TestBackend {
    custom(move |mut stream, _| async move {
        while !read_head(&mut stream).await.is_empty() {
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}
