//! What a request's head must be like before anything is made of it.

use http::header::{self, HeaderValue};
use http::{Method, Version};
use pingora_http::RequestHeader;

use super::dots::has_dot_segment;
use super::refusal::Refusal;
use crate::limits;

/// Puts the cookies of an HTTP/2 request, which may come one by one, in one field.
///
/// "these MUST be concatenated into a single octet string using the two-octet delimiter of 0x3b,
/// 0x20 (the ASCII string "; ") before being passed into a non-HTTP/2 context" (RFC 9113 section
/// 8.2.3). That context begins with the matching of routes, and with the count of header fields.
pub(crate) fn join_cookies(request: &mut RequestHeader) {
    let crumbs = request.headers.get_all(header::COOKIE);
    if request.version != Version::HTTP_2 || crumbs.iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = crumbs.iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        // An error would mean too many headers, and this makes them fewer.
        let _ = request.insert_header(header::COOKIE, joined);
    }
}

/// Refuses what no route is asked for; `raw` is the head as it came, if it was HTTP/1.
pub(crate) fn check(request: &RequestHeader, raw: Option<&[u8]>) -> Result<(), Refusal> {
    if request.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    check_size(request, raw.unwrap_or_default().len())?;
    check_framing(request, raw.unwrap_or_default())?;
    check_target(request)
}

fn check_size(request: &RequestHeader, head_bytes: usize) -> Result<(), Refusal> {
    if request.raw_path().len() > limits::MAX_URI {
        return Err(Refusal::TargetTooLong);
    }
    if request.headers.len() > limits::MAX_HEADERS || head_bytes > limits::MAX_HEADER_LIST {
        return Err(Refusal::HeadersTooLarge);
    }
    Ok(())
}

/// Refuses a body whose length backends could understand otherwise than we do.
///
/// pingora takes Content-Length away beside Transfer-Encoding before anyone can see it
/// ("Transfer-Encoding overrides"), so it is looked for in `raw`. It forwards repeated lengths, and
/// the body of `gzip, chunked` as if it were not compressed.
fn check_framing(request: &RequestHeader, raw: &[u8]) -> Result<(), Refusal> {
    let mut codings = request.headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if raw.split(|&byte| byte == b'\n').any(is_content_length) {
            return Err(Refusal::AmbiguousLength);
        }
        // "A server that receives a request message with a transfer coding it does not understand
        // SHOULD respond with 501 (Not Implemented)" (RFC 9112 section 6.1).
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::UnknownCoding);
        }
    }
    // "If a message is received without Transfer-Encoding and with an invalid Content-Length
    // header field, then the message framing is invalid and the recipient MUST treat it as an
    // unrecoverable error" (RFC 9112 section 6.3), which a list is unless its values are replaced.
    let mut lengths = request.headers.get_all(header::CONTENT_LENGTH).iter();
    let is_list = (lengths.next()).is_some_and(|length| length.as_bytes().contains(&b','));
    if is_list || lengths.next().is_some() {
        return Err(Refusal::RepeatedLength);
    }
    Ok(())
}

fn is_content_length(line: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length";
    line.get(..NAME.len())
        .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
}

/// Refuses a path that means another to some backends.
///
/// "The asterisk-form of request-target is only used for a server-wide OPTIONS request" (RFC 9112
/// section 3.2.4).
fn check_target(request: &RequestHeader) -> Result<(), Refusal> {
    let target = request.raw_path();
    if target == b"*" && request.method != Method::OPTIONS {
        return Err(Refusal::BadTarget);
    }
    let path = target.split(|&byte| byte == b'?').next();
    if path.is_some_and(has_dot_segment) {
        return Err(Refusal::BadTarget);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
