//! What errors of the h2 crate mean for a request.

use std::io;

use h2::Reason;

use crate::http::message::BackendError;

/// Why there is no answer, or no more of it.
///
/// "the GOAWAY frame contains the stream identifier of the last peer-initiated stream that was or
/// might be processed" (RFC 9113 section 6.8): the crate tells of it only those streams that come
/// after, and REFUSED_STREAM says that a stream was "closed prior to any processing having occurred"
/// (section 8.7).
pub(super) fn of(error: h2::Error) -> BackendError {
    if error.is_io() {
        return of_io(error);
    }
    match error.reason() {
        Some(_) if error.is_go_away() && error.is_remote() => BackendError::Unprocessed,
        Some(Reason::REFUSED_STREAM) if error.is_remote() => BackendError::Unprocessed,
        Some(reason) if error.is_remote() => BackendError::Reset(reason),
        _ => BackendError::Protocol("against HTTP/2"),
    }
}

/// Why a request could not even be begun.
pub(super) fn of_sending(error: &h2::Error) -> BackendError {
    if error.is_io() || error.is_go_away() {
        BackendError::Unprocessed
    } else {
        BackendError::Protocol("no request for HTTP/2")
    }
}

fn of_io(error: h2::Error) -> BackendError {
    match error.into_io() {
        // So the crate calls an end that comes before its time.
        Some(error)
            if matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
            ) =>
        {
            BackendError::Closed
        }
        Some(error) => BackendError::Read(error),
        None => BackendError::Closed,
    }
}
