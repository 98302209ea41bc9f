//! What a request's first line asks for, and of whom.

use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri};

use crate::http::refusal::Refusal;

/// A request target in the form in which it goes to a backend.
#[derive(Debug)]
pub(crate) struct Target {
    /// In origin form, or `*`; for CONNECT in whatever form it came.
    pub(crate) uri: Uri,
    /// The authority of a target in absolute form.
    pub(crate) authority: Option<HeaderValue>,
}

/// Reads a target, which came as `raw`.
///
/// "a proxy MUST ignore the received Host header field (if any) and replace it with the host
/// information of the request-target" when that is in absolute form, and sends origin form to an
/// origin server (RFC 9112 section 3.2).
pub(crate) fn read(method: &Method, raw: Bytes) -> Result<Target, Refusal> {
    if raw.first() == Some(&b'/') || raw == "*" {
        let uri = origin(raw)?;
        return Ok(Target {
            uri,
            authority: None,
        });
    }
    if method == Method::CONNECT {
        let uri = Uri::from_maybe_shared(raw).map_err(|_| Refusal::BadTarget)?;
        return Ok(Target {
            uri,
            authority: None,
        });
    }
    absolute(method, &raw)
}

/// The target as it came: what a `PathAndQuery` would leave out is refused.
fn origin(raw: Bytes) -> Result<Uri, Refusal> {
    let length = raw.len();
    let target = PathAndQuery::from_maybe_shared(raw).map_err(|_| Refusal::BadTarget)?;
    if target.as_str().len() != length {
        return Err(Refusal::BadTarget);
    }
    Ok(Uri::from(target))
}

fn absolute(method: &Method, raw: &Bytes) -> Result<Target, Refusal> {
    let (host, rest) = split(raw).ok_or(Refusal::BadTarget)?;
    let is_host = !host.is_empty() && is_host(host);
    let authority = HeaderValue::from_maybe_shared(raw.slice_ref(host));
    let authority = authority.ok().filter(|_| is_host).ok_or(Refusal::BadHost)?;
    let uri = match rest.first() {
        Some(b'/') => origin(raw.slice_ref(rest))?,
        // "If a proxy receives an OPTIONS request with an absolute-form of request-target in which
        // the URI has an empty path and no query component, then the last proxy on the request
        // chain MUST send a request-target of "*"" (RFC 9112 section 3.2.4).
        None if method == Method::OPTIONS => origin(Bytes::from_static(b"*"))?,
        _ => {
            let mut target = BytesMut::from(&b"/"[..]);
            target.extend_from_slice(rest);
            origin(target.freeze())?
        }
    };
    Ok(Target {
        uri,
        authority: Some(authority),
    })
}

/// Authority and the rest of `http://host/path?query`.
fn split(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = target.iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    let web = [&b"http"[..], b"https"];
    let is_web = web.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let rest = rest.strip_prefix(b"://").filter(|_| is_web)?;
    let end = (rest.iter()).position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    rest.split_at_checked(end.unwrap_or(rest.len()))
}

/// Whether `text` is a host with or without a port, and nothing else: `uri-host [ ":" port ]` (RFC
/// 9110 section 7.2). An empty one is one here.
pub(crate) fn is_host(text: &[u8]) -> bool {
    let port = if text.first() == Some(&b'[') {
        let Some(end) = text.iter().position(|&byte| byte == b']') else {
            return false;
        };
        let (address, port) = text.split_at(end + 1);
        let inside = address.get(1..end).unwrap_or_default();
        if inside.is_empty() || !inside.iter().all(|&byte| is_of_address(byte)) {
            return false;
        }
        port
    } else {
        let end = text.iter().position(|&byte| !is_of_name(byte));
        text.get(end.unwrap_or(text.len())..).unwrap_or_default()
    };
    match port.split_first() {
        None => true,
        Some((b':', digits)) => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

/// `reg-name = *( unreserved / pct-encoded / sub-delims )` (RFC 3986 section 3.2.2).
fn is_of_name(byte: u8) -> bool {
    const OF_NAME: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < table.len() {
            #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
            let is_alphanumeric = (byte as u8).is_ascii_alphanumeric();
            table[byte] = is_alphanumeric;
            byte += 1;
        }
        let others = b"-._~%!$&'()*+,;=";
        let mut at = 0;
        while at < others.len() {
            table[others[at] as usize] = true;
            at += 1;
        }
        table
    };
    OF_NAME.get(usize::from(byte)).is_some_and(|is| *is)
}

/// An IPv6 address, with a zone if need be.
fn is_of_address(byte: u8) -> bool {
    byte == b':' || is_of_name(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_become_origin_form() {
        let cases = [
            ("GET", "/x?y", Ok(("/x?y", None))),
            ("GET", "/", Ok(("/", None))),
            ("GET", "/a\u{e4}", Ok(("/a\u{e4}", None))),
            ("GET", "//a//b/.c/d..", Ok(("//a//b/.c/d..", None))),
            ("GET", "/?", Ok(("/?", None))),
            ("GET", "/a?b=c?d&e=%20", Ok(("/a?b=c?d&e=%20", None))),
            ("OPTIONS", "*", Ok(("*", None))),
            (
                "GET",
                "http://a.example/x?y",
                Ok(("/x?y", Some("a.example"))),
            ),
            ("GET", "HTTPS://A:8080", Ok(("/", Some("A:8080")))),
            ("GET", "http://a?q", Ok(("/?q", Some("a")))),
            ("OPTIONS", "http://a", Ok(("*", Some("a")))),
            ("OPTIONS", "http://a/", Ok(("/", Some("a")))),
            ("GET", "http://u@a/", Err(Refusal::BadHost)),
            ("GET", "http:///x", Err(Refusal::BadHost)),
            ("GET", "ftp://a/", Err(Refusal::BadTarget)),
            ("GET", "a.example:80", Err(Refusal::BadTarget)),
            ("GET", "x", Err(Refusal::BadTarget)),
            ("GET", "?x", Err(Refusal::BadTarget)),
            ("GET", "/a#b", Err(Refusal::BadTarget)),
            ("GET", "http://a/#b", Err(Refusal::BadTarget)),
            ("GET", "/<a>", Err(Refusal::BadTarget)),
        ];
        for (method, raw, expected) in cases {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let target = read(&method, Bytes::copy_from_slice(raw.as_bytes()));
            let seen = target.as_ref().map(|target| {
                let authority = target.authority.as_ref().map(|it| it.to_str().unwrap());
                (target.uri.path_and_query().unwrap().as_str(), authority)
            });
            assert_eq!(seen.map_err(|refusal| *refusal), expected, "{raw}");
        }
        let target = read(&Method::CONNECT, Bytes::from_static(b"a.example:80")).unwrap();
        assert_eq!(target.uri.authority().unwrap(), "a.example:80");
    }

    #[test]
    fn hosts_are_told_from_what_is_none() {
        for host in [
            "",
            "a",
            "a.b-c_d",
            "a:80",
            "a:",
            "[::1]",
            "[::1]:80",
            "1.2.3.4:1",
            "xn--a",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for text in [
            "a b", "u@a", "a:b", "a:123456", "a:80:80", "[::1", "[]", "[::1]x", "a/b", "a?b",
            "a#b", "a\u{e4}", "::1", "a\\b", "[a@b]",
        ] {
            assert!(!is_host(text.as_bytes()), "{text}");
        }
    }
}
