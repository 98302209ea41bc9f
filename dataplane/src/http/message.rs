//! What the exchange of a request for its answer asks of the two connections it goes between.
//!
//! The client's end and the backend's end are written for HTTP/1 (`crate::h1`) and for HTTP/2
//! (`crate::h2`); the exchange knows neither. Everything is polled, so that one task moves both
//! directions, each as far as it goes: nothing here waits by itself, has a timer, or spawns. What is
//! sent is collected until it is flushed, so that a head and a short body are one write.
//!
//! Heads are the same whatever they came in:
//!
//! - `uri` is in origin form (or `*`), in the bytes in which it came. Its authority, if the request
//!   was in absolute form or over HTTP/2, is in `Host`, of which there is at most one.
//! - Cookies that HTTP/2 took apart are one field.
//! - `Transfer-Encoding` is not there: [`Length`] says what it said. `Content-Length` is there if it
//!   was sent, once, and agrees with [`Length`].
//! - Fields for one connection alone (`Connection`, `TE`, `Upgrade` and the like) are there as they
//!   came; the exchange takes them out. What an end has to say of its own connection it adds when it
//!   writes: `Connection: close` or `keep-alive` to HTTP/1 clients, `Transfer-Encoding: chunked` for
//!   [`Length::Open`], `Content-Length` for [`Length::Known`] where the head has none. The one head
//!   that keeps `Connection` and `Upgrade` is that of a tunnel: a request that has `Upgrade`, and the
//!   101 that answers it, are written as they are.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::rare::Rares;
use super::refusal::{Afterwards, Refusal};

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// What its client speaks: 1.0, 1.1 or 2.
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// Of the fields as they came.
    pub(crate) rares: Rares,
    pub(crate) length: Length,
    pub(crate) spelling: Spelling,
}

/// The head of an answer.
#[derive(Clone, Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Of the fields as they came.
    pub(crate) rares: Rares,
    pub(crate) length: Length,
    pub(crate) spelling: Spelling,
}

/// How long a body is, as its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// There is none: of requests that say nothing of a body, of answers to HEAD, of 1xx, 204 and 304.
    Nothing,
    /// So many bytes, also 0.
    Known(u64),
    /// Until its end: chunked, or whatever HTTP/2 sends without `Content-Length`.
    Open,
}

/// How HTTP/1 wrote the names of a head's fields: HTTP/1 peers get them in the case in which they
/// came.
///
/// The field lines as they came, without the first line; empty if they came over HTTP/2.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelling(pub(crate) Bytes);

/// What follows a head or a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Something, if only the end.
    More,
    /// Nothing: this was the end of the message.
    Nothing,
}

/// A piece of what follows a head.
#[derive(Debug)]
pub(crate) enum Frame {
    /// Of the body; never empty.
    Data(Bytes),
    /// After these there is nothing more.
    Trailers(Box<HeaderMap>),
}

/// A request whose head is complete.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) head: RequestHead,
    /// Why it is not to be served although it could be read: where its body ends is not certain, or
    /// it is bigger than we take. No body can be read then, and `Length` is `Nothing`.
    pub(crate) refusal: Option<Refusal>,
}

/// Why there is no request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    /// What came is no head, or too long a one: this is to be answered, and the connection closed.
    #[error("not a request: {0:?}")]
    Refused(Refusal),
    /// The client went away within a head.
    #[error("{0}")]
    Gone(#[from] io::Error),
}

/// Why the client's side of an exchange goes no further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The connection or the stream is gone: nobody is there to be answered.
    #[error("{0}")]
    Gone(io::Error),
    /// What it sends as its body is none.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Why the backend's side of an attempt goes no further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackendError {
    /// It ended the connection where an answer, or more of one, was to come.
    #[error("the connection ended")]
    Closed,
    /// Reading failed.
    #[error("{0}")]
    Read(io::Error),
    /// Writing failed. Over HTTP/1 this is said only before the request's head is written, which is
    /// no request without its end; later it is [`BackendError::Closed`].
    #[error("{0}")]
    Write(io::Error),
    /// HTTP/2: it reset the stream, or ended the connection with an error.
    #[error("stream reset: {0}")]
    Reset(h2::Reason),
    /// It says that it has not looked at the request: REFUSED_STREAM, or GOAWAY with a lower stream.
    #[error("not processed")]
    Unprocessed,
    /// What it sent is no HTTP.
    #[error("{0}")]
    Protocol(&'static str),
}

