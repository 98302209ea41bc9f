//! The head of a copy.

use http::header::{self, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Uri, Version};
use pingora_http::RequestHeader;
use portcullis_ir::filter::HttpScheme;

use super::tee::Branch;
use crate::http::filter::Filters;
use crate::http::filter::headers::is_framing;
use crate::http::forward::{add_forwarded, apply_request_filters};
use crate::http::refusal::Refusal;
use crate::listener::connection::Connection;

/// The body of a copy.
pub(super) enum Body {
    None,
    /// It comes as the client sends it.
    Following(Branch),
}

/// What a copy's head is as long as nobody knows what its backend speaks: in origin form, with a
/// Host, without what was for the client's connection alone.
///
/// "Requests are sent to the specified destination" (`HTTPRouteFilter.RequestMirror`): under their
/// own Host, like the original.
pub(super) fn copied(
    original: &RequestHeader,
    filters: &Filters,
    prefix: Option<usize>,
    connection: &Connection,
) -> Result<RequestHeader, Refusal> {
    let mut head = original.clone();
    to_host(&mut head)?;
    strip_hop_by_hop(&mut head);
    add_forwarded(&mut head, connection).map_err(|_| Refusal::Internal)?;
    apply_request_filters(&mut head, filters, prefix)?;
    Ok(head)
}

/// Moves the authority of an HTTP/2 request to Host.
fn to_host(head: &mut RequestHeader) -> Result<(), Refusal> {
    let Some(authority) = head.uri.authority() else {
        return Ok(());
    };
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadHost)?;
    let target = head.uri.path_and_query().cloned();
    head.set_uri(Uri::from(target.unwrap_or(PathAndQuery::from_static("/"))));
    head.insert_header(header::HOST, host)
        .map_err(|_| Refusal::BadHost)
}

/// "Intermediaries MUST parse a received Connection header field before a message is forwarded"
/// (RFC 9110 section 7.6.1). Nobody waits for a 100 either: the body comes when it comes.
fn strip_hop_by_hop(head: &mut RequestHeader) {
    let options = head.headers.get_all(header::CONNECTION).iter();
    let options = options.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let mut names: Vec<HeaderName> = options
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .collect();
    names.extend(head.headers.keys().filter(|name| is_framing(name)).cloned());
    names.push(header::EXPECT);
    for name in names {
        if name != header::HOST && name != header::CONTENT_LENGTH {
            head.remove_header(&name);
        }
    }
}

/// The head for a backend that speaks HTTP/1.1.
pub(super) fn for_http1(mut head: RequestHeader, body: &Body) -> Option<RequestHeader> {
    head.set_version(Version::HTTP_11);
    let is_open = !head.headers.contains_key(header::CONTENT_LENGTH);
    if matches!(body, Body::Following(_)) && is_open {
        let chunked = HeaderValue::from_static("chunked");
        head.insert_header(header::TRANSFER_ENCODING, chunked)
            .ok()?;
    }
    Some(head)
}

/// The head for a backend that speaks HTTP/2: its Host is the authority of the target.
pub(super) fn for_http2(mut head: RequestHeader, scheme: HttpScheme) -> Option<RequestHeader> {
    let host = head.remove_header(&header::HOST)?;
    let target = head.uri.path_and_query().cloned()?;
    let uri = Uri::builder()
        .scheme(scheme.as_str())
        .authority(host.as_bytes())
        .path_and_query(target);
    head.set_uri(uri.build().ok()?);
    head.set_version(Version::HTTP_2);
    // Without the case of names, which HTTP/2 does not have.
    let parts: http::request::Parts = head.into();
    Some(RequestHeader::from(parts))
}

#[cfg(test)]
mod tests;
