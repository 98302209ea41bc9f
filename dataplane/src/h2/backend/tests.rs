use std::convert::Infallible;
use std::future::poll_fn;

use futures_util::FutureExt;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::*;
use crate::http::message::{BackendEnd, Frame, Length, RequestHead, ResponseHead, Rest, Spelling};
use crate::http::rare::Rares;

#[derive(Debug)]
struct Failure;

impl From<BackendError> for Failure {
    fn from(_: BackendError) -> Self {
        Self
    }
}

type Served = (
    Request<h2::RecvStream>,
    h2::server::SendResponse<bytes::Bytes>,
);

/// A backend to which connections are made with [`Backend::connect`].
#[derive(Clone)]
struct Backend {
    connections: mpsc::Sender<DuplexStream>,
}

impl Backend {
    /// Serves each request with `serve`, and says GOAWAY on each connection when asked to.
    fn new<F>(serve: impl Fn(Served) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (connections, mut incoming) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(stream) = incoming.recv().await {
                let serve = serve.clone();
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok(served)) = connection.accept().await {
                        if served.0.uri().path() == "/goaway" {
                            connection.graceful_shutdown();
                        }
                        tokio::spawn(serve(served));
                    }
                });
            }
        });
        Self { connections }
    }

    async fn connect(&self) -> Result<(DuplexStream, Scheme), Failure> {
        let (ours, theirs) = duplex(1024 * 1024);
        self.connections.send(theirs).await.unwrap();
        Ok((ours, Scheme::HTTP))
    }
}

fn head(method: Method, path: &str, length: Length) -> RequestHead {
    RequestHead {
        method,
        uri: path.parse().unwrap(),
        version: Version::HTTP_11,
        headers: HeaderMap::from_iter([(http::header::HOST, "a.example".parse().unwrap())]),
        rares: Rares::default(),
        length,
        spelling: Spelling::default(),
    }
}

async fn answer_of(stream: &mut Stream) -> Result<ResponseHead, BackendError> {
    poll_fn(|cx| stream.poll_head(cx)).await
}

async fn body_of(stream: &mut Stream) -> Result<(Vec<u8>, Option<Box<HeaderMap>>), BackendError> {
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|cx| stream.poll_frame(cx)).await {
        match frame? {
            Frame::Data(data) => body.extend_from_slice(&data),
            Frame::Trailers(trailers) => return Ok((body, Some(trailers))),
        }
    }
    assert!(stream.answer_is_over());
    Ok((body, None))
}

async fn ok((_, mut respond): Served) {
    respond.send_response(Response::new(()), true).unwrap();
}

async fn get(stream: &mut Stream, path: &str) -> Result<StatusCode, BackendError> {
    stream.send_head(&head(Method::GET, path, Length::Nothing), Rest::Nothing);
    answer_of(stream).await.map(|head| head.status)
}

#[tokio::test]
async fn bodies_and_trailers_pass_both_ways() {
    let backend = Backend::new(|(request, mut respond): Served| async move {
        assert_eq!(request.uri(), "http://a.example/x?y");
        assert!(!request.headers().contains_key("host"));
        let mut body = request.into_body();
        let data = body.data().await.unwrap().unwrap();
        let trailers = body.trailers().await.unwrap().unwrap();
        let hints = Response::builder().status(StatusCode::EARLY_HINTS);
        respond.send_informational(hints.body(()).unwrap()).unwrap();
        let mut answer = respond.send_response(Response::new(()), false).unwrap();
        answer.send_data(data, false).unwrap();
        answer.send_trailers(trailers).unwrap();
    });
    let sessions = Sessions::default();
    let mut stream = sessions.connect_over(1, backend.connect()).await.unwrap();
    stream.send_head(&head(Method::POST, "/x?y", Length::Open), Rest::More);
    poll_fn(|cx| stream.poll_ready(cx)).await.unwrap();
    stream.send_data("hello".into(), Rest::More);
    let trailers = [(http::header::ETAG, "end".parse().unwrap())];
    stream.send_trailers(HeaderMap::from_iter(trailers));
    let hints = answer_of(&mut stream).await.unwrap();
    assert_eq!(hints.status, StatusCode::EARLY_HINTS);
    let head = answer_of(&mut stream).await.unwrap();
    assert_eq!((head.status, head.length), (StatusCode::OK, Length::Open));
    let (body, trailers) = body_of(&mut stream).await.unwrap();
    assert_eq!(body, b"hello");
    assert_eq!(trailers.unwrap()["etag"], "end");
}

