//! What a message becomes on its way through: forwarding headers, hop-by-hop headers, rewrites.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::filter::Filters;
use super::message::{RequestHead, ResponseHead};
use super::rare::{Rare, Rares, X_FORWARDED_FOR};
use super::refusal::Refusal;
use crate::listener::connection::Connection;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Says who asked, and how.
///
/// `X-Forwarded-For` is appended to, so that a backend which knows how many proxies are before it
/// finds the address that the outermost saw; `X-Forwarded-Proto` is replaced, since only our own
/// connection is known. `X-Forwarded-Host` is left alone: Host is forwarded as it came.
pub(crate) fn add_forwarded(request: &mut RequestHead, connection: &Connection) {
    let headers = &mut request.headers;
    let mut chain = connection.peer_text.clone();
    if request.rares.has(Rare::XForwardedFor) {
        chain = append_to(headers.get_all(X_FORWARDED_FOR).iter(), chain);
    }
    headers.insert(X_FORWARDED_FOR, chain);
    let scheme = if connection.tls.is_some() {
        "https"
    } else {
        "http"
    };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
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
    request: &mut RequestHead,
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
            request.headers.insert(header::HOST, host);
        }
    }
    filters.request_headers().apply(&mut request.headers);
    Ok(())
}

fn replace_target(
    request: &mut RequestHead,
    target: http::uri::PathAndQuery,
) -> Result<(), Refusal> {
    let mut parts = std::mem::take(&mut request.uri).into_parts();
    parts.path_and_query = Some(target);
    request.uri = http::Uri::from_parts(parts).map_err(|_| Refusal::BadTarget)?;
    Ok(())
}

/// What of a request's fields for one connection goes on all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    Nothing,
    /// The wish for a tunnel.
    Upgrade,
    /// `TE: trailers`, the one thing that TE may say over HTTP/2, and which gRPC backends insist on.
    Te,
}

/// Takes out of a request what was for the connection between the client and us alone.
///
/// "Intermediaries MUST parse a received Connection header field before a message is forwarded
/// and, for each connection-option in this field, remove any header or trailer field(s) from the
/// message with the same name" (RFC 9110 section 7.6.1).
pub(crate) fn strip_request(request: &mut RequestHead, through: Through) {
    const OURS: Rares = Rares::these([Rare::Http2Settings, Rare::ProxyAuthorization]);
    let (headers, rares) = (&mut request.headers, request.rares);
    strip(headers, rares);
    rares.remove(headers, OURS);
    if through == Through::Upgrade {
        let upgrade = HeaderValue::from_static("Upgrade");
        headers.insert(header::CONNECTION, upgrade);
    } else {
        rares.remove(headers, Rares::these([Rare::Upgrade]));
    }
    if through != Through::Te || !says_only_trailers(headers) {
        rares.remove(headers, Rares::these([Rare::Te]));
    }
}

fn says_only_trailers(request: &HeaderMap) -> bool {
    let te = request.get(header::TE);
    te.is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"))
}

/// Takes out of an answer what was for the connection between the backend and us alone.
pub(crate) fn strip_answer(response: &mut ResponseHead, trailers: Trailers) {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let (headers, rares) = (&mut response.headers, response.rares);
    strip(headers, rares);
    // TE is no field of answers, and the h2 crate resets a stream rather than send it.
    rares.remove(headers, Rares::these([Rare::Upgrade, Rare::Te]));
    if trailers == Trailers::Dropped {
        rares.remove(headers, Rares::these([Rare::Trailer]));
    }
    // "A server MUST NOT send a Content-Length header field in any response with a status code of
    // 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6).
    if response.status == StatusCode::NO_CONTENT || response.status.is_informational() {
        headers.remove(header::CONTENT_LENGTH);
    }
}

/// What becomes of an answer's trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// They reach the client.
    Passed,
    /// There is no place for them.
    Dropped,
}

/// What goes from requests and answers alike.
fn strip(headers: &mut HeaderMap, rares: Rares) {
    const HOPS: Rares = Rares::these([Rare::Connection, Rare::KeepAlive, Rare::ProxyConnection]);
    if rares.has(Rare::Connection) {
        for name in nominated(headers) {
            headers.remove(name);
        }
    }
    rares.remove(headers, HOPS);
}

/// "A sender MUST NOT send a connection option corresponding to a field that is intended for all
/// recipients of the content" (RFC 9110 section 7.6.1): what delimits a message or says where it
/// goes stays, and what is looked at one by one later.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    const KNOWN: [&[u8]; 3] = [b"keep-alive", b"close", b"upgrade"];
    const STAY: [HeaderName; 7] = [
        header::CONTENT_LENGTH,
        header::HOST,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        X_FORWARDED_FOR,
        X_FORWARDED_PROTO,
    ];
    (headers.get_all(header::CONNECTION).iter())
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        // Not names of headers to remove, and not worth making one.
        .filter(|option| !KNOWN.iter().any(|known| option.eq_ignore_ascii_case(known)))
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .filter(|name| !STAY.contains(name))
        .collect()
}

#[cfg(test)]
mod tests;
