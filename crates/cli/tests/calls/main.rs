//! GRPCRoutes: the real binary with a real client and backends.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

#[path = "../harness/mod.rs"]
mod harness;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread;

use futures_util::{StreamExt, future, stream};
use harness::{Folder, Process};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const ROUTES: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  gatewayClassName: portcullis
  listeners: [{name: http, port: 80, protocol: HTTP, hostname: shop.example.com}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls}
spec:
  parentRefs: [{name: shop}]
  rules:
  - matches: [{method: {service: shop.v1.Cart}}]
    backendRefs: [{name: cart, port: 9000}]
  - name: pay
    matches: [{method: {service: shop.v1.Cart, method: Pay}}]
    filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {set: [{name: x-rule, value: pay}]}
    backendRefs: [{name: till, port: 9000}]
  - matches: [{method: {service: shop.v1.Stock}}]
    backendRefs: [{name: missing, port: 9000}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pages}
spec:
  parentRefs: [{name: shop}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
---
";

fn service(name: &str, port: u16, real: u16) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  ports: [{{port: {port}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-local
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports: [{{port: {real}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
---
"
    )
}

/// A backend that says its name and sends every message back, for as long as the tests run.
fn backend(name: &'static str) -> u16 {
    let (told, port) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap().port()).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service_fn(move |request| {
                    future::ready(Ok::<_, Infallible>(echo(name, request)))
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(socket), service));
            }
        });
    });
    port.recv().unwrap()
}

fn echo(name: &'static str, request: Request<Incoming>) -> Response<BoxBody<Bytes, hyper::Error>> {
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    let messages = request.into_body().into_data_stream();
    let messages = messages.map(|data| data.map(Frame::data));
    let end = stream::iter([Ok(Frame::trailers(trailers))]);
    let response = Response::builder()
        .header("content-type", "application/grpc")
        .header("x-backend", name);
    let body = StreamBody::new(messages.chain(end));
    response.body(BodyExt::boxed(body)).unwrap()
}

async fn connect<B>(at: SocketAddr) -> SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let socket = TcpStream::connect(at).await.unwrap();
    let mut client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let client = client.initial_max_send_streams(100);
    let (sender, connection) = client.handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn call<B>(path: &str, body: B) -> Request<B> {
    Request::post(format!("http://shop.example.com{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

fn shop() -> (Process, Folder) {
    let services = [
        service("cart", 9000, backend("cart")),
        service("till", 9000, backend("till")),
        service("web", 80, harness::backend()),
    ];
    let folder = Folder::new(&[
        ("routes.yaml", ROUTES),
        ("services.yaml", &services.concat()),
    ]);
    let process = Process::standalone(&folder.path(), &[]);
    process.until_condition(("GRPCRoute", "calls"), ("Accepted", "True"), &[]);
    process.until_condition(("HTTPRoute", "pages"), ("Accepted", "True"), &[]);
    (process, folder)
}

#[test]
fn calls_follow_their_route_beside_http_on_the_same_host() {
    let (process, _folder) = shop();
    process.until_condition(
        ("GRPCRoute", "calls"),
        ("ResolvedRefs", "False"),
        &["missing"],
    );
    let at = process.port("default/shop", 80);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut sender = connect::<Full<Bytes>>(at).await;
        for (path, backend, status) in [
            ("/shop.v1.Cart/Add", Some("cart"), "0"),
            ("/shop.v1.Cart/Pay", Some("till"), "0"),
            ("/shop.v1.Stock/List", None, "14"),
        ] {
            let answer = sender.send_request(call(path, Full::from("\0\0\0\0\x01x")));
            let (head, body) = answer.await.unwrap().into_parts();
            let header = |name: &str| head.headers.get(name).map(|it| it.to_str().unwrap());
            assert_eq!(header("x-backend"), backend, "{path}");
            assert_eq!(
                header("x-rule"),
                backend.filter(|it| *it == "till").map(|_| "pay")
            );
            let body = body.collect().await.unwrap();
            let said = body.trailers().unwrap_or(&head.headers)["grpc-status"].clone();
            assert_eq!(said, status, "{path}");
        }
        // Of a service that no GRPCRoute names: the HTTPRoute's, whose backend speaks no HTTP/2.
        let page = Request::get("http://shop.example.com/").body(Full::default());
        let page = sender.send_request(page.unwrap()).await.unwrap();
        assert_eq!(page.into_body().collect().await.unwrap().to_bytes(), "ok\n");
    });
}

/// Kilobytes of memory that a process holds.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.unwrap().trim().strip_suffix(" kB");
    kilobytes.unwrap().parse().unwrap()
}

#[test]
fn a_thousand_streams_at_once_are_served_in_bounded_memory() {
    let (process, _folder) = shop();
    let at = process.port("default/shop", 80);
    let before = resident(process.pid());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let piece = Bytes::from(vec![0; 16 << 10]);
        let mut streams = Vec::new();
        for _ in 0..10 {
            let mut sender = connect(at).await;
            for _ in 0..100 {
                let (go_on, told) = oneshot::channel::<()>();
                let first = stream::iter([piece.clone()]);
                let pieces = std::iter::repeat_n(piece.clone(), 10);
                let rest = stream::once(async { drop(told.await) })
                    .flat_map(move |()| stream::iter(pieces.clone()));
                let body = first.chain(rest).map(|data| Ok(Frame::data(data)));
                let body = StreamBody::new(Box::pin(body));
                let answer = sender.send_request(call("/shop.v1.Cart/Watch", body));
                streams.push((go_on, answer.await.unwrap()));
            }
        }
        // All are open.
        let grown = resident(process.pid()).saturating_sub(before);
        assert!(grown < 200 << 10, "grown by {grown} kB");
        let mut answers = Vec::new();
        for (go_on, answer) in streams {
            go_on.send(()).unwrap();
            answers.push(answer.into_body().collect());
        }
        for answer in future::join_all(answers).await {
            let answer = answer.unwrap();
            assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
            assert_eq!(answer.to_bytes().len(), 11 * (16 << 10));
        }
    });
}
