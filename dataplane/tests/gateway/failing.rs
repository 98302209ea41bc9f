//! A backend that fails as often as a test wants, and clients of both versions of HTTP.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_ir::route::Retry;
use portcullis_ir::{BackendProtocol, HttpRule};
use tokio::net::TcpStream;

use crate::backend::{TestBackend, custom};
use crate::client::Connection;
use crate::http2::http2;
use crate::snapshot::{Scene, scene, to};

/// What a backend was asked: the method and the body of each request that it read to its end.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<parking_lot::Mutex<Vec<String>>>);

impl Asked {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    fn note(&self, request: String) -> usize {
        let mut all = self.0.lock();
        all.push(request);
        all.len() - 1
    }
}

/// Reads each request and answers with `answers`' status for its number, from 0; the body names the
/// number. Speaks HTTP/1.1 and h2c.
pub(crate) async fn failing(
    answers: impl Fn(usize) -> u16 + Clone + Send + Sync + 'static,
) -> (TestBackend, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let backend = custom(move |stream, _| {
        let (answers, seen) = (answers.clone(), seen.clone());
        async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (answers, seen) = (answers.clone(), seen.clone());
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body
                        .collect()
                        .await
                        .map(http_body_util::Collected::to_bytes);
                    let body = body.unwrap_or_else(|_| Bytes::from_static(b"broken off"));
                    let text = String::from_utf8_lossy(&body);
                    let number = seen.note(format!("{} {text}", parts.method));
                    let answer = Response::builder().status(answers(number));
                    let body = Full::<Bytes>::from(format!("answer {number}"));
                    Ok::<_, Infallible>(answer.body(body).unwrap())
                }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await;
    (backend, asked)
}

/// The client's side and the backend's.
pub(crate) const PAIRS: [(Client, BackendProtocol); 4] = [
    (Client::Http1, BackendProtocol::Http1),
    (Client::Http1, BackendProtocol::H2c),
    (Client::Http2, BackendProtocol::Http1),
    (Client::Http2, BackendProtocol::H2c),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Http1,
    Http2,
}

impl Client {
    /// Status and body of the answer, on a connection of its own.
    pub(crate) async fn send(self, at: SocketAddr, method: &str, body: &str) -> (u16, String) {
        match self {
            Self::Http1 => {
                let length = body.len();
                let request = format!(
                    "{method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n\
                     {body}"
                );
                let reply = Connection::open(at).await.exchange(request).await;
                (reply.status, reply.body)
            }
            Self::Http2 => {
                let stream = TcpStream::connect(at).await.unwrap();
                let (mut sender, _connection) = http2(stream).await;
                let request = Request::builder().method(method);
                let request = request.uri("http://a.example/");
                let body = Full::from(body.to_owned());
                let response = sender.send_request(request.body(body).unwrap()).await;
                let (parts, body) = response.unwrap().into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = String::from_utf8(body.to_vec()).unwrap();
                (parts.status.as_u16(), body)
            }
        }
    }
}

/// Up to `attempts` retries after `codes`, with next to no wait.
pub(crate) fn retry(codes: &[u16], attempts: u32) -> Retry {
    Retry {
        codes: codes.iter().copied().collect(),
        attempts,
        backoff: Some(Duration::from_millis(1)),
    }
}

/// Everything goes to endpoints at `at`, as `rule` says.
pub(crate) fn serving(protocol: BackendProtocol, at: &[SocketAddr], rule: HttpRule) -> Scene {
    scene()
        .http("web", 80, "")
        .backend("a", protocol, at)
        .rule("web", "a.example", "/", rule)
}

pub(crate) fn retrying(retry: Retry) -> HttpRule {
    HttpRule {
        retry: Some(retry),
        ..to("a")
    }
}
