use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What a body is made into: its data, and its trailers as text.
type Decoded = Result<(Vec<u8>, Vec<Trailer>, Vec<u8>), BodyFault>;

type Trailer = (String, String);

/// Decodes what comes in `pieces`; what is left behind the body is the last part. `None`: it is not
/// over.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Decoded> {
    let mut chunked = Chunked::default();
    let mut bytes = BytesMut::new();
    let (mut data, mut trailers) = (Vec::new(), Vec::new());
    let mut is_over = false;
    for piece in pieces {
        bytes.extend_from_slice(piece);
        loop {
            match chunked.next(&mut bytes) {
                Ok(Step::Data(piece)) => {
                    assert!(!piece.is_empty());
                    data.extend_from_slice(&piece);
                }
                Ok(Step::Trailers(fields)) => {
                    for (name, value) in fields.iter() {
                        let value = String::from_utf8_lossy(value.as_bytes());
                        trailers.push((name.as_str().to_owned(), value.into_owned()));
                    }
                }
                Ok(Step::Starved) => break,
                Ok(Step::End) => {
                    assert!(chunked.is_over());
                    is_over = true;
                    break;
                }
                Err(fault) => return Some(Err(fault)),
            }
        }
    }
    is_over.then(|| Ok((data, trailers, bytes.to_vec())))
}

/// Reads a whole body as slowly and plainly as the grammar of RFC 9112 section 7.1 is written.
fn oracle(body: &[u8]) -> Option<Decoded> {
    let (mut rest, mut data) = (body, Vec::new());
    loop {
        let (line, after) = line(rest)?;
        let Ok(line) = line else {
            return Some(Err(BodyFault::ChunkLine));
        };
        let text = String::from_utf8_lossy(line).into_owned();
        let (size, extension) = match text.split_once([';', ' ', '\t']) {
            Some((size, _)) => (size.to_owned(), text[size.len()..].to_owned()),
            None => (text, String::new()),
        };
        let extension = extension.trim_start_matches([' ', '\t']);
        let is_size = (1..=16).contains(&size.len()) && size.bytes().all(|b| b.is_ascii_hexdigit());
        let is_extension = extension.is_empty() || extension.starts_with(';');
        let is_text = extension
            .chars()
            .all(|c| c == '\t' || !c.is_ascii_control());
        if !is_size || !is_extension || !is_text {
            return Some(Err(BodyFault::ChunkLine));
        }
        rest = after;
        let size = u64::from_str_radix(&size, 16).unwrap();
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).unwrap();
        if rest.len() < size {
            return None;
        }
        data.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        match rest {
            [b'\r', b'\n', after @ ..] => rest = after,
            [] | [b'\r'] => return None,
            _ => return Some(Err(BodyFault::ChunkEnd)),
        }
    }
    rest.strip_prefix(b"\r\n")
        .map(|after| Ok((data, Vec::new(), after.to_vec())))
}

type Line<'a> = Result<&'a [u8], ()>;

/// A line and what follows it; the line is an error if it ends with LF alone.
fn line(bytes: &[u8]) -> Option<(Line<'_>, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let line = bytes[..end].strip_suffix(b"\r").ok_or(());
    Some((line, &bytes[end + 1..]))
}