#[tokio::test]
async fn requests_share_a_connection_while_it_has_room() {
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let held = release.clone();
    let backend = Backend::new(move |served| {
        let mut held = held.subscribe();
        async move {
            let _ = held.recv().await;
            ok(served).await;
        }
    });
    let sessions = Sessions::default();
    let mut streams = Vec::new();
    let mut connections = 0;
    for _ in 0..=limits::BACKEND_H2_STREAMS {
        let open = sessions.open(&1);
        let mut stream = if let Some(stream) = open {
            stream
        } else {
            connections += 1;
            sessions.connect_over(1, backend.connect()).await.unwrap()
        };
        stream.send_head(&head(Method::GET, "/", Length::Nothing), Rest::Nothing);
        streams.push(stream);
    }
    assert_eq!(connections, 2);
    assert!(sessions.open(&2).is_none());
    drop(streams);
    assert!(sessions.open(&1).is_some(), "dropped streams leave room");
}

#[tokio::test]
async fn who_comes_while_a_connection_is_made_waits_for_it() {
    let backend = Backend::new(ok);
    let sessions = Sessions::default();
    let (go, gate) = oneshot::channel::<()>();
    let first = sessions.connect_over(1, async {
        gate.await.unwrap();
        backend.connect().await
    });
    let others = (0..50).map(|_| {
        let sessions = &sessions;
        async move {
            let none = async { panic!("one connection is enough") };
            let none = none.map(|never: Infallible| match never {});
            let stream = sessions
                .connect_over::<DuplexStream, Failure>(1, none)
                .await;
            get(&mut stream.unwrap(), "/").await.unwrap()
        }
    });
    let (first, others, ()) = tokio::join!(first, futures_util::future::join_all(others), async {
        go.send(()).unwrap();
    });
    assert_eq!(get(&mut first.unwrap(), "/").await.unwrap(), StatusCode::OK);
    assert!(others.iter().all(|status| *status == StatusCode::OK));
}

