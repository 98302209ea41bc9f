//! Heads of requests: from what the h2 crate makes of them to what the exchange asks for.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Request, Uri, Version};

use crate::http::message::{Arrived, Length, RequestHead, Rest, Spelling};
use crate::http::rare::Rares;
use crate::http::refusal::Refusal;

/// The request of which `request` is the head and which ends there or not.
pub(super) fn arrived(request: Request<()>, rest: Rest) -> Arrived {
    let (parts, ()) = request.into_parts();
    let target = parts.uri.into_parts();
    let mut headers = parts.headers;
    join_cookies(&mut headers);
    let length = length(&headers, rest);
    let refusal = check_host(target.authority.as_ref(), &headers)
        .and_then(|()| check_target(target.path_and_query.as_ref()))
        .err()
        .or(length.err());
    if refusal.is_none() {
        name_host(target.authority.as_ref(), &mut headers);
    }
    let head = RequestHead {
        rares: Rares::of(&headers),
        method: parts.method,
        // Only CONNECT has none, which is refused.
        uri: target.path_and_query.map_or_else(Uri::default, Uri::from),
        version: Version::HTTP_2,
        headers,
        length: length
            .ok()
            .filter(|_| refusal.is_none())
            .unwrap_or(Length::Nothing),
        spelling: Spelling::default(),
    };
    Arrived { head, refusal }
}

/// Puts the cookies of a request, which may come one by one, in one field.
///
/// "these MUST be concatenated into a single octet string using the two-octet delimiter of 0x3b,
/// 0x20 (the ASCII string "; ") before being passed into a non-HTTP/2 context" (RFC 9113 section
/// 8.2.3). That context begins with the matching of routes, and with the count of header fields.
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs = headers.get_all(header::COOKIE);
    if crumbs.iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = crumbs.iter().map(HeaderValue::as_bytes).collect();
    let joined = Bytes::from(crumbs.join(&b"; "[..]));
    if let Ok(joined) = HeaderValue::from_maybe_shared(joined) {
        headers.insert(header::COOKIE, joined);
    }
}

/// How long the body is.
///
/// "If a message is received without Transfer-Encoding and with an invalid Content-Length header
/// field, then the message framing is invalid" (RFC 9112 section 6.3), which more than one is; that
/// the one agrees with what comes is the crate's care.
fn length(headers: &HeaderMap, rest: Rest) -> Result<Length, Refusal> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(match rest {
            Rest::More => Length::Open,
            Rest::Nothing => Length::Nothing,
        });
    };
    if lengths.next().is_some() {
        return Err(Refusal::RepeatedLength);
    }
    let length = length.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Length::Known).ok_or(Refusal::Malformed)
}

/// Refuses a request that says twice, or not at all, whom it is for.
///
/// "An intermediary that forwards a request over HTTP/2 MUST construct an ":authority" pseudo-header
/// field using the authority information from the control data of the original request", and "a
/// request that contains a Host header field that differs from the :authority pseudo-header field"
/// is malformed; ":authority" "MUST NOT include the deprecated userinfo subcomponent" (RFC 9113
/// section 8.3.1).
fn check_host(authority: Option<&Authority>, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(Refusal::BadHost);
    }
    let authority = authority.map(|authority| authority.as_str().as_bytes());
    let is_named = match (authority, host) {
        (None, None) => false,
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        (Some(_), None) | (None, Some(_)) => true,
    };
    let has_user = |name: Option<&[u8]>| name.is_some_and(|name| name.contains(&b'@'));
    if is_named && !has_user(authority) && !has_user(host) {
        Ok(())
    } else {
        Err(Refusal::BadHost)
    }
}

/// Refuses what is neither origin form nor `*`, and bytes that would end an HTTP/1 request line.
fn check_target(target: Option<&PathAndQuery>) -> Result<(), Refusal> {
    let Some(target) = target.map(PathAndQuery::as_str) else {
        // CONNECT, which is refused for that.
        return Ok(());
    };
    let is_form = target.starts_with('/') || target == "*";
    if is_form && target.bytes().all(|byte| byte > b' ' && byte != 0x7f) {
        Ok(())
    } else {
        Err(Refusal::BadTarget)
    }
}

/// Puts the authority where all that follows looks for it.
fn name_host(authority: Option<&Authority>, headers: &mut HeaderMap) {
    let Some(authority) = authority else { return };
    if headers.contains_key(header::HOST) {
        return;
    }
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        headers.insert(header::HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = &'static [(&'static str, &'static str)];

    fn request(uri: &str, fields: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_is_for_one_host() {
        let bad = Some(Refusal::BadHost);
        let cases: [(&str, Fields, Option<Refusal>); 8] = [
            ("http://a.example/", &[], None),
            ("/", &[("host", "a.example")], None),
            ("http://a.example/", &[("host", "A.example")], None),
            ("http://a.example/", &[("host", "b.example")], bad),
            ("/", &[("host", "a.example"), ("host", "a.example")], bad),
            ("/", &[("host", "user@a.example")], bad),
            ("http://user@a.example/", &[], bad),
            ("/", &[], bad),
        ];
        for (uri, fields, refusal) in cases {
            let arrived = arrived(request(uri, fields), Rest::Nothing);
            assert_eq!(arrived.refusal, refusal, "{uri} {fields:?}");
            if refusal.is_none() {
                let hosts = arrived.head.headers.get_all("host").iter();
                assert_eq!(hosts.count(), 1, "{uri} {fields:?}");
                assert_eq!(arrived.head.uri, "/");
            }
        }
    }

    #[test]
    fn cookies_are_joined() {
        let fields = [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")];
        let arrived = arrived(request("http://a.example/", &fields), Rest::Nothing);
        let cookies = arrived.head.headers.get_all("cookie").iter();
        assert_eq!(cookies.collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[test]
    fn the_length_is_what_the_head_says() {
        let two: Fields = &[("content-length", "5"), ("content-length", "5")];
        let cases: [(Fields, Rest, Result<Length, Refusal>); 6] = [
            (&[], Rest::Nothing, Ok(Length::Nothing)),
            (&[], Rest::More, Ok(Length::Open)),
            (&two[..1], Rest::More, Ok(Length::Known(5))),
            (
                &[("content-length", "0")],
                Rest::Nothing,
                Ok(Length::Known(0)),
            ),
            (two, Rest::More, Err(Refusal::RepeatedLength)),
            (
                &[("content-length", "x")],
                Rest::More,
                Err(Refusal::Malformed),
            ),
        ];
        for (fields, rest, expected) in cases {
            let arrived = arrived(request("http://a.example/", fields), rest);
            assert_eq!(arrived.refusal, expected.err(), "{fields:?} {rest:?}");
            let length = expected.unwrap_or(Length::Nothing);
            assert_eq!(arrived.head.length, length, "{fields:?} {rest:?}");
        }
    }

    #[test]
    fn a_target_is_a_path_or_a_star() {
        for (target, is_one) in [("/x?y", true), ("*", true), ("x", false), ("a:b", false)] {
            let target = PathAndQuery::try_from(target).ok();
            let found = target.map(|target| check_target(Some(&target)).is_ok());
            assert_eq!(found.unwrap_or(false), is_one);
        }
    }
}
