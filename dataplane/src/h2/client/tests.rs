use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

use futures_util::FutureExt;
use http::{HeaderMap, Request, StatusCode};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::sync::oneshot;

use super::*;
use crate::http::message::{ClientEnd, Frame, Length, ResponseHead, Rest, Spelling};
use crate::http::rare::Rares;
use crate::http::refusal::Afterwards;

fn answer(status: StatusCode, length: Length) -> ResponseHead {
    ResponseHead {
        status,
        headers: HeaderMap::new(),
        rares: Rares::default(),
        length,
        spelling: Spelling::default(),
    }
}

/// Reads the request whole; its trailers come last, in words.
async fn read(stream: &mut Stream) -> String {
    let mut text = String::new();
    while let Some(frame) = poll_fn(|cx| stream.poll_frame(cx)).await {
        match frame.unwrap() {
            Frame::Data(data) => text += std::str::from_utf8(&data).unwrap(),
            Frame::Trailers(trailers) => write!(text, "{trailers:?}").unwrap(),
        }
    }
    assert!(stream.request_is_over());
    text
}

async fn send(stream: &mut Stream, data: impl Into<Bytes>, rest: Rest) {
    poll_fn(|cx| stream.poll_ready(cx)).await.unwrap();
    stream.send_data(data.into(), rest);
}

/// A client and the connection that it talks to, once it is served.
async fn pair() -> (
    h2::client::SendRequest<Bytes>,
    impl Future<Output = Result<(), h2::Error>>,
    Connection<DuplexStream>,
) {
    let (ours, theirs) = duplex(1024 * 1024);
    let (connection, client) = tokio::join!(
        Connection::handshake(ours, BytesMut::new()),
        h2::client::handshake(theirs)
    );
    let (sender, driver) = client.unwrap();
    (sender, driver, connection.unwrap())
}

fn post(path: &str) -> Request<()> {
    let uri = format!("http://a.example{path}");
    Request::post(uri).body(()).unwrap()
}

async fn body(mut stream: h2::RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len()).unwrap();
        body.extend_from_slice(&data);
    }
    Ok((body, stream.trailers().await?))
}

#[tokio::test]
async fn bodies_and_trailers_pass_both_ways() {
    let (mut sender, driver, connection) = pair().await;
    let serving = connection.serve(std::future::pending(), |arrived, mut stream| async move {
        assert_eq!(arrived.head.uri, "/x?y");
        assert_eq!(arrived.head.headers["host"], "a.example");
        assert_eq!(arrived.head.length, Length::Open);
        let request = read(&mut stream).await;
        stream.send_interim(answer(StatusCode::EARLY_HINTS, Length::Nothing));
        stream.send_head(answer(StatusCode::OK, Length::Open), Rest::More);
        send(&mut stream, request, Rest::More).await;
        stream.send_trailers(HeaderMap::from_iter([(
            http::header::ETAG,
            "end".parse().unwrap(),
        )]));
    });
    let client = async {
        let (response, mut upload) = sender.send_request(post("/x?y"), false).unwrap();
        upload.send_data("hello ".into(), false).unwrap();
        let trailers = HeaderMap::from_iter([(http::header::ETAG, "1".parse().unwrap())]);
        upload.send_trailers(trailers).unwrap();
        let mut response = response;
        let interim = poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(interim.unwrap().unwrap().status(), StatusCode::EARLY_HINTS);
        let response = response.await.unwrap();
        let (body, trailers) = body(response.into_body()).await.unwrap();
        assert_eq!(body, b"hello {\"etag\": \"1\"}");
        assert_eq!(trailers.unwrap()["etag"], "end");
        drop((upload, sender));
    };
    let (served, _, ()) = tokio::join!(serving, driver, client);
    served.unwrap();
}

#[tokio::test]
async fn an_answer_that_the_client_does_not_read_waits() {
    let (mut sender, driver, connection) = pair().await;
    let sent = Rc::new(RefCell::new(0));
    let counted = &sent;
    let serving = connection.serve(std::future::pending(), |_, mut stream| {
        let sent = Rc::clone(counted);
        async move {
            stream.send_head(answer(StatusCode::OK, Length::Known(1_000_000)), Rest::More);
            for n in 1..=100 {
                let rest = if n == 100 { Rest::Nothing } else { Rest::More };
                send(&mut stream, vec![b'x'; 10_000], rest).await;
                *sent.borrow_mut() += 10_000;
            }
        }
    });
    let client = async {
        let (response, _) = sender.send_request(post("/"), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.headers()["content-length"], "1000000");
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        // The window of a stream, and what is sent without looking for room.
        assert!(*sent.borrow() < 65_535 + 64 * 1024, "{}", sent.borrow());
        let (body, _) = body(response.into_body()).await.unwrap();
        assert_eq!(body.len(), 1_000_000);
        drop(sender);
    };
    let (served, _, ()) = tokio::join!(serving, driver, client);
    served.unwrap();
}

