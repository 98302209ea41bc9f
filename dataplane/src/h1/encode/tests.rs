use http::{Uri, Version};
use proptest::prelude::*;

use super::*;
use crate::h1::framing::Framing;
use crate::h1::head;
use crate::http::message::Spelling;
use crate::http::rare::Rares;

type Fields<'a> = &'a [(&'static str, &'static str)];

fn headers(fields: Fields<'_>) -> HeaderMap {
    (fields.iter())
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn request_head(method: Method, length: Length, fields: Fields<'_>) -> RequestHead {
    RequestHead {
        method,
        uri: Uri::from_static("/x?y"),
        version: Version::HTTP_2,
        headers: headers(fields),
        rares: Rares::default(),
        length,
        spelling: Spelling::default(),
    }
}

fn response_head(status: u16, length: Length, fields: Fields<'_>) -> ResponseHead {
    ResponseHead {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers(fields),
        rares: Rares::default(),
        length,
        spelling: Spelling::default(),
    }
}

#[test]
fn requests_say_where_their_body_ends() {
    use Length::{Known, Nothing, Open};
    type Case<'a> = (Method, Length, Rest, Fields<'a>, &'a str, Sending);
    let cases: &[Case<'_>] = &[
        (
            Method::GET,
            Nothing,
            Rest::Nothing,
            &[("host", "a")],
            "host: a\r\n",
            Sending::Length(0),
        ),
        (
            Method::POST,
            Nothing,
            Rest::Nothing,
            &[],
            "content-length: 0\r\n",
            Sending::Length(0),
        ),
        (
            Method::POST,
            Known(3),
            Rest::More,
            &[("content-length", "3")],
            "content-length: 3\r\n",
            Sending::Length(3),
        ),
        (
            Method::POST,
            Known(3),
            Rest::More,
            &[],
            "content-length: 3\r\n",
            Sending::Length(3),
        ),
        (
            Method::GET,
            Known(0),
            Rest::Nothing,
            &[("content-length", "0")],
            "content-length: 0\r\n",
            Sending::Length(0),
        ),
        (
            Method::POST,
            Open,
            Rest::More,
            &[
                ("transfer-encoding", "gzip"),
                ("content-length", "3"),
                ("a", "b"),
            ],
            "a: b\r\ntransfer-encoding: chunked\r\n",
            Sending::Chunked,
        ),
        (
            Method::POST,
            Open,
            Rest::Nothing,
            &[],
            "content-length: 0\r\n",
            Sending::Length(0),
        ),
        (
            Method::GET,
            Nothing,
            Rest::Nothing,
            &[("connection", "upgrade"), ("upgrade", "x")],
            "connection: upgrade\r\nupgrade: x\r\n",
            Sending::Length(0),
        ),
    ];
    for (method, length, rest, fields, expected, sending) in cases {
        let head = request_head(method.clone(), *length, fields);
        let mut text = Vec::new();
        let seen = request(&mut text, &head, *rest);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, format!("{method} /x?y HTTP/1.1\r\n{expected}\r\n"));
        assert_eq!(seen, *sending, "{text}");
    }
}

#[test]
fn a_length_that_somebody_made_up_is_not_written() {
    let made_up = [("content-length", "5"), ("content-length", "3")];
    for (length, expected) in [
        (Length::Nothing, ""),
        (Length::Known(3), "content-length: 3\r\n"),
        (Length::Known(7), "content-length: 7\r\n"),
        (Length::Open, "transfer-encoding: chunked\r\n"),
    ] {
        let mut text = Vec::new();
        let head = request_head(Method::GET, length, &made_up);
        request(&mut text, &head, Rest::More);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, format!("GET /x?y HTTP/1.1\r\n{expected}\r\n"));
    }
}

