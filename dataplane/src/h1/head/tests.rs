use proptest::prelude::*;

use super::*;
use crate::h1::scan::HeadScan;
use crate::http::rare::Rare;

fn read(head: &str) -> Result<Request, Refusal> {
    request(&Bytes::copy_from_slice(head.as_bytes()))
}

/// Why a head is refused, whether it is read as a request or not.
fn refusal(head: &[u8]) -> Option<Refusal> {
    match HeadScan::default().find(head) {
        Err(_) => Some(Refusal::Malformed),
        Ok(end) => {
            assert_eq!(end, Some(head.len()), "{}", String::from_utf8_lossy(head));
            let read = request(&Bytes::copy_from_slice(head));
            read.map_or_else(Some, |read| read.arrived.refusal)
        }
    }
}

#[test]
fn a_request_is_what_its_head_says() {
    let read = read(
        "POST /a?b HTTP/1.1\r\nHost: a.example:80\r\nX-Up: \t b c \r\nContent-Length: 3\r\n\
         x-up:d\r\nConnection: close\r\nempty:\r\n\r\n",
    )
    .unwrap();
    let RequestHead {
        method,
        uri,
        version,
        headers,
        rares,
        length,
        spelling,
    } = read.arrived.head;
    assert_eq!(read.arrived.refusal, None);
    assert_eq!((method, version), (Method::POST, Version::HTTP_11));
    assert_eq!(rares, Rares::of(&headers));
    assert!(rares.has(Rare::Connection));
    assert_eq!(uri, "/a?b");
    assert_eq!(
        (length, read.framing),
        (Length::Known(3), Framing::Length(3))
    );
    assert_eq!(read.persistence, After::Close);
    let up: Vec<_> = headers.get_all("x-up").iter().collect();
    assert_eq!(up, ["b c", "d"]);
    assert_eq!(headers["host"], "a.example:80");
    assert_eq!(headers["empty"], "");
    assert!(spelling.0.starts_with(b"Host: a.example:80\r\nX-Up:"));
}

#[test]
fn a_coding_is_no_field() {
    let read = read("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").unwrap();
    assert!(
        !read
            .arrived
            .head
            .headers
            .contains_key(header::TRANSFER_ENCODING)
    );
    assert_eq!(read.arrived.head.length, Length::Open);
    assert_eq!(
        (read.framing, read.persistence),
        (Framing::Chunked, After::KeepAlive)
    );
}

#[test]
fn the_host_of_an_absolute_target_counts() {
    for host in ["", "Host: A.example\r\n"] {
        let read = read(&format!("GET http://a.example/x HTTP/1.1\r\n{host}\r\n")).unwrap();
        assert_eq!(read.arrived.refusal, None);
        assert_eq!(read.arrived.head.uri, "/x");
        assert_eq!(read.arrived.head.headers["host"], "a.example");
    }
}

/// Ways in which one request was hidden in another, or one host behind another, somewhere.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn heads_that_not_all_read_alike_are_refused() {
    use Refusal as R;
    let cases: &[(&str, Refusal)] = &[
        // Line ends.
        ("GET / HTTP/1.1\nHost: a\n\n", R::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", R::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", R::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", R::Malformed),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
            R::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\tTransfer-Encoding: chunked\r\n\r\n",
            R::Malformed,
        ),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", R::Malformed),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n", R::Malformed),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: y\x0bz\r\n\r\n",
            R::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: y\x7f\r\n\r\n",
            R::Malformed,
        ),
        // Names.
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer\0Encoding: chunked\r\n\r\n",
            R::Malformed,
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", R::Malformed),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nbad header: x\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\n\"x\": y\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nx\u{e4}: y\r\n\r\n",
            R::Malformed,
        ),
        // The first line.
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", R::Malformed),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", R::UnknownVersion),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", R::Malformed),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", R::Malformed),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", R::Malformed),
        ("GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", R::Malformed),
        ("GET /\r\nHost: a\r\n\r\n", R::Malformed),
        ("GET /x y HTTP/1.1\r\nHost: a\r\n\r\n", R::UnknownVersion),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", R::Malformed),
        ("\x01\x02\r\n\r\n", R::Malformed),
        ("GET / HTTP/3.7\r\nHost: a\r\n\r\n", R::UnknownVersion),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", R::UnknownVersion),
        ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", R::Malformed),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", R::UnknownVersion),
        ("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", R::Malformed),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", R::BadTarget),
        ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", R::BadTarget),
        // Host.
        ("GET / HTTP/1.1\r\n\r\n", R::BadHost),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", R::BadHost),
        ("GET / HTTP/1.0\r\nHost:\r\n\r\n", R::BadHost),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", R::BadHost),
        (
            "GET / HTTP/1.1\r\nHost: a,b\r\nHost: a,b\r\n\r\n",
            R::BadHost,
        ),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", R::BadHost),
        ("GET / HTTP/1.1\r\nHost: a/x\r\n\r\n", R::BadHost),
        ("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", R::BadHost),
        ("GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n", R::BadHost),
        ("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", R::BadHost),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", R::BadHost),
        ("GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", R::BadHost),
        ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", R::BadHost),
        // Framing.
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            R::RepeatedLength,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            R::AmbiguousLength,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n",
            R::AmbiguousLength,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            R::UnknownCoding,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0cchunked\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
            R::Malformed,
        ),
        (
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            R::Malformed,
        ),
    ];
    for (head, expected) in cases {
        assert_eq!(refusal(head.as_bytes()), Some(*expected), "{head:?}");
    }
    assert_eq!(
        refusal(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"),
        Some(R::Malformed)
    );
}