#[tokio::test]
async fn who_waits_goes_on_alone_when_the_other_gives_up_or_fails() {
    let backend = Backend::new(ok);
    let sessions = Sessions::default();
    let never = std::future::pending::<Result<(DuplexStream, Scheme), Failure>>();
    let mut first = Box::pin(sessions.connect_over(1, never));
    assert!((&mut first).now_or_never().is_none());
    let mut second = Box::pin(sessions.connect_over(1, backend.connect()));
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    assert_eq!(
        get(&mut second.await.unwrap(), "/").await.unwrap(),
        StatusCode::OK
    );

    let (fail, failing) = oneshot::channel::<()>();
    let first = sessions.connect_over::<DuplexStream, _>(2, async {
        failing.await.unwrap();
        Err(Failure)
    });
    let second = sessions.connect_over(2, backend.connect());
    let (first, second, ()) = tokio::join!(first, second, async { fail.send(()).unwrap() });
    assert!(first.is_err());
    assert_eq!(
        get(&mut second.unwrap(), "/").await.unwrap(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn requests_that_were_not_processed_are_told_apart() {
    let backend = Backend::new(|(request, mut respond): Served| async move {
        match request.uri().path() {
            "/refused" => respond.send_reset(h2::Reason::REFUSED_STREAM),
            "/cancel" => respond.send_reset(h2::Reason::CANCEL),
            _ => ok((request, respond)).await,
        }
    });
    let sessions = Sessions::default();
    let mut stream = sessions.connect_over(1, backend.connect()).await.unwrap();
    let refused = get(&mut stream, "/refused").await;
    assert!(
        matches!(refused, Err(BackendError::Unprocessed)),
        "{refused:?}"
    );
    let cancelled = get(&mut sessions.open(&1).unwrap(), "/cancel").await;
    assert!(
        matches!(cancelled, Err(BackendError::Reset(h2::Reason::CANCEL))),
        "{cancelled:?}"
    );
}

#[tokio::test]
async fn no_stream_is_opened_after_goaway_and_those_under_way_end() {
    let backend = Backend::new(ok);
    let sessions = Sessions::default();
    let mut stream = sessions.connect_over(1, backend.connect()).await.unwrap();
    let mut late = sessions.open(&1).unwrap();
    assert_eq!(get(&mut stream, "/goaway").await.unwrap(), StatusCode::OK);
    assert!(sessions.open(&1).is_none());
    let unprocessed = get(&mut late, "/").await;
    assert!(
        matches!(unprocessed, Err(BackendError::Unprocessed)),
        "{unprocessed:?}"
    );
}

#[tokio::test]
async fn a_connection_that_is_distrusted_or_closed_takes_no_further_streams() {
    let backend = Backend::new(|(request, respond): Served| async move {
        if request.uri().path() == "/never" {
            std::future::pending::<()>().await;
        }
        ok((request, respond)).await;
    });
    let sessions = Sessions::default();
    let mut stream = sessions.connect_over(1, backend.connect()).await.unwrap();
    stream.send_head(&head(Method::GET, "/never", Length::Nothing), Rest::Nothing);
    assert!(answer_of(&mut stream).now_or_never().is_none());
    stream.distrust();
    assert!(sessions.open(&1).is_none());
}

#[tokio::test]
async fn an_end_within_an_answer_is_told_from_a_whole_one() {
    let (ours, theirs) = duplex(1024 * 1024);
    let (done, cut) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut connection = h2::server::handshake(theirs).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut answer = respond.send_response(Response::new(()), false).unwrap();
        answer.send_data("half".into(), false).unwrap();
        tokio::select! { _ = connection.accept() => {}, _ = cut => {} }
    });
    let sessions = Sessions::default();
    let connect = async { Ok::<_, Failure>((ours, Scheme::HTTP)) };
    let mut stream = sessions.connect_over(1, connect).await.unwrap();
    assert_eq!(get(&mut stream, "/").await.unwrap(), StatusCode::OK);
    let first = poll_fn(|cx| stream.poll_frame(cx)).await.unwrap().unwrap();
    assert!(matches!(first, Frame::Data(data) if data == "half"));
    done.send(()).unwrap();
    let rest = body_of(&mut stream).await;
    assert!(matches!(rest, Err(BackendError::Closed)), "{rest:?}");
    assert!(sessions.open(&1).is_none());
}

#[tokio::test]
async fn an_early_answer_is_read_though_the_backend_takes_no_more_of_the_request() {
    let backend = Backend::new(|(request, mut respond): Served| async move {
        let mut answer = respond.send_response(Response::new(()), false).unwrap();
        answer.send_data("enough".into(), true).unwrap();
        drop(request);
    });
    let sessions = Sessions::default();
    let mut stream = sessions.connect_over(1, backend.connect()).await.unwrap();
    stream.send_head(&head(Method::POST, "/", Length::Open), Rest::More);
    let head = answer_of(&mut stream).await.unwrap();
    assert_eq!(head.status, StatusCode::OK);
    for _ in 0..100 {
        if poll_fn(|cx| std::task::Poll::Ready(stream.poll_ready(cx)))
            .await
            .is_ready()
        {
            stream.send_data(vec![b'x'; 10_000].into(), Rest::More);
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(body_of(&mut stream).await.unwrap().0, b"enough");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_rests_for_long_is_closed() {
    let (ours, theirs) = duplex(1024 * 1024);
    let sessions = Sessions::default();
    let begun = Instant::now();
    let connect = async { Ok::<_, Failure>((ours, Scheme::HTTP)) };
    let stream = sessions.connect_over(1, connect).await.unwrap();
    drop(stream);
    let mut connection = h2::server::handshake(theirs).await.unwrap();
    assert!(connection.accept().await.is_none());
    assert!(begun.elapsed() >= limits::BACKEND_KEEP_ALIVE);
    assert!(sessions.open(&1).is_none());
    assert!(sessions.0.lock().is_empty(), "nothing is left of it");
}
