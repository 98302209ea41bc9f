use std::future::poll_fn;
use std::net::SocketAddr;

use http::{Uri, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::http::message::{Length, Spelling};
use crate::http::rare::Rares;
use crate::stream::socket::Socket;

/// Both ends of a connection: the backend's socket, and ours.
async fn connected() -> (TcpStream, Connection) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (backend, _) = listener.accept().await.unwrap();
    (backend, Connection::new(Duplex::Plain(Socket::new(stream))))
}

fn request(method: Method, length: Length) -> RequestHead {
    RequestHead {
        method,
        uri: Uri::from_static("/"),
        version: Version::HTTP_11,
        headers: HeaderMap::new(),
        rares: Rares::default(),
        length,
        spelling: Spelling::default(),
    }
}

async fn ask(connection: &mut Connection, method: Method) {
    connection.send_head(&request(method, Length::Nothing), Rest::Nothing);
    poll_fn(|cx| connection.poll_flush(cx)).await.unwrap();
}

/// A connection on which a request was sent and `answer` came, with its end if that is wanted.
async fn after(method: Method, answer: &[u8], end: End) -> (TcpStream, Connection) {
    let (mut backend, mut connection) = connected().await;
    ask(&mut connection, method).await;
    backend.write_all(answer).await.unwrap();
    if end == End::Yes {
        backend.shutdown().await.unwrap();
    }
    (backend, connection)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Yes,
    No,
}

async fn head(connection: &mut Connection) -> Result<ResponseHead, BackendError> {
    poll_fn(|cx| connection.poll_head(cx)).await
}

async fn body(connection: &mut Connection) -> Result<String, BackendError> {
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|cx| connection.poll_frame(cx)).await {
        match frame? {
            Frame::Data(data) => body.extend_from_slice(&data),
            Frame::Trailers(_) => body.extend_from_slice(b" and trailers"),
        }
    }
    Ok(String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn answers_are_read_to_their_end_and_the_connection_kept_where_that_is_sure() {
    let cases: &[(Method, &str, End, &str, bool)] = &[
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            End::No,
            "ok",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            End::No,
            "",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            End::No,
            "ok",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\na: b\r\n\r\n",
            End::No,
            "ok and trailers",
            true,
        ),
        (
            Method::HEAD,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            End::No,
            "",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
            End::No,
            "",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            End::No,
            "ok",
            false,
        ),
        (
            Method::GET,
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            End::No,
            "ok",
            false,
        ),
        (
            Method::GET,
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            End::No,
            "ok",
            true,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
            End::No,
            "ok",
            false,
        ),
        (
            Method::GET,
            "HTTP/1.1 204 No Content\r\n\r\nbody",
            End::No,
            "",
            false,
        ),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\n\r\nok",
            End::Yes,
            "ok",
            false,
        ),
    ];
    for (method, answer, end, expected, reused) in cases {
        let (_backend, mut connection) = after(method.clone(), answer.as_bytes(), *end).await;
        head(&mut connection).await.unwrap();
        assert_eq!(
            body(&mut connection).await.unwrap(),
            *expected,
            "{answer:?}"
        );
        assert!(connection.answer_is_over(), "{answer:?}");
        assert_eq!(connection.can_be_reused(), *reused, "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_from_what_ends_early() {
    use BackendError as E;
    type Expected = fn(&E) -> bool;
    let cases: &[(&str, Expected)] = &[
        ("", |error| matches!(error, E::Closed)),
        ("HTTP/1.1 200", |error| matches!(error, E::Protocol(_))),
        ("SSH-2.0\r\n", |error| matches!(error, E::Protocol(_))),
        ("HTTP/1.1 200 OK\n\n", |error| {
            matches!(error, E::Protocol(_))
        }),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            |error| matches!(error, E::Closed),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            |error| matches!(error, E::Closed),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz",
            |error| matches!(error, E::Closed),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
            |error| matches!(error, E::Protocol(_)),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            |error| matches!(error, E::Protocol(_)),
        ),
    ];
    for (answer, expected) in cases {
        let (_backend, mut connection) = after(Method::GET, answer.as_bytes(), End::Yes).await;
        let read = match head(&mut connection).await {
            Ok(_) => body(&mut connection).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let error = read.unwrap_err();
        assert!(expected(&error), "{answer:?}: {error:?}");
        assert!(!connection.can_be_reused());
    }
}

#[tokio::test]
async fn interim_answers_come_one_by_one() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (_backend, mut connection) = after(Method::GET, answer, End::No).await;
    for expected in [100, 103, 200] {
        assert!(!connection.answer_is_over());
        assert_eq!(head(&mut connection).await.unwrap().status, expected);
    }
    assert_eq!(body(&mut connection).await.unwrap(), "ok");
    assert!(connection.can_be_reused());
}

