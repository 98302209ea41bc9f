use std::net::SocketAddr;

use http::HeaderValue;
use http::header;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::http::message::{Length, Spelling};
use crate::http::rare::Rares;
use crate::stream::socket::Socket;

/// Both ends of a connection: the client's socket, and ours.
async fn connected() -> (TcpStream, Connection) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let stream = Duplex::Plain(Socket::new(stream));
    (client, Connection::new(stream, BytesMut::new()))
}

/// A connection on which `bytes` came, and then its end if that is wanted.
async fn after(bytes: impl AsRef<[u8]>) -> (TcpStream, Connection) {
    let (mut client, connection) = connected().await;
    client.write_all(bytes.as_ref()).await.unwrap();
    (client, connection)
}

async fn head(connection: &mut Connection) -> Result<Option<Arrived>, HeadError> {
    poll_fn(|cx| connection.poll_head(cx)).await
}

async fn uri(connection: &mut Connection) -> String {
    head(connection)
        .await
        .unwrap()
        .unwrap()
        .head
        .uri
        .to_string()
}

async fn body(connection: &mut Connection) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|cx| connection.poll_frame(cx)).await {
        match frame? {
            Frame::Data(data) => body.extend_from_slice(&data),
            Frame::Trailers(_) => body.extend_from_slice(b" and trailers"),
        }
    }
    Ok(body)
}

fn answer(length: Length) -> ResponseHead {
    ResponseHead {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        rares: Rares::default(),
        length,
        spelling: Spelling::default(),
    }
}

async fn flush(connection: &mut Connection) {
    poll_fn(|cx| connection.poll_flush(cx)).await.unwrap();
}

/// Everything that a client gets, after its connection has been closed.
async fn received(mut client: TcpStream, connection: Connection) -> String {
    let mut text = String::new();
    let (read, ()) = tokio::join!(client.read_to_string(&mut text), connection.close());
    read.unwrap();
    text
}