#[test]
fn heads_are_as_long_as_they_may_be() {
    let long = |length: usize| "x".repeat(length);
    let many = |count| {
        let fields: Vec<_> = (0..count).map(|n| format!("x-{n}: y\r\n")).collect();
        fields.concat()
    };
    let cases = [
        (
            format!(
                "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
                long(limits::MAX_URI - 1)
            ),
            None,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(limits::MAX_URI)),
            Some(Refusal::TargetTooLong),
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", long(60_000)),
            None,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n",
                long(limits::MAX_HEADER_LIST)
            ),
            Some(Refusal::HeadersTooLarge),
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                many(limits::MAX_HEADERS - 1)
            ),
            None,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                many(limits::MAX_HEADERS)
            ),
            Some(Refusal::HeadersTooLarge),
        ),
    ];
    for (head, expected) in cases {
        assert_eq!(refusal(head.as_bytes()), expected, "{} bytes", head.len());
    }
}

#[test]
fn an_answer_is_what_its_head_says() {
    let raw =
        Bytes::from_static(b"HTTP/1.1 200 Sure thing\r\nContent-Length: 3\r\nServer: x\r\n\r\n");
    let read = response(&raw, &Method::GET).unwrap();
    assert_eq!(read.head.status, 200);
    assert_eq!(read.head.headers["server"], "x");
    assert_eq!(
        (read.head.length, read.framing),
        (Length::Known(3), Framing::Length(3))
    );
    assert_eq!(read.persistence, After::KeepAlive);
    let raw = Bytes::from_static(b"HTTP/1.0 404\r\n\r\n");
    let read = response(&raw, &Method::GET).unwrap();
    assert_eq!(
        (read.head.status, read.framing),
        (StatusCode::NOT_FOUND, Framing::UntilClose)
    );
    assert_eq!(read.persistence, After::Close);
}

#[test]
fn answers_that_not_all_read_alike_are_refused() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3,3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let raw = Bytes::copy_from_slice(head.as_bytes());
        let complete = HeadScan::default().find(&raw) == Ok(Some(raw.len()));
        assert!(
            !complete || response(&raw, &Method::GET).is_err(),
            "{head:?}"
        );
    }
}

#[test]
fn trailers_do_not_say_what_belongs_in_a_head() {
    let raw = Bytes::from_static(
        b"X-Sum: 1\r\nhost: b\r\nx-forwarded-for: 1\r\nTE: x\r\ngrpc-status: 0\r\n\r\n",
    );
    let trailers = trailers(&raw).unwrap();
    let names: Vec<_> = trailers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-sum", "grpc-status"]);
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        let _ = request(&bytes);
        let _ = response(&bytes, &Method::GET);
        let _ = trailers(&bytes);
    }

    #[test]
    fn no_changed_byte_is_too_strange(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut head = b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: x\r\n\r\n".to_vec();
        let at = at.index(head.len());
        head[at] = byte;
        let Ok(Some(end)) = HeadScan::default().find(&head) else { return Ok(()) };
        let head = Bytes::from(head).slice(..end);
        if let Ok(read) = request(&head) {
            // What is taken is written so that it is read as the same.
            let mut text = Vec::new();
            crate::h1::encode::request(&mut text, &read.arrived.head, crate::http::message::Rest::More);
            let again = request(&Bytes::from(text));
            prop_assert!(again.is_ok() || read.arrived.refusal.is_some());
        }
    }
}
