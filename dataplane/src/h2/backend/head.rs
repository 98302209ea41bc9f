//! Heads on the way to a backend and back.

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{Authority, Parts as UriParts, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version, response};

use crate::http::message::{BackendError, Length, RequestHead, ResponseHead, Rest, Spelling};
use crate::http::rare::Rares;

/// The head of a request as the h2 crate takes it: Host is `:authority`.
///
/// A Host that is no authority stays what it is. The crate has a way for that: it takes the request
/// for one of HTTP/1.1 that is passed on.
pub(super) fn request(head: &RequestHead, scheme: Scheme) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.headers_mut() = head.headers.clone();
    if let Some(uri) = absolute(head, scheme) {
        request.headers_mut().remove(header::HOST);
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_2;
    } else {
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = Version::HTTP_11;
    }
    if let Length::Known(length) = head.length
        && !head.headers.contains_key(header::CONTENT_LENGTH)
    {
        let length = HeaderValue::from(length);
        request.headers_mut().insert(header::CONTENT_LENGTH, length);
    }
    request
}

fn absolute(head: &RequestHead, scheme: Scheme) -> Option<Uri> {
    let host = head.headers.get(header::HOST)?;
    let mut parts = UriParts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(Authority::try_from(host.as_bytes()).ok()?);
    parts.path_and_query = head.uri.path_and_query().cloned();
    Uri::from_parts(parts).ok()
}

/// An interim answer.
pub(super) fn interim(response: Response<()>) -> ResponseHead {
    let (parts, ()) = response.into_parts();
    ResponseHead {
        status: parts.status,
        rares: Rares::of(&parts.headers),
        headers: parts.headers,
        length: Length::Nothing,
        spelling: Spelling::default(),
    }
}

/// The answer to a request of `method`, which `rest` follows.
pub(super) fn response(
    parts: response::Parts,
    method: &Method,
    rest: Rest,
) -> Result<ResponseHead, BackendError> {
    let mut headers = parts.headers;
    let is_bodiless = *method == Method::HEAD
        || matches!(
            parts.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
    let said = length(&mut headers)?;
    let length = match (said, rest) {
        _ if is_bodiless => Length::Nothing,
        (Some(length), _) => Length::Known(length),
        (None, Rest::Nothing) => Length::Known(0),
        (None, Rest::More) => Length::Open,
    };
    Ok(ResponseHead {
        status: parts.status,
        rares: Rares::of(&headers),
        headers,
        length,
        spelling: Spelling::default(),
    })
}

/// What `Content-Length` says; once is enough of it.
fn length(headers: &mut HeaderMap) -> Result<Option<u64>, BackendError> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else {
        return Ok(None);
    };
    let repeated = lengths.next().is_some();
    let text = first.to_str().ok().and_then(|text| text.parse().ok());
    let length = text.ok_or(BackendError::Protocol("no length"))?;
    if repeated {
        let first = first.clone();
        let lengths = headers.get_all(header::CONTENT_LENGTH);
        if lengths.iter().any(|length| *length != first) {
            return Err(BackendError::Protocol("more than one length"));
        }
        headers.insert(header::CONTENT_LENGTH, first);
    }
    Ok(Some(length))
}