#[test]
fn an_asterisk_is_a_target() {
    let mut head = request_head(Method::OPTIONS, Length::Nothing, &[]);
    head.uri = Uri::from_static("*");
    let mut text = Vec::new();
    request(&mut text, &head, Rest::Nothing);
    assert_eq!(text, b"OPTIONS * HTTP/1.1\r\n\r\n");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn answers_say_where_their_body_ends_and_what_becomes_of_the_connection() {
    use Length::{Known, Nothing, Open};
    use Receiver::{Http10, Http11};
    type Case<'a> = (
        u16,
        Length,
        Rest,
        &'a Method,
        Receiver,
        Fields<'a>,
        String,
        Sending,
    );
    let (get, head) = (Method::GET, Method::HEAD);
    let keep = "connection: keep-alive\r\n";
    let close = "connection: close\r\n";
    let cl = ("content-length", "3");
    let cases: &[Case<'_>] = &[
        (
            200,
            Known(3),
            Rest::More,
            &get,
            Http11,
            &[cl],
            format!("200 OK\r\ncontent-length: 3\r\n{keep}"),
            Sending::Length(3),
        ),
        (
            200,
            Known(3),
            Rest::More,
            &get,
            Http11,
            &[("date", "then")],
            format!("200 OK\r\ndate: then\r\ncontent-length: 3\r\n{keep}"),
            Sending::Length(3),
        ),
        (
            200,
            Known(3),
            Rest::More,
            &get,
            Http10,
            &[cl],
            format!("200 OK\r\ncontent-length: 3\r\n{keep}"),
            Sending::Length(3),
        ),
        (
            200,
            Open,
            Rest::More,
            &get,
            Http11,
            &[],
            format!("200 OK\r\ntransfer-encoding: chunked\r\n{keep}"),
            Sending::Chunked,
        ),
        (
            200,
            Open,
            Rest::More,
            &get,
            Http10,
            &[],
            format!("200 OK\r\n{close}"),
            Sending::UntilClose,
        ),
        (
            200,
            Open,
            Rest::Nothing,
            &get,
            Http11,
            &[],
            format!("200 OK\r\ncontent-length: 0\r\n{keep}"),
            Sending::Length(0),
        ),
        (
            404,
            Nothing,
            Rest::Nothing,
            &get,
            Http11,
            &[],
            format!("404 Not Found\r\ncontent-length: 0\r\n{keep}"),
            Sending::Length(0),
        ),
        (
            200,
            Nothing,
            Rest::Nothing,
            &head,
            Http11,
            &[cl],
            format!("200 OK\r\ncontent-length: 3\r\n{keep}"),
            Sending::Length(0),
        ),
        (
            200,
            Known(3),
            Rest::More,
            &head,
            Http11,
            &[],
            format!("200 OK\r\n{keep}"),
            Sending::Length(0),
        ),
        (
            304,
            Nothing,
            Rest::Nothing,
            &get,
            Http11,
            &[cl],
            format!("304 Not Modified\r\ncontent-length: 3\r\n{keep}"),
            Sending::Length(0),
        ),
        (
            204,
            Nothing,
            Rest::Nothing,
            &get,
            Http11,
            &[cl],
            format!("204 No Content\r\n{keep}"),
            Sending::Length(0),
        ),
        (
            101,
            Nothing,
            Rest::More,
            &get,
            Http11,
            &[("connection", "upgrade"), ("upgrade", "x")],
            "101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n".to_owned(),
            Sending::Length(0),
        ),
        (
            599,
            Known(0),
            Rest::Nothing,
            &get,
            Http11,
            &[("connection", "x")],
            format!("599 \r\ncontent-length: 0\r\n{keep}"),
            Sending::Length(0),
        ),
    ];
    for (status, length, rest, method, receiver, fields, expected, sending) in cases {
        let answer = Answering {
            method,
            receiver: *receiver,
            persistence: After::KeepAlive,
        };
        let mut text = Vec::new();
        let seen = response(
            &mut text,
            &response_head(*status, *length, fields),
            answer,
            *rest,
        );
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, format!("HTTP/1.1 {expected}\r\n"));
        assert_eq!(seen, *sending, "{text}");
    }
}

