//! What a request's head must be like before anything is made of it.
//!
//! The two ends have seen to its form: what is left is what a gateway does not take.

use http::Method;

use super::dots::has_dot_segment;
use super::message::RequestHead;
use super::refusal::Refusal;
use crate::limits;

/// Refuses what no route is asked for.
pub(crate) fn check(request: &RequestHead) -> Result<(), Refusal> {
    if request.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let target = request.uri.path_and_query();
    if target.is_some_and(|target| target.as_str().len() > limits::MAX_URI) {
        return Err(Refusal::TargetTooLong);
    }
    if request.headers.len() > limits::MAX_HEADERS {
        return Err(Refusal::HeadersTooLarge);
    }
    check_path(request)
}

/// Refuses a path that means another to some backends.
///
/// "The asterisk-form of request-target is only used for a server-wide OPTIONS request" (RFC 9112
/// section 3.2.4).
fn check_path(request: &RequestHead) -> Result<(), Refusal> {
    let path = request.uri.path();
    if (path == "*" && request.method != Method::OPTIONS) || has_dot_segment(path.as_bytes()) {
        return Err(Refusal::BadTarget);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