#[tokio::test]
async fn answers_of_one_turn_leave_in_one_write() {
    let (ours, theirs) = duplex(1024 * 1024);
    let (theirs, writes) = Counted::new(theirs);
    let (ours, own_writes) = Counted::new(ours);
    let (connection, client) = tokio::join!(
        Connection::handshake(ours, BytesMut::new()),
        h2::client::handshake(theirs)
    );
    let (mut sender, driver) = client.unwrap();
    let mut driver = pin!(driver);
    let serving = connection
        .unwrap()
        .serve(std::future::pending(), |_, mut stream| async move {
            stream.send_head(answer(StatusCode::OK, Length::Known(1024)), Rest::More);
            stream.send_data(vec![b'x'; 1024].into(), Rest::Nothing);
        });
    let mut serving = pin!(serving);
    // Settings and their acknowledgements.
    for _ in 0..3 {
        assert!(driver.as_mut().now_or_never().is_none());
        assert!(serving.as_mut().now_or_never().is_none());
    }
    let responses: Vec<_> = (0..16)
        .map(|_| sender.send_request(post("/"), true).unwrap().0)
        .collect();
    assert!(driver.as_mut().now_or_never().is_none());
    let before = (*own_writes.borrow(), *writes.borrow());
    assert!(serving.as_mut().now_or_never().is_none());
    assert_eq!(*own_writes.borrow(), before.0 + 1);
    assert!(driver.as_mut().now_or_never().is_none());
    for response in responses {
        let response = response.now_or_never().unwrap().unwrap();
        let body = body(response.into_body()).now_or_never().unwrap();
        assert_eq!(body.unwrap().0.len(), 1024);
    }
}

/// Counts what is written to a stream.
struct Counted(DuplexStream, Rc<RefCell<usize>>);

