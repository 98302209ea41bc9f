//! What a message becomes on its way through: forwarding headers, hop-by-hop headers, rewrites.

use http::header::{self, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{StatusCode, Version};
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};

use super::filter::Filters;
use super::refusal::Refusal;
use crate::listener::connection::Connection;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Puts a request in the form in which a backend expects it, before any filter looks at it.
///
/// "a proxy MUST ignore the received Host header field (if any) and replace it with the host
/// information of the request-target" when that is in absolute form, and sends origin form to an
/// origin server (RFC 9112 section 3.2).
///
/// Deviation: a Host that is another than the target's never comes here; pingora answers it 400.
pub(crate) fn to_origin_form(request: &mut RequestHeader) -> Result<(), Refusal> {
    let raw = request.raw_path();
    if raw.starts_with(b"/") || raw == b"*" || request.version == Version::HTTP_2 {
        return Ok(());
    }
    let (host, target) = split_absolute(raw).ok_or(Refusal::BadTarget)?;
    let host = HeaderValue::from_bytes(host).map_err(|_| Refusal::BadHost)?;
    let target = if target.starts_with(b"/") {
        target.to_vec()
    } else {
        [b"/", target].concat()
    };
    request
        .set_raw_path(&target)
        .map_err(|_| Refusal::BadTarget)?;
    request
        .insert_header(header::HOST, host)
        .map_err(|_| Refusal::BadHost)
}

/// Host and the rest of `http://host/path?query`.
fn split_absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = target.iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = target.split_at_checked(colon)?;
    let web = [&b"http"[..], b"https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let rest = rest.strip_prefix(b"://").filter(|_| web)?;
    let end = rest
        .iter()
        .position(|byte| b"/?#".contains(byte))
        .unwrap_or(rest.len());
    rest.split_at_checked(end)
}

/// Says who asked, and how.
///
/// `X-Forwarded-For` is appended to, so that a backend which knows how many proxies are before it
/// finds the address that the outermost saw; `X-Forwarded-Proto` is replaced, since only our own
/// connection is known. `X-Forwarded-Host` is left alone: Host is forwarded as it came.
pub(crate) fn add_forwarded(request: &mut RequestHeader, connection: &Connection) -> Result<()> {
    let peer = connection.peer_text.clone();
    let chain = append_to(request.headers.get_all(&X_FORWARDED_FOR).iter(), peer);
    request.insert_header(X_FORWARDED_FOR, chain)?;
    let scheme = if connection.tls.is_some() {
        "https"
    } else {
        "http"
    };
    request.insert_header(X_FORWARDED_PROTO, HeaderValue::from_static(scheme))
}

fn append_to<'a>(given: impl Iterator<Item = &'a HeaderValue>, peer: HeaderValue) -> HeaderValue {
    let mut chain = Vec::new();
    for value in given {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    if chain.is_empty() {
        return peer;
    }
    chain.extend_from_slice(peer.as_bytes());
    HeaderValue::try_from(chain).unwrap_or(peer)
}

/// Applies what a rule asks for.
pub(crate) fn apply_request_filters(
    request: &mut RequestHeader,
    filters: &Filters,
    prefix: Option<usize>,
) -> Result<(), Refusal> {
    if let Some(rewrite) = filters.rewrite() {
        let matched = prefix.and_then(|length| request.uri.path().get(..length));
        let target = rewrite.path_and_query(&request.uri, matched);
        let host = rewrite.hostname().cloned();
        if let Some(target) = target.map_err(|_| Refusal::BadTarget)? {
            replace_target(request, target)?;
        }
        if let Some(host) = host {
            request
                .insert_header(header::HOST, host)
                .map_err(|_| Refusal::Internal)?;
        }
    }
    filters.request_headers().apply(request);
    Ok(())
}

/// Makes an HTTP/2 request say that it travels in TLS, which pingora does not know.
///
/// pingora derives scheme and authority from Host, and leaves them as they are when there is none.
pub(crate) fn say_https(request: &mut RequestHeader) {
    let host = request.headers.get(header::HOST);
    let authority = match host {
        Some(host) => Authority::try_from(host.as_bytes()).ok(),
        None => request.uri.authority().cloned(),
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = authority;
    parts.path_and_query = request.uri.path_and_query().cloned();
    // What is no URI, such as `OPTIONS *`, goes on as it is.
    if let Ok(uri) = http::Uri::from_parts(parts) {
        request.set_uri(uri);
        request.remove_header(&header::HOST);
    }
}

fn replace_target(
    request: &mut RequestHeader,
    target: http::uri::PathAndQuery,
) -> Result<(), Refusal> {
    let mut parts = request.uri.clone().into_parts();
    parts.path_and_query = Some(target);
    let uri = http::Uri::from_parts(parts).map_err(|_| Refusal::BadTarget)?;
    request.set_uri(uri);
    Ok(())
}

/// Takes out what was for the connection between the backend and us alone.
///
/// "Intermediaries MUST parse a received Connection header field before a message is forwarded
/// and, for each connection-option in this field, remove any header or trailer field(s) from the
/// message with the same name" (RFC 9110 section 7.6.1). pingora does that for requests, not for
/// answers. It frames the body itself, so Transfer-Encoding stays.
pub(crate) fn strip_hop_by_hop(response: &mut ResponseHeader, trailers: Trailers) {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let nominated: Vec<HeaderName> = nominated(response).collect();
    for name in nominated {
        if name != header::TRANSFER_ENCODING && name != header::CONTENT_LENGTH {
            response.remove_header(&name);
        }
    }
    // TE is no field of answers, and the h2 crate resets a stream rather than send it.
    for name in [
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &header::UPGRADE,
        &header::TE,
    ] {
        response.remove_header(name);
    }
    if trailers == Trailers::Dropped {
        response.remove_header(&header::TRAILER);
    }
    // "A server MUST NOT send a Content-Length header field in any response with a status code of
    // 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6), and the same of
    // Transfer-Encoding (RFC 9112 section 6.1).
    if response.status == StatusCode::NO_CONTENT {
        response.remove_header(&header::CONTENT_LENGTH);
        response.remove_header(&header::TRANSFER_ENCODING);
    }
}

/// What becomes of an answer's trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// They reach the client.
    Passed,
    /// pingora drops them.
    Dropped,
}

fn nominated(response: &ResponseHeader) -> impl Iterator<Item = HeaderName> {
    const KNOWN: [&[u8]; 3] = [b"keep-alive", b"close", b"connection"];
    (response.headers.get_all(header::CONNECTION).iter())
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        // Not names of headers to remove, and not worth making one.
        .filter(|option| !KNOWN.iter().any(|known| option.eq_ignore_ascii_case(known)))
        .filter_map(|option| HeaderName::from_bytes(option).ok())
}

#[cfg(test)]
mod tests;