#[tokio::test]
async fn requests_come_one_after_the_other() {
    let (mut client, mut connection) = after(
        "\r\nGET /1 HTTP/1.1\r\nhost: a\r\n\r\nPOST /2 HTTP/1.1\r\nhost: a\r\nContent-Length: 5\r\n\r\n\
         hello\r\n\r\nPOST /3 HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    )
    .await;
    for (target, expected) in [("/1", ""), ("/2", "hello"), ("/3", "abc")] {
        assert_eq!(uri(&mut connection).await, target);
        assert_eq!(body(&mut connection).await.unwrap(), expected.as_bytes());
        assert!(connection.request_is_over());
        connection.send_head(answer(Length::Known(2)), Rest::More);
        connection.send_data(Bytes::from_static(b"ok"), Rest::Nothing);
        flush(&mut connection).await;
        assert!(connection.can_go_on());
        let expected = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok";
        let mut text = vec![0; expected.len()];
        client.read_exact(&mut text).await.unwrap();
        assert_eq!(text, expected.as_bytes());
    }
    drop(client);
    assert!(head(&mut connection).await.unwrap().is_none());
}

#[tokio::test]
async fn a_connection_that_waits_holds_no_buffer() {
    let (mut client, mut connection) = connected().await;
    for _ in 0..2 {
        let pending = poll_fn(|cx| Poll::Ready(connection.poll_head(cx).is_pending())).await;
        assert!(pending && connection.is_idle());
        assert_eq!(connection.wire.unread.capacity(), 0);
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(uri(&mut connection).await, "/");
        connection.send_head(answer(Length::Nothing), Rest::Nothing);
        flush(&mut connection).await;
    }
}

#[tokio::test]
async fn heads_are_refused_as_soon_as_they_can_be() {
    let long = |length: usize| "x".repeat(length);
    let cases = [
        ("bad\r\n\r\n".to_owned(), Refusal::Malformed),
        ("\x16\x03\x01".to_owned(), Refusal::Malformed),
        ("GET / HTTP/1.1\n".to_owned(), Refusal::Malformed),
        (format!("GET /{}", long(17_000)), Refusal::TargetTooLong),
        (
            format!("GET / HTTP/1.1\r\nx: {}", long(90_000)),
            Refusal::HeadersTooLarge,
        ),
        ("GET / HTTP/2.0\r\n\r\n".to_owned(), Refusal::UnknownVersion),
    ];
    for (bytes, expected) in cases {
        let (client, mut connection) = connected().await;
        let (mut reading, mut writing) = client.into_split();
        let send = tokio::spawn(async move {
            let _ = writing.write_all(bytes.as_bytes()).await;
            writing
        });
        match head(&mut connection).await {
            Err(HeadError::Refused(refusal)) => assert_eq!(refusal, expected),
            other => panic!("{other:?}"),
        }
        connection.send_head(answer(Length::Known(2)), Rest::More);
        connection.send_data(Bytes::from_static(b"no"), Rest::Nothing);
        flush(&mut connection).await;
        assert!(!connection.can_go_on());
        let closing = tokio::spawn(connection.close());
        let mut text = String::new();
        reading.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("connection: close\r\n\r\nno"), "{text}");
        drop((reading, send.await));
        closing.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_goes_away_within_something_is_gone() {
    let (client, mut connection) = after("GET / HT").await;
    drop(client);
    assert!(matches!(
        head(&mut connection).await,
        Err(HeadError::Gone(_))
    ));

    let (client, mut connection) =
        after("POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 5\r\n\r\nhel").await;
    head(&mut connection).await.unwrap();
    drop(client);
    assert!(matches!(
        body(&mut connection).await,
        Err(ClientError::Gone(_))
    ));

    let (client, mut connection) = after("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    head(&mut connection).await.unwrap();
    assert!(poll_fn(|cx| Poll::Ready(connection.poll_gone(cx).is_pending())).await);
    drop(client);
    assert!(matches!(
        poll_fn(|cx| connection.poll_gone(cx)).await,
        ClientError::Gone(_)
    ));
}

#[tokio::test]
async fn what_comes_early_is_kept_for_the_next_request() {
    let (mut client, mut connection) = after("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(uri(&mut connection).await, "/1");
    client
        .write_all(b"GET /2 HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    client.shutdown().await.unwrap();
    let waiting = poll_fn(|cx| {
        let gone = connection.poll_gone(cx);
        if connection.is_idle() {
            gone.map(|_| ())
        } else {
            Poll::Ready(())
        }
    });
    waiting.await;
    connection.send_head(answer(Length::Nothing), Rest::Nothing);
    flush(&mut connection).await;
    assert_eq!(uri(&mut connection).await, "/2");
}

#[tokio::test]
async fn a_body_that_is_none_ends_the_connection() {
    let (client, mut connection) =
        after("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n").await;
    head(&mut connection).await.unwrap();
    assert!(matches!(
        body(&mut connection).await,
        Err(ClientError::Malformed("bad chunk size"))
    ));
    connection.send_head(answer(Length::Nothing), Rest::Nothing);
    let text = received(client, connection).await;
    assert!(text.ends_with("connection: close\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn an_early_answer_says_that_the_connection_closes_and_arrives() {
    let request = "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 200000\r\n\r\n".to_owned();
    let (client, mut connection) = connected().await;
    let (mut reading, mut writing) = client.into_split();
    let sending = tokio::spawn(async move {
        let sent = writing
            .write_all((request + &"x".repeat(200_000)).as_bytes())
            .await;
        (sent, writing)
    });
    head(&mut connection).await.unwrap();
    connection.send_head(answer(Length::Nothing), Rest::Nothing);
    flush(&mut connection).await;
    assert!(!connection.can_go_on());
    let closing = tokio::spawn(connection.close());
    let mut text = String::new();
    reading.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("connection: close\r\n\r\n"), "{text}");
    let (sent, writing) = sending.await.unwrap();
    sent.unwrap();
    drop((reading, writing));
    closing.await.unwrap();
}

#[tokio::test]
async fn answers_are_framed_as_the_client_knows_it() {
    let cases = [
        (
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n\
             3\r\none\r\n3\r\ntwo\r\n0\r\nx-sum: 1\r\n\r\n",
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo",
        ),
    ];
    for (request, expected) in cases {
        let (client, mut connection) = after(request).await;
        head(&mut connection).await.unwrap();
        connection.send_head(answer(Length::Open), Rest::More);
        connection.send_data(Bytes::from_static(b"one"), Rest::More);
        connection.send_data(Bytes::new(), Rest::More);
        connection.send_data(Bytes::from_static(b"two"), Rest::More);
        connection.send_trailers(HeaderMap::from_iter([(
            header::HeaderName::from_static("x-sum"),
            HeaderValue::from_static("1"),
        )]));
        assert_eq!(received(client, connection).await, expected);
    }
}

#[tokio::test]
async fn interim_answers_are_for_clients_that_know_them() {
    for (version, expected) in [("1.1", "HTTP/1.1 103 Early Hints\r\n\r\n"), ("1.0", "")] {
        let (client, mut connection) =
            after(format!("GET / HTTP/{version}\r\nhost: a\r\n\r\n")).await;
        head(&mut connection).await.unwrap();
        let mut hints = answer(Length::Nothing);
        hints.status = StatusCode::EARLY_HINTS;
        connection.send_interim(hints);
        connection.send_head(answer(Length::Nothing), Rest::Nothing);
        let text = received(client, connection).await;
        assert!(
            text.starts_with(&format!("{expected}HTTP/1.1 200 OK\r\n")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_does_not_look_whole() {
    for length in [Length::Known(10), Length::Open] {
        for version in ["1.0", "1.1"] {
            let (mut client, mut connection) =
                after(format!("GET / HTTP/{version}\r\nhost: a\r\n\r\n")).await;
            head(&mut connection).await.unwrap();
            connection.send_head(answer(length), Rest::More);
            connection.send_data(Bytes::from_static(b"some"), Rest::More);
            flush(&mut connection).await;
            connection.reset();
            assert!(!connection.can_go_on());
            connection.close().await;
            let mut text = String::new();
            let read = client.read_to_string(&mut text).await;
            let is_until_close = version == "1.0" && length == Length::Open;
            assert!(read.is_err() || !is_until_close, "{text}");
            assert!(!text.ends_with("0\r\n\r\n"), "{text}");
        }
    }
}

#[tokio::test]
async fn an_answer_of_another_length_than_it_says_is_cut_off() {
    for data in ["short", "longer than that"] {
        let (_client, mut connection) = after("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        head(&mut connection).await.unwrap();
        connection.send_head(answer(Length::Known(10)), Rest::More);
        connection.send_data(Bytes::from_static(data.as_bytes()), Rest::Nothing);
        assert!(!connection.can_go_on());
        assert!(poll_fn(|cx| connection.poll_flush(cx)).await.is_err());
    }
}

#[tokio::test]
async fn the_length_of_an_answer_to_head_is_that_of_another() {
    let (client, mut connection) = after("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    head(&mut connection).await.unwrap();
    let mut head = answer(Length::Nothing);
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("10"));
    connection.send_head(head, Rest::Nothing);
    flush(&mut connection).await;
    assert!(connection.can_go_on());
    let expected = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: keep-alive\r\n\r\n";
    assert_eq!(received(client, connection).await, expected);
}

#[tokio::test]
async fn a_tunnel_takes_over_what_was_read_ahead() {
    let request = "GET / HTTP/1.1\r\nhost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nahead";
    let (mut client, mut connection) = after(request).await;
    head(&mut connection).await.unwrap();
    let mut switching = answer(Length::Nothing);
    switching.status = StatusCode::SWITCHING_PROTOCOLS;
    switching
        .headers
        .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    switching
        .headers
        .insert(header::UPGRADE, HeaderValue::from_static("x"));
    connection.send_head(switching, Rest::More);
    flush(&mut connection).await;
    let (_stream, ahead) = connection.into_parts();
    assert_eq!(&*ahead, b"ahead");
    let expected = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let mut text = vec![0; expected.len()];
    client.read_exact(&mut text).await.unwrap();
    assert_eq!(text, expected.as_bytes());
}
