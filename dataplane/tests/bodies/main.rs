//! Bodies larger than any memory we would give them, up and down, over HTTP/1.1 and HTTP/2: how much
//! this process holds is looked at meanwhile, so it is a process of its own.
//!
//! `PORTCULLIS_TEST_BODY_MIB=1024` makes them a gibibyte each; the default takes a second or two.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../gateway/snapshot.rs"]
#[allow(dead_code, reason = "this binary uses a part of it")]
mod snapshot;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_ir::BackendProtocol;
use tokio::net::{TcpListener, TcpStream};

use snapshot::{Plane, scene};

const PIECE: usize = 64 * 1024;
/// What may come on top in the process while bodies pass, client and backend included: a few
/// windows of HTTP/2 and socket buffers for each, far less than a body.
const ALLOWED: usize = 48 * 1024 * 1024;

fn body_length() -> usize {
    let mebibytes = std::env::var("PORTCULLIS_TEST_BODY_MIB");
    let mebibytes = mebibytes.map_or(192, |text| text.parse().unwrap());
    mebibytes * 1024 * 1024
}

/// What of this process is in memory, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<usize>().unwrap() * 1024
}

/// The most that was in memory at any look.
#[derive(Default)]
struct Peak(AtomicUsize);

impl Peak {
    fn look(&self) {
        self.0.fetch_max(resident(), Ordering::Relaxed);
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body that is made while it is sent. Each sixteenth of it is a look at the memory.
fn generated(length: usize, peak: &Arc<Peak>) -> Body {
    static ZEROS: [u8; PIECE] = [0; PIECE];
    let (peak, pieces) = (Arc::clone(peak), length / PIECE);
    let frames = futures_util::stream::iter(0..pieces).map(move |index| {
        if index % (pieces / 16).max(1) == 0 {
            peak.look();
        }
        Ok(Frame::data(Bytes::from_static(&ZEROS)))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn empty() -> Body {
    Empty::new().boxed_unsync()
}

/// How long a body is that is thrown away as it comes.
async fn length_of(mut body: Incoming) -> usize {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().data_ref().map_or(0, Bytes::len);
    }
    length
}

/// Answers with as much as it was sent, or with a generated body to a GET.
async fn serve(request: Request<Incoming>, peak: Arc<Peak>) -> Result<Response<Body>, Infallible> {
    let answer = Response::builder();
    if request.method() == "GET" {
        return Ok(answer.body(generated(body_length(), &peak)).unwrap());
    }
    let length = length_of(request.into_body()).await;
    let answer = answer.header("received", length);
    Ok(answer.body(empty()).unwrap())
}

async fn backend(peak: Arc<Peak>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let peak = Arc::clone(&peak);
            let service = service_fn(move |request| serve(request, Arc::clone(&peak)));
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    at
}

#[derive(Clone, Copy, Debug)]
enum Version {
    Http1,
    Http2,
}

async fn send(at: SocketAddr, version: Version, request: Request<Body>) -> Response<Incoming> {
    let stream = TokioIo::new(TcpStream::connect(at).await.unwrap());
    match version {
        Version::Http1 => {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
        Version::Http2 => {
            let executor = TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, stream)
                .await
                .unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_any_length_take_no_more_memory() {
    let (peak, length) = (Arc::new(Peak::default()), body_length());
    let at = backend(Arc::clone(&peak)).await;
    let scene = scene()
        .http("web", 80, "")
        .backend("h1", BackendProtocol::Http1, &[at])
        .backend("h2", BackendProtocol::H2c, &[at])
        .route("web", "h1.example", "/", "h1")
        .route("web", "h2.example", "/", "h2");
    let plane = Plane::serving(&scene).await;
    let before = resident();
    for version in [Version::Http1, Version::Http2] {
        for host in ["h1.example", "h2.example"] {
            let target = match version {
                Version::Http1 => "/".to_owned(),
                Version::Http2 => format!("http://{host}/"),
            };
            let request = |method| {
                let request = Request::builder().method(method).uri(&target);
                match version {
                    Version::Http1 => request.header("host", host),
                    Version::Http2 => request,
                }
            };
            let up = request("POST").body(generated(length, &peak)).unwrap();
            let answer = send(plane.at(80), version, up).await;
            assert_eq!(answer.headers()["received"], length.to_string());
            let down = request("GET").body(empty()).unwrap();
            let answer = send(plane.at(80), version, down).await;
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(length_of(answer.into_body()).await, length);
        }
    }
    let grown = peak.0.load(Ordering::Relaxed).saturating_sub(before);
    assert!(grown < ALLOWED, "{} MiB more than before", grown >> 20);
}