#[test]
fn bodies_are_read_to_their_end_and_no_further() {
    let trailer = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let cases: &[(&str, &str, &[Trailer], &str)] = &[
        ("0\r\n\r\n", "", &[], ""),
        ("5\r\nhello\r\n0\r\n\r\nGET", "hello", &[], "GET"),
        (
            "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nt: v\r\n\r\n",
            "hello",
            &[trailer("t", "v")],
            "",
        ),
        (
            "A;a=\"b;c\"\r\n0123456789\r\n000\r\n\r\n",
            "0123456789",
            &[],
            "",
        ),
        ("1  \r\na\r\n1 ; x\r\nb\r\n0\r\n\r\n", "ab", &[], ""),
        ("0000000000000001\r\na\r\n0;e\r\n\r\n", "a", &[], ""),
        (
            "0\r\nContent-Length: 5\r\nHost: b\r\nX: 1\r\n\r\n",
            "",
            &[trailer("x", "1")],
            "",
        ),
        ("0\r\nContent-Length: 5\r\n\r\n", "", &[], ""),
    ];
    for (body, data, trailers, rest) in cases {
        let expected = (
            data.as_bytes().to_vec(),
            trailers.to_vec(),
            rest.as_bytes().to_vec(),
        );
        assert_eq!(decode([body.as_bytes()]), Some(Ok(expected)), "{body:?}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_no_body() {
    let line = |body: &[u8]| (body.to_vec(), BodyFault::ChunkLine);
    let cases = [
        line(b"\r\n"),
        line(b"x\r\n"),
        line(b"-1\r\n"),
        line(b"+1\r\n"),
        line(b"0x1\r\n"),
        line(b" 1\r\n"),
        line(b"1 2\r\n"),
        line(b"1,\r\n"),
        line(b"10000000000000000\r\n"),
        line(b"00000000000000001\r\n"),
        line(b"1\na\r\n"),
        line(b"1;\na\r\n"),
        line(b"1;x\ry\r\na\r\n"),
        line(b"1\r\r\na\r\n"),
        line(b"1;\0\r\na\r\n"),
        line(b"1;\x7F\r\na\r\n"),
        line(b"1\x0b\r\na\r\n"),
        line(&[&b"1;"[..], &[b'x'; MAX_LINE], b"\r\n"].concat()),
        line(&[&b"1;"[..], &[b'x'; MAX_LINE]].concat()),
        (b"1\r\nab".to_vec(), BodyFault::ChunkEnd),
        (b"1\r\na\n".to_vec(), BodyFault::ChunkEnd),
        (b"1\r\na\rb".to_vec(), BodyFault::ChunkEnd),
        (b"2\r\na\r\n0\r\n\r\n".to_vec(), BodyFault::ChunkEnd),
        (b"0\r\n\n".to_vec(), BodyFault::Trailers),
        (b"0\r\na b: c\r\n\r\n".to_vec(), BodyFault::Trailers),
        (b"0\r\na: b\r\n c\r\n\r\n".to_vec(), BodyFault::Trailers),
        (b"0\r\nGET / HTTP/1.1\r\n\r\n".to_vec(), BodyFault::Trailers),
        (
            [&b"0\r\nx: "[..], &[b'x'; limits::MAX_TRAILERS]].concat(),
            BodyFault::TrailersTooLarge,
        ),
    ];
    for (body, expected) in cases {
        let text = String::from_utf8_lossy(&body);
        assert_eq!(decode([&*body]), Some(Err(expected)), "{text:?}");
    }
}

#[test]
fn a_body_that_goes_on_is_waited_for() {
    for body in [
        "",
        "1",
        "1\r",
        "1;x",
        "1\r\n",
        "1\r\na",
        "1\r\na\r",
        "0\r\n",
        "0\r\n\r",
        "0\r\na: b\r\n",
    ] {
        assert_eq!(decode([body.as_bytes()]), None, "{body:?}");
    }
}

#[test]
fn extensions_are_in_proportion() {
    let extended = |size: usize, extension: usize| {
        let (data, extension) = ("x".repeat(size), "x".repeat(extension));
        let chunk = format!("{size:x};{extension}\r\n{data}\r\n");
        let body = chunk.repeat(1_000) + "0\r\n\r\n";
        decode([body.as_bytes()])
            .unwrap()
            .map(|(data, ..)| data.len())
    };
    assert_eq!(extended(1, 200), Err(BodyFault::ChunkOverhead));
    assert_eq!(extended(1, 10), Ok(1_000));
    assert_eq!(extended(100, 200), Ok(100_000));
}

/// Pieces of `bytes`, cut where `cuts` says.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// Bytes that look like a chunked body for a while.
fn nearly_chunked() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        5 => Just(&b"\r\n"[..]),
        3 => Just(&b"1"[..]),
        3 => Just(&b"0"[..]),
        2 => Just(&b"a"[..]),
        1 => Just(&b"3;x=1\r\nabc\r\n"[..]),
        1 => Just(&b"0\r\n\r\n"[..]),
        1 => Just(&b";"[..]),
        1 => Just(&b" "[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"\xff"[..]),
        1 => Just(&b"x"[..]),
    ];
    vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_the_grammar_says(body in nearly_chunked()) {
        // Trailers are the one thing that the oracle does not read.
        if let Some(expected) = oracle(&body) {
            prop_assert_eq!(decode([&*body]), Some(expected));
        } else if let Some(decoded) = decode([&*body]) {
            let has_trailers = decoded.is_err_and(|fault| fault == BodyFault::Trailers)
                || body.windows(3).any(|bytes| bytes == b"0\r\n" || bytes == b"0;x");
            prop_assert!(has_trailers);
        }
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut(
        body in nearly_chunked(),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let whole = decode([&*body]);
        prop_assert_eq!(decode(cut(&body, &cuts)), whole);
    }

    #[test]
    fn what_is_encoded_is_decoded(
        pieces in vec(vec(any::<u8>(), 1..200), 0..8),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        trailer in proptest::option::of("[a-z]{1,8}"),
    ) {
        let mut body = Vec::new();
        for piece in &pieces {
            crate::h1::encode::chunk_head(&mut body, piece.len());
            body.extend_from_slice(piece);
            body.extend_from_slice(crate::h1::encode::CHUNK_END);
        }
        let mut trailers = Vec::new();
        match trailer {
            Some(value) => {
                let fields = HeaderMap::from_iter([(
                    http::HeaderName::from_static("x-sum"),
                    http::HeaderValue::try_from(&value).unwrap(),
                )]);
                crate::h1::encode::trailers(&mut body, &fields);
                trailers.push(("x-sum".to_owned(), value));
            }
            None => body.extend_from_slice(crate::h1::encode::LAST_CHUNK),
        }
        body.extend_from_slice(b"GET");
        let expected = (pieces.concat(), trailers, b"GET".to_vec());
        prop_assert_eq!(decode(cut(&body, &cuts)), Some(Ok(expected)));
    }

    #[test]
    fn no_bytes_are_too_strange(
        bytes in vec(any::<u8>(), 0..300),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let whole = decode([&*bytes]);
        prop_assert_eq!(decode(cut(&bytes, &cuts)), whole);
    }
}