#[tokio::test]
async fn a_request_is_written_as_its_head_says() {
    for (length, expected) in [
        (
            Length::Known(5),
            "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
        ),
        (
            Length::Open,
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        ),
    ] {
        let (mut backend, mut connection) = connected().await;
        connection.send_head(&request(Method::POST, length), Rest::More);
        connection.send_data(Bytes::from_static(b"hel"), Rest::More);
        assert!(!connection.can_be_reused());
        connection.send_data(Bytes::from_static(b"lo"), Rest::Nothing);
        poll_fn(|cx| connection.poll_flush(cx)).await.unwrap();
        let mut text = vec![0; expected.len()];
        backend.read_exact(&mut text).await.unwrap();
        assert_eq!(text, expected.as_bytes());
    }
}

#[tokio::test]
async fn a_connection_rests_as_long_as_nothing_comes() {
    let (mut backend, mut connection) = after(
        Method::GET,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        End::No,
    )
    .await;
    head(&mut connection).await.unwrap();
    assert!(connection.can_be_reused() && connection.is_alive() && connection.look());
    assert_eq!(connection.wire.unread.capacity(), 0);
    backend
        .write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        .await
        .unwrap();
    while connection.look() {
        tokio::task::yield_now().await;
    }
    while connection.is_alive() {
        tokio::task::yield_now().await;
    }

    let (backend, mut connection) = connected().await;
    assert!(connection.is_alive());
    drop(backend);
    while connection.look() {
        tokio::task::yield_now().await;
    }
    while connection.is_alive() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_that_came_before_the_connection_broke_is_read() {
    let (mut backend, mut connection) = connected().await;
    connection.send_head(&request(Method::POST, Length::Open), Rest::More);
    poll_fn(|cx| connection.poll_flush(cx)).await.unwrap();
    backend
        .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        .await
        .unwrap();
    // Closed with unread input: what we send is answered by a reset.
    drop(backend);
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let broken = loop {
        connection.send_data(piece.clone(), Rest::More);
        if let Err(error) = poll_fn(|cx| connection.poll_flush(cx)).await {
            break error;
        }
    };
    assert!(matches!(broken, BackendError::Closed), "{broken:?}");
    // Systems may drop with a reset what they have not handed out; if they did not, it is an answer.
    if let Ok(head) = head(&mut connection).await {
        assert_eq!(head.status, 413);
        assert_eq!(body(&mut connection).await.unwrap(), "no!");
    }
    assert!(!connection.can_be_reused());
}

#[tokio::test]
async fn big_answers_come_in_bounded_pieces() {
    let (mut backend, mut connection) = connected().await;
    ask(&mut connection, Method::GET).await;
    let size = 4_000_000;
    let sending = tokio::spawn(async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        backend.write_all(head.as_bytes()).await.unwrap();
        backend.write_all(&vec![b'x'; size]).await.unwrap();
        backend
    });
    head(&mut connection).await.unwrap();
    let mut read = 0;
    while let Some(frame) = poll_fn(|cx| connection.poll_frame(cx)).await {
        let Frame::Data(data) = frame.unwrap() else {
            panic!("trailers");
        };
        assert!(data.len() <= 64 * 1024);
        read += data.len();
    }
    assert_eq!(read, size);
    assert!(connection.can_be_reused());
    sending.await.unwrap();
}
