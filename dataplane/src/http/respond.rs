//! Answers of our own, and which of them an error of pingora's becomes.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use pingora_core::protocols::http::HttpTask;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::ctx::RequestCtx;
use super::filter::Cors;
use super::grpc::{CallStatus, GRPC_MESSAGE, GRPC_STATUS};
use super::refusal::{Afterwards, Refusal};
use crate::listener::connection::Connection;

/// Sends the answer for `refusal`, if there is still somebody to send it to.
pub(crate) async fn refuse(
    session: &mut Session,
    ctx: &RequestCtx,
    refusal: Refusal,
) -> Result<()> {
    if ctx.is_call {
        return refuse_call(session, ctx, refusal).await;
    }
    let Some(status) = refusal.status() else {
        return Ok(());
    };
    let mut head = ResponseHeader::build(status, Some(4))?;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    head.insert_header(header::CONTENT_TYPE, text)?;
    decorate(session, ctx, &mut head);
    let connection = ctx.connection.as_deref();
    let (body, afterwards) = (refusal.body(), refusal.afterwards());
    answer(session, connection, head, body, afterwards).await
}

/// Ends a gRPC call: "Trailers-Only → HTTP-Status Content-Type Trailers", in one frame.
async fn refuse_call(session: &mut Session, ctx: &RequestCtx, refusal: Refusal) -> Result<()> {
    let Some(status) = refusal.call_status() else {
        return Ok(());
    };
    let mut head = ResponseHeader::build(StatusCode::OK, Some(4))?;
    let grpc = HeaderValue::from_static("application/grpc");
    head.insert_header(header::CONTENT_TYPE, grpc)?;
    head.insert_header(GRPC_STATUS, HeaderValue::from(status.code()))?;
    head.insert_header(GRPC_MESSAGE, in_words(refusal))?;
    decorate(session, ctx, &mut head);
    if let Some(connection) = &ctx.connection
        && refusal.afterwards() == Afterwards::Leave
    {
        connection.ask_to_leave();
    }
    // `write_response_header` would leave the end of the stream to a frame of data.
    let task = HttpTask::Header(Box::new(head), true);
    let downstream = session.as_downstream_mut();
    downstream.response_duplex_vec(vec![task]).await.map(|_| ())
}

/// Ends a gRPC call whose answer has begun. Without trailers its client would take the reset of the
/// stream for its own.
pub(crate) async fn cut_call_short(session: &mut Session, status: CallStatus, refusal: Refusal) {
    let trailers = HeaderMap::from_iter([
        (GRPC_STATUS, HeaderValue::from(status.code())),
        (GRPC_MESSAGE, in_words(refusal)),
    ]);
    // An error means that the client is gone, which is nothing to act on.
    let _ = session
        .as_downstream_mut()
        .write_response_trailers(trailers)
        .await;
}

fn in_words(refusal: Refusal) -> HeaderValue {
    HeaderValue::from_static(refusal.body().trim_ascii_end())
}

/// Sends a redirect.
pub(crate) async fn redirect(
    session: &mut Session,
    ctx: &RequestCtx,
    status: StatusCode,
    location: HeaderValue,
) -> Result<()> {
    let mut head = ResponseHeader::build(status, Some(4))?;
    head.insert_header(header::LOCATION, location)?;
    decorate(session, ctx, &mut head);
    let connection = ctx.connection.as_deref();
    answer(session, connection, head, "", Afterwards::KeepAlive).await
}

/// A page that may read a backend's answers may read ours, and is told why there is no other.
fn decorate(session: &Session, ctx: &RequestCtx, head: &mut ResponseHeader) {
    if let Some(cors) = &ctx.cors {
        cors.decorate(&session.req_header().headers, head);
    }
}

/// Answers a preflight.
///
/// "The status code of a successful response to a "preflight" request is always an OK status (i.e.,
/// 204 or 200). If the request `Origin` does not match the configured allowed origins, the gateway
/// returns 204/200 response but doesn't set the relevant cross-origin response headers."
/// (`HTTPCORSFilter.AllowOrigins`)
pub(crate) async fn preflight(
    session: &mut Session,
    connection: Option<&Connection>,
    cors: &Cors,
) -> Result<()> {
    let mut head = ResponseHeader::build(StatusCode::NO_CONTENT, Some(8))?;
    cors.answer_preflight(&session.req_header().headers, &mut head);
    answer(session, connection, head, "", Afterwards::KeepAlive).await
}

