use http::HeaderValue;

use super::*;
use crate::http::message::testing;

fn request(host: Option<&[u8]>, version: Version) -> RequestHead {
    let mut request = testing::request("GET", "/", &[]);
    request.version = version;
    if let Some(host) = host {
        let host = HeaderValue::from_bytes(host).unwrap();
        request.headers.insert(header::HOST, host);
    }
    request
}

#[test]
fn hosts_are_read_or_refused() {
    let bad = Err(Refusal::BadHost);
    let cases = [
        (
            Some(&b"a.example"[..]),
            Version::HTTP_11,
            Ok(Some("a.example")),
        ),
        (
            Some(b"a.example:80"),
            Version::HTTP_10,
            Ok(Some("a.example:80")),
        ),
        (Some(b"[::1]:80"), Version::HTTP_11, Ok(Some("[::1]:80"))),
        (None, Version::HTTP_10, Ok(None)),
        (None, Version::HTTP_11, bad),
        (Some(b""), Version::HTTP_11, bad),
        (Some(b"a/b"), Version::HTTP_11, bad),
        (Some(b"a,b"), Version::HTTP_11, bad),
        (
            Some(b"a.example:"),
            Version::HTTP_11,
            Ok(Some("a.example:")),
        ),
        (Some(b"[::1]"), Version::HTTP_11, Ok(Some("[::1]"))),
        (Some(b"a.example:foo"), Version::HTTP_11, bad),
        (Some(b"a.example:+80"), Version::HTTP_11, bad),
        (Some(b"a.example:80:90"), Version::HTTP_11, bad),
        (Some(b":80"), Version::HTTP_11, bad),
        (Some(b"::1"), Version::HTTP_11, bad),
        (Some(b"[::1"), Version::HTTP_11, bad),
        (Some(b"[a]"), Version::HTTP_11, bad),
        (Some(b"[::1]a"), Version::HTTP_11, bad),
        (Some(b"\xc3\xa4"), Version::HTTP_11, bad),
    ];
    for (host, version, expected) in cases {
        assert_eq!(
            authority(&request(host, version)),
            expected,
            "{host:?} {version:?}"
        );
    }
}