#[test]
fn names_are_spelled_as_they_came() {
    let raw = Bytes::from_static(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Two: 2\r\nX-One: 1\r\nX-TWO: 3\r\n\r\n",
    );
    let mut head = head::request(&raw).unwrap().arrived.head;
    head.headers.remove("x-one");
    head.headers
        .insert("x-three", HeaderValue::from_static("3"));
    head.headers.insert("host", HeaderValue::from_static("b"));
    let mut text = Vec::new();
    request(&mut text, &head, Rest::Nothing);
    let text = String::from_utf8(text).unwrap();
    let expected = "GET / HTTP/1.1\r\nHost: b\r\nX-Two: 2\r\nX-TWO: 3\r\nx-three: 3\r\n\r\n";
    assert_eq!(text, expected);
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = "[A-Za-z][A-Za-z0-9-]{0,12}".prop_filter("framing is looked at elsewhere", |name| {
        let name = name.to_lowercase();
        ![
            "content-length",
            "transfer-encoding",
            "connection",
            "host",
            "date",
        ]
        .contains(&&*name)
    });
    let value = "([!-~]([ -~]{0,20}[!-~])?)?";
    proptest::collection::vec((name, value), 0..12)
}

proptest! {
    #[test]
    fn a_request_that_is_written_is_read_as_the_same(fields in fields(), length in proptest::option::of(0_u64..1000)) {
        let mut raw = "POST /a?b HTTP/1.1\r\nhost: a\r\n".to_owned();
        for (name, value) in &fields {
            raw.extend([name, ": ", value, "\r\n"]);
        }
        let framing = length.map_or("Transfer-Encoding: chunked".to_owned(), |length| {
            format!("Content-Length: {length}")
        });
        raw.extend([&framing, "\r\n\r\n"]);
        let raw = Bytes::from(raw);
        let first = head::request(&raw).unwrap();
        prop_assert_eq!(first.arrived.refusal, None);
        let mut text = Vec::new();
        request(&mut text, &first.arrived.head, Rest::More);
        let second = head::request(&Bytes::from(text.clone())).unwrap();
        prop_assert_eq!(first.framing, second.framing);
        prop_assert_eq!(&first.arrived.head.headers, &second.arrived.head.headers);
        prop_assert_eq!(&first.arrived.head.uri, &second.arrived.head.uri);
        // Byte by byte the same lines, but for the order among fields of different names.
        let sorted = |text: &[u8]| {
            let mut lines: Vec<_> = text.split(|&b| b == b'\n').map(<[u8]>::to_ascii_lowercase).collect();
            lines.sort();
            lines
        };
        let raw = String::from_utf8(raw.to_vec()).unwrap().replace(":  ", ": ");
        prop_assert_eq!(sorted(raw.as_bytes()), sorted(&text));
    }

    #[test]
    fn an_answer_that_is_written_is_read_as_the_same(fields in fields(), status in 200_u16..600) {
        let mut raw = format!("HTTP/1.1 {status} x\r\nContent-Length: 5\r\n");
        for (name, value) in &fields {
            raw.extend([name, ": ", value, "\r\n"]);
        }
        let first = head::response(&Bytes::from(raw + "\r\n"), &Method::GET).unwrap();
        let mut text = Vec::new();
        let answer = Answering { method: &Method::GET, receiver: Receiver::Http11, persistence: After::KeepAlive };
        response(&mut text, &first.head, answer, Rest::More);
        let mut second = head::response(&Bytes::from(text), &Method::GET).unwrap();
        second.head.headers.remove("connection");
        if status == 204 {
            prop_assert_eq!(second.framing, Framing::Length(0));
        } else {
            prop_assert_eq!(first.framing, second.framing);
            prop_assert_eq!(first.head.headers, second.head.headers);
        }
    }
}
