//! Calls that the gateway answers itself.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use portcullis_ir::BackendProtocol;
use portcullis_ir::backend::BackendTarget;
use tokio::net::TcpStream;
use tonic::{Code, Request};

use super::backend::serving;
use super::client::Caller;
use super::{calls, to_backend};
use crate::backend::{always, custom, refusing};
use crate::http2::http2;
use crate::snapshot::{Plane, rule_to, scene, to};

#[tokio::test]
async fn the_status_says_why_no_backend_answered() {
    let gone = refusing().await;
    let old = always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let silent = custom(|socket, _| async move { drop(socket) }).await;
    let web = || scene().http("web", 80, "");
    let backend = |at| calls(web().backend("a", BackendProtocol::H2c, at), None, to("a"));
    let invalid = BackendTarget::Invalid {
        reason: "secret".to_owned(),
    };
    for (scene, code, message) in [
        (
            calls(web(), Some("other.Service"), to("a")),
            Code::Unimplemented,
            "no route",
        ),
        (
            calls(web(), None, rule_to(invalid)),
            Code::Unavailable,
            "invalid backend",
        ),
        (backend(&[]), Code::Unavailable, "no endpoints"),
        (
            backend(&[gone]),
            Code::Unavailable,
            "cannot connect to backend",
        ),
        (backend(&[old.at]), Code::Unavailable, ""),
        (backend(&[silent.at]), Code::Unavailable, ""),
    ] {
        let plane = Plane::serving(&scene).await;
        let caller = Caller::open(plane.at(80)).await;
        let error = caller.unary("Echo", "hello").await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.message().starts_with(message), "{error:?}");
        // The connection goes on.
        let again = caller.unary("Echo", "hello").await.unwrap_err();
        assert_eq!(again.code(), code, "{again:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_one_frame_with_the_status_in_it() {
    let scene = calls(scene().http("web", 80, ""), Some("a.B"), to("a"));
    let plane = Plane::serving(&scene).await;
    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let (mut sender, _connection) = http2(stream).await;
    let request = |content: &str| {
        let request = hyper::Request::post("http://a.example/c.D/E");
        let request = request.header("content-type", content);
        request.body(Full::from("")).unwrap()
    };
    let call = request("application/grpc+proto");
    let response = sender.send_request(call).await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-type"), "application/grpc");
    assert_eq!(header("grpc-status"), "12");
    assert_eq!(header("grpc-message"), "no route");
    assert!(hyper::body::Body::is_end_stream(response.body()));

    // What is no call is answered as ever.
    let response = sender.send_request(request("text/plain")).await.unwrap();
    assert_eq!(response.status(), 404);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, Bytes::from_static(b"no route\n"));
}

#[tokio::test]
async fn a_client_deadline_ends_a_call_that_no_backend_answers() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    let mut request = Request::new(stream::pending());
    request.set_timeout(Duration::from_millis(50));
    let error = caller.call_with("Hang", request).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error:?}");
    backend.seen.open(0).await;
    // The connection could be one that hangs: the next call does not go over it.
    caller.unary("Echo", "hello").await.unwrap();
    assert_eq!(backend.server.connections(), 2);
}

#[tokio::test]
async fn a_client_deadline_ends_an_answer_that_has_begun() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    let sent = stream::iter([Bytes::from_static(b"one")]).chain(stream::pending());
    let mut request = Request::new(sent);
    request.set_timeout(Duration::from_secs(1));
    let mut echoed = (caller.call_with("Echo", request).await.unwrap()).into_inner();
    assert_eq!(echoed.message().await.unwrap().unwrap(), "one");
    assert!(echoed.message().await.is_err());
    backend.seen.open(0).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_with_a_status() {
    let backend = serving(usize::MAX).await;
    let at = backend.server.at;
    // Passes on what comes, until it is told to stop.
    let (stop, _) = tokio::sync::broadcast::channel::<()>(1);
    let told = stop.clone();
    let between = custom(move |mut client, _| {
        let mut told = told.subscribe();
        async move {
            let mut server = TcpStream::connect(at).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                _ = told.recv() => {}
            }
        }
    })
    .await;
    let plane = Plane::serving(&to_backend(&[between.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    let answers = caller.call("Break", stream::pending()).await.unwrap();
    let mut answers = answers.into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap(), "fine");
    stop.send(()).unwrap();
    let error = answers.message().await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error:?}");
}