impl Counted {
    fn new(stream: DuplexStream) -> (Self, Rc<RefCell<usize>>) {
        let writes = Rc::default();
        (Self(stream, Rc::clone(&writes)), writes)
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        *self.1.borrow_mut() += 1;
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_client_that_resets_a_stream_is_noticed() {
    let (mut sender, driver, connection) = pair().await;
    let (seen, noticed) = oneshot::channel();
    let mut seen = Some(seen);
    let serving = connection.serve(std::future::pending(), |_, mut stream| {
        let seen = seen.take().unwrap();
        async move {
            let gone = poll_fn(|cx| stream.poll_gone(cx)).await;
            seen.send(gone.to_string()).unwrap();
        }
    });
    let client = async {
        let (response, mut upload) = sender.send_request(post("/"), false).unwrap();
        tokio::task::yield_now().await;
        upload.send_reset(h2::Reason::CANCEL);
        drop(response);
        assert!(noticed.await.unwrap().contains("no longer needed"));
        drop((upload, sender));
    };
    let (served, _, ()) = tokio::join!(serving, driver, client);
    served.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_a_reset() {
    let (mut sender, driver, connection) = pair().await;
    let serving = connection.serve(std::future::pending(), |_, mut stream| async move {
        stream.send_head(answer(StatusCode::OK, Length::Open), Rest::More);
        send(&mut stream, "x", Rest::More).await;
        // What was sent has left when the next poll comes.
        tokio::task::yield_now().await;
        stream.reset();
    });
    let client = async {
        let (response, _) = sender.send_request(post("/"), true).unwrap();
        let error = match response.await {
            Ok(response) => body(response.into_body()).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
        drop(sender);
    };
    let (served, _, ()) = tokio::join!(serving, driver, client);
    served.unwrap();
}

#[tokio::test]
async fn an_early_answer_leaves_the_rest_of_the_request_unread_without_an_error() {
    let (mut sender, driver, connection) = pair().await;
    let serving = connection.serve(std::future::pending(), |_, mut stream| async move {
        stream.send_head(answer(StatusCode::NOT_FOUND, Length::Known(2)), Rest::More);
        send(&mut stream, "no", Rest::Nothing).await;
    });
    let client = async {
        let (response, mut upload) = sender.send_request(post("/"), false).unwrap();
        let response = response.await.unwrap();
        let reset = poll_fn(|cx| upload.poll_reset(cx)).await.unwrap();
        assert_eq!(reset, h2::Reason::NO_ERROR);
        assert_eq!(body(response.into_body()).await.unwrap().0, b"no");
        drop((upload, sender));
    };
    let (served, _, ()) = tokio::join!(serving, driver, client);
    served.unwrap();
}

#[tokio::test]
async fn who_is_asked_to_leave_is_served_to_the_end() {
    let (mut sender, driver, connection) = pair().await;
    let (leave, leaving) = oneshot::channel::<()>();
    let mut leave = Some(leave);
    let leaving = async { drop(leaving.await) };
    let serving = connection.serve(leaving, |_, mut stream| {
        // Asked for while the request is under way.
        drop(leave.take());
        async move {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            stream.send_head(
                answer(StatusCode::NO_CONTENT, Length::Nothing),
                Rest::Nothing,
            );
        }
    });
    let client = async {
        let (response, _) = sender.send_request(post("/"), true).unwrap();
        assert_eq!(response.await.unwrap().status(), StatusCode::NO_CONTENT);
        let refused = poll_fn(|cx| sender.poll_ready(cx)).await;
        assert!(refused.is_err_and(|error| error.is_go_away()));
    };
    let (served, driven, ()) = tokio::join!(serving, driver, client);
    served.unwrap();
    driven.unwrap();
}

#[tokio::test]
async fn an_exchange_can_ask_its_client_to_leave() {
    let (mut sender, driver, connection) = pair().await;
    let serving = connection.serve(std::future::pending(), |_, mut stream| async move {
        stream.close_after(Afterwards::Leave);
        stream.send_head(
            answer(StatusCode::MISDIRECTED_REQUEST, Length::Known(0)),
            Rest::Nothing,
        );
    });
    let client = async {
        let (response, _) = sender.send_request(post("/"), true).unwrap();
        let status = response.await.unwrap().status();
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
    };
    // The client ends the connection as soon as it hears.
    let (_, driven, ()) = tokio::join!(serving, driver, client);
    driven.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_rests_for_long_is_ended() {
    let (sender, driver, connection) = pair().await;
    let begun = Instant::now();
    let serving = connection.serve(std::future::pending(), |_, _| async {});
    let (served, driven) = tokio::join!(serving, driver);
    served.unwrap();
    driven.unwrap();
    assert!(begun.elapsed() >= limits::CLIENT_H2_IDLE_TIMEOUT);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let (ours, mut theirs) = duplex(1024);
    let shaken = Connection::handshake(ours, BytesMut::from("PRI * HT")).await;
    assert!(shaken.is_err());
    drop(shaken);
    // Our settings are all it has heard.
    let mut heard = Vec::new();
    theirs.read_to_end(&mut heard).await.unwrap();
    assert!(heard.len() < 100);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_may_still_read_what_was_answered() {
    let (mut sender, driver, connection) = pair().await;
    let (leave, leaving) = oneshot::channel::<()>();
    let mut leave = Some(leave);
    let serving = connection.serve(async { drop(leaving.await) }, |_, mut stream| {
        let leave = leave.take();
        async move {
            stream.send_head(answer(StatusCode::OK, Length::Open), Rest::More);
            send(&mut stream, vec![b'x'; 200_000], Rest::Nothing).await;
            drop(leave);
        }
    });
    let client = async {
        let (response, _) = sender.send_request(post("/"), true).unwrap();
        let response = response.await.unwrap();
        sleep(10 * limits::CLIENT_H2_LEAVING_TIMEOUT).await;
        assert_eq!(body(response.into_body()).await.unwrap().0.len(), 200_000);
    };
    let (_, driven, ()) = tokio::join!(serving, driver, client);
    driven.unwrap();
}

#[tokio::test(start_paused = true)]
async fn answers_that_rest_leave_the_connections_window_to_others() {
    let (mut sender, driver, connection) = pair().await;
    let serving = connection.serve(std::future::pending(), |arrived, mut stream| async move {
        stream.send_head(answer(StatusCode::OK, Length::Open), Rest::More);
        send(&mut stream, vec![b'x'; 20_000], Rest::More).await;
        if arrived.head.uri == "/resting" {
            poll_fn(|cx| stream.poll_ready(cx)).await.unwrap();
            std::future::pending::<()>().await;
        }
        send(&mut stream, vec![b'x'; 40_000], Rest::Nothing).await;
    });
    let client = async {
        let mut resting = Vec::new();
        for _ in 0..10 {
            let (response, _) = sender.send_request(post("/resting"), true).unwrap();
            let mut body = response.await.unwrap().into_body();
            let mut left = 20_000;
            while left > 0 {
                let data = body.data().await.unwrap().unwrap();
                left -= data.len();
                body.flow_control().release_capacity(data.len()).unwrap();
            }
            resting.push(body);
        }
        let (response, _) = sender.send_request(post("/"), true).unwrap();
        let body = body(response.await.unwrap().into_body());
        let body = timeout(Duration::from_secs(1), body).await;
        assert_eq!(body.unwrap().unwrap().0.len(), 60_000);
    };
    let mut rest = pin!(async { tokio::join!(serving, driver) });
    tokio::select! {
        () = client => {}
        _ = &mut rest => panic!("the connection ended"),
    }
}