/// The client's side of one exchange.
///
/// `h1::client::Connection`, which carries one exchange after the other, has beside this:
/// `new(Duplex, unread: BytesMut)`, `poll_head(cx) -> Poll<Result<Option<Arrived>, HeadError>>`
/// (`None`: closed between requests), `is_idle()` (nothing of the next head has come), `can_go_on()`
/// (the exchange left it where the next request can be read), `close(self)` (async: flushes, ends,
/// and lingers where something is left unread: `limits::LINGER`), `into_parts(self) -> (Duplex,
/// BytesMut)` for a tunnel, with what was read ahead.
///
/// `h2::client::Connection`: `handshake(Duplex, unread: BytesMut)` (async), `poll_accept(cx) ->
/// Poll<Option<Result<(Arrived, Stream), _>>>`, which also drives the connection, `leave()` (GOAWAY,
/// after the requests on their way).
pub(crate) trait ClientEnd {
    /// The next piece of the request; `None` is its end, however often it is asked for.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, ClientError>>>;

    /// Whether the request has been read to its end: what was read last was the last.
    fn request_is_over(&self) -> bool;

    /// Ready when the client is gone; asked once the request is over, or while it is not read. Costs
    /// no system call as long as nothing comes. HTTP/1: what comes is kept for the next request, and
    /// its end is the client's going away.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<ClientError>;

    /// Ready when there is room for a piece of the answer; what was sent before goes out meanwhile.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>>;

    /// Sends a 1xx answer other than 101. Does nothing for clients that know none (HTTP/1.0).
    fn send_interim(&mut self, head: ResponseHead);

    /// Sends the head of the answer; of 101 too, after which the parts are taken.
    fn send_head(&mut self, head: ResponseHead, rest: Rest);

    /// Sends a piece of the answer's body, which may be empty if it is the last. Only after
    /// `poll_ready` was ready; the first may follow its head at once.
    fn send_data(&mut self, data: Bytes, rest: Rest);

    /// Ends the answer with trailers. Where they cannot be sent it ends without.
    fn send_trailers(&mut self, trailers: HeaderMap);

    /// Ready when all that was sent has been handed to the system or, over HTTP/2, to the connection.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>>;

    /// What is to become of the connection, said before the head is sent: `Close` is HTTP/1's alone,
    /// `Leave` is GOAWAY over HTTP/2.
    fn close_after(&mut self, afterwards: Afterwards);

    /// Cuts off what has begun: the connection is closed so that the client cannot take the answer
    /// for whole, the stream reset.
    fn reset(&mut self);
}

/// The backend's side of one attempt.
///
/// `h1::backend::Connection` has beside this: `new(Duplex)`, `can_be_reused()` (once the answer is
/// over and the request has been sent), `is_alive()` (asked of an idle one, without a system call),
/// `look()` (the same with one), `into_parts(self) -> (Duplex, BytesMut)`.
///
/// `h2::backend::Stream` comes from a session that is shared; dropping it before its end resets it.
pub(crate) trait BackendEnd {
    /// Sends the head of the request, at first and once.
    fn send_head(&mut self, head: &RequestHead, rest: Rest);

    /// Ready when there is room for a piece of the request; what was sent before goes out meanwhile.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>>;

    /// As [`ClientEnd::send_data`].
    fn send_data(&mut self, data: Bytes, rest: Rest);

    /// Ends the request with trailers. Where they cannot be sent it ends without.
    fn send_trailers(&mut self, trailers: HeaderMap);

    /// As [`ClientEnd::poll_flush`].
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>>;

    /// The heads of interim answers one by one, then that of the answer (101 is one).
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, BackendError>>;

    /// The next piece of the answer; `None` is its end, however often it is asked for.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, BackendError>>>;

    /// Whether the answer has been read to its end: what was read last, if only the head, was the
    /// last.
    fn answer_is_over(&self) -> bool;
}

#[cfg(test)]
pub(crate) mod testing {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            let (name, value) = (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            map.append(name, value);
        }
        map
    }

    /// A request over HTTP/1.1 without a body.
    pub(crate) fn request(
        method: &str,
        target: &str,
        fields: &[(&'static str, &'static str)],
    ) -> RequestHead {
        let headers = map(fields);
        RequestHead {
            method: method.parse().unwrap(),
            uri: target.parse().unwrap(),
            version: Version::HTTP_11,
            rares: Rares::of(&headers),
            headers,
            length: Length::Nothing,
            spelling: Spelling::default(),
        }
    }

    /// An answer with a body of unknown length.
    pub(crate) fn response(status: u16, fields: &[(&'static str, &'static str)]) -> ResponseHead {
        let headers = map(fields);
        ResponseHead {
            status: StatusCode::from_u16(status).unwrap(),
            rares: Rares::of(&headers),
            headers,
            length: Length::Open,
            spelling: Spelling::default(),
        }
    }

    /// The names of a head's fields, in order of the alphabet.
    pub(crate) fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }
}
