//! Calls that go through.

use futures_util::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tonic::codegen::Bytes;
use tonic::{Code, Request};

use super::backend::serving;
use super::client::Caller;
use super::to_backend;
use crate::snapshot::Plane;

/// Messages as they are sent into the channel.
fn channel() -> (
    mpsc::Sender<Bytes>,
    impl futures_util::Stream<Item = Bytes> + Send + 'static,
) {
    let (sender, receiver) = mpsc::channel(16);
    let messages = stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    (sender, messages)
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn every_kind_of_call_goes_through() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;

    let unary = caller.unary("Echo", "hello").await.unwrap();
    assert_eq!(unary.get_ref(), "hello");
    assert_eq!(unary.metadata().get("x-method").unwrap(), "Echo");

    let sent = stream::iter([text("ab"), text("cde")]);
    let counted = caller.call("Count", sent).await.unwrap().into_inner();
    let counted: Vec<_> = counted.map(Result::unwrap).collect().await;
    assert_eq!(counted, ["5"]);

    let sent = stream::iter([text("300")]);
    let repeated = caller.call("Repeat", sent).await.unwrap().into_inner();
    let lengths = repeated.map(|message| message.unwrap().len());
    assert_eq!(lengths.collect::<Vec<_>>().await, vec![16 << 10; 300]);
}

#[tokio::test]
async fn messages_pass_both_ways_before_either_side_is_done() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    for method in ["Echo", "Late"] {
        let (sender, messages) = channel();
        sender.try_send(text("one")).unwrap();
        let mut echoed = caller.call(method, messages).await.unwrap().into_inner();
        for next in ["two", "three", "four"] {
            assert!(echoed.message().await.unwrap().is_some());
            sender.try_send(text(next)).unwrap();
        }
        assert_eq!(echoed.message().await.unwrap().unwrap(), "four");
        drop(sender);
        assert_eq!(echoed.message().await.unwrap(), None);
        let trailers = echoed.trailers().await.unwrap();
        assert!(trailers.is_some(), "{method}");
    }
}

#[tokio::test]
async fn metadata_passes_both_ways() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    let mut request = Request::new(stream::iter([text("x")]));
    let asked = "a, b".parse().unwrap();
    request.metadata_mut().insert("x-asked", asked);
    let response = caller.call_with("Echo", request).await.unwrap();
    assert_eq!(response.metadata().get("x-asked").unwrap(), "a, b");

    let error = caller.unary("Fail", "x").await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(error.message(), "not today: 100%");
    let detail = error.metadata().get_bin("detail-bin").unwrap();
    assert_eq!(detail.to_bytes().unwrap().as_ref(), b"\x00\xff");
}

#[tokio::test]
async fn an_error_in_the_trailers_follows_the_messages() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    let answers = caller.call("FailLate", stream::pending()).await.unwrap();
    let mut answers = answers.into_inner();
    for _ in 0..2 {
        assert_eq!(answers.message().await.unwrap().unwrap(), "fine");
    }
    let error = answers.message().await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Aborted, "enough"));
}

#[tokio::test]
async fn large_messages_pass_both_ways() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    let message = Bytes::from(vec![7; 16 << 20]);
    let echoed = caller.unary("Echo", message.clone()).await.unwrap();
    assert!(*echoed.get_ref() == message);
}

/// Tonic has no way to cancel a call whose messages go on; a body that fails resets the stream.
#[tokio::test]
async fn a_client_that_goes_away_ends_the_call_at_the_backend() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    // Before the answer begins, and while it goes on.
    for method in ["Hang", "Echo"] {
        let socket = TcpStream::connect(plane.at(80)).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
        let (mut sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        let (cancel, cancelled) = oneshot::channel::<()>();
        let message = Ok(Frame::data(Bytes::from_static(b"\0\0\0\0\x01x")));
        let failing = stream::once(async {
            let _ = cancelled.await;
            Err(std::io::Error::other("cancelled"))
        });
        let body = StreamBody::new(Box::pin(stream::iter([message]).chain(failing)));
        let request = hyper::Request::post(format!("http://a.example/test.Behaviour/{method}"));
        let request = request.header("content-type", "application/grpc");
        let answer = sender.send_request(request.body(body).unwrap());
        let answer = tokio::spawn(answer);
        backend.seen.open(1).await;
        cancel.send(()).unwrap();
        backend.seen.open(0).await;
        answer.abort();
    }
}

#[tokio::test]
async fn connections_that_backends_shut_down_gracefully_lose_no_call() {
    let backend = serving(7).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    for round in 0..20 {
        let calls = (0..10).map(|_| caller.unary("Echo", "hello"));
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.unwrap().get_ref(), "hello", "round {round}");
        }
    }
    assert!(backend.server.connections() > 3);
}