async fn answer(
    session: &mut Session,
    connection: Option<&Connection>,
    mut head: ResponseHeader,
    body: &'static str,
    afterwards: Afterwards,
) -> Result<()> {
    // "A server MUST NOT send a Content-Length header field in any response with a status code of
    // 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6).
    if head.status != StatusCode::NO_CONTENT {
        head.insert_header(header::CONTENT_LENGTH, HeaderValue::from(body.len()))?;
    }
    let leaving = connection.is_some_and(Connection::is_leaving);
    if leaving || afterwards != Afterwards::KeepAlive {
        session.set_keepalive(None);
    }
    if let Some(connection) = connection.filter(|_| afterwards == Afterwards::Leave) {
        connection.ask_to_leave();
    }
    if let Some(connection) = connection.filter(|_| !session.is_body_done()) {
        connection.answers_early();
    }
    let without_body = session.req_header().method == Method::HEAD;
    session
        .write_response_header(Box::new(head), without_body)
        .await?;
    let body = (!without_body).then(|| Bytes::from_static(body.as_bytes()));
    session.write_response_body(body, true).await
}

/// Whether a final answer, or a tunnel, has begun: nothing else can be said then.
pub(crate) fn has_answered(session: &Session) -> bool {
    session.response_written().is_some_and(|answer| {
        !answer.status.is_informational() || answer.status == StatusCode::SWITCHING_PROTOCOLS
    })
}

/// What a request that pingora gave up is answered with.
pub(crate) fn refusal_of(error: &Error) -> Refusal {
    match error.esource() {
        ErrorSource::Downstream => of_client(error.etype()),
        ErrorSource::Upstream => of_backend(error.etype()),
        ErrorSource::Internal | ErrorSource::Unset => Refusal::Internal,
    }
}

fn of_client(error: &ErrorType) -> Refusal {
    use ErrorType as E;
    match error {
        E::ReadTimedout => Refusal::RequestTimeout,
        E::ReadError
        | E::WriteError
        | E::WriteTimedout
        | E::ConnectionClosed
        | E::H2Error
        | E::InvalidH2
        | E::H2Downgrade => Refusal::ClientGone,
        E::InvalidHTTPHeader
        | E::H1Error
        | E::ConnectError
        | E::ConnectTimedout
        | E::ConnectRefused
        | E::ConnectNoRoute
        | E::ConnectProxyFailure
        | E::TLSWantX509Lookup
        | E::TLSHandshakeFailure
        | E::TLSHandshakeTimedout
        | E::InvalidCert
        | E::HandshakeError
        | E::BindError
        | E::AcceptError
        | E::SocketError
        | E::HTTPStatus(_)
        | E::FileOpenError
        | E::FileCreateError
        | E::FileReadError
        | E::FileWriteError
        | E::InternalError
        | E::UnknownError
        | E::Custom(_)
        | E::CustomCode(..) => Refusal::Malformed,
    }
}

fn of_backend(error: &ErrorType) -> Refusal {
    use ErrorType as E;
    match error {
        E::ConnectTimedout | E::TLSHandshakeTimedout => Refusal::ConnectTimeout,
        E::ReadTimedout | E::WriteTimedout => Refusal::BackendTimeout,
        E::ConnectError
        | E::ConnectRefused
        | E::ConnectNoRoute
        | E::ConnectProxyFailure
        | E::TLSWantX509Lookup
        | E::InvalidCert
        | E::HandshakeError
        | E::BindError
        | E::AcceptError
        | E::SocketError => Refusal::ConnectFailed,
        E::TLSHandshakeFailure => Refusal::BackendTls,
        E::InvalidHTTPHeader | E::H1Error | E::H2Error | E::H2Downgrade | E::InvalidH2 => {
            Refusal::BackendProtocol
        }
        E::ReadError
        | E::WriteError
        | E::ConnectionClosed
        | E::HTTPStatus(_)
        | E::FileOpenError
        | E::FileCreateError
        | E::FileReadError
        | E::FileWriteError
        | E::InternalError
        | E::UnknownError
        | E::Custom(_)
        | E::CustomCode(..) => Refusal::BackendClosed,
    }
}
