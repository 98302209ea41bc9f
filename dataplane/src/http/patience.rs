//! How long client and backend may rest while a request is served.
//!
//! Where they end:
//!
//! - A route's `timeouts.request` begins when the request's head has arrived and ends with the last
//!   byte of the answer handed to the client. "This timeout is intended to cover as close to the
//!   whole request-response transaction as possible" (`HTTPRouteTimeouts.Request`).
//! - `timeouts.backendRequest` begins when an endpoint is chosen and ends with the answer: "the time
//!   from when the request first starts being sent from the gateway to when the full response has
//!   been received from the backend" (`HTTPRouteTimeouts.BackendRequest`).
//! - A tunnel is bound by neither: once a WebSocket is open there is no answer to wait for.
//!
//! Until the answer begins pingora's own timers tell, since after them a 504 can be sent or another
//! attempt made; what begins too late is cut off.

use std::time::Duration;

use http::{HeaderMap, Version, header};
use pingora_proxy::Session;
use portcullis_ir::BackendProtocol;
use portcullis_ir::route::Timeouts;
use tokio::time::Instant;

use super::ctx::RequestCtx;
use super::deadline::{self, Limit};
use super::grpc;
use super::refusal::Refusal;
use crate::limits;
use crate::upstream::peer::Exchange;

/// What is left for the whole request; `None` if the route sets no limit.
pub(super) fn left(ctx: &RequestCtx) -> Option<Duration> {
    let whole = ctx.timeouts.request?;
    Some(whole.saturating_sub(ctx.started.elapsed()))
}

/// A gRPC call need not take longer than its client waits for it, whatever the route allows: its
/// `grpc-timeout` is a `timeouts.request` of its own. The header goes on to the backend as it is.
pub(super) fn heed_client(ctx: &mut RequestCtx, request: &HeaderMap) {
    let of_client = ctx.is_call.then(|| grpc::timeout(request)).flatten();
    let both = ctx.timeouts.request.into_iter().chain(of_client);
    ctx.timeouts.request = both.min();
}

/// Sets when the request must be over, whatever attempts there are.
pub(super) fn limit_request(ctx: &RequestCtx) {
    let whole = ctx.timeouts.request;
    deadline::set_end(whole.and_then(|whole| ctx.started.checked_add(whole)));
}

/// How long the attempt that begins now may take, and its silences.
///
/// A tunnel may be silent for ever, and pingora's limit cannot be lifted when it opens: the answer
/// to a handshake has a deadline of ours instead.
pub(super) fn exchange(session: &Session, ctx: &mut RequestCtx) -> Exchange {
    ctx.asks_upgrade = asks_upgrade(session, ctx);
    let limit = limit_attempt(ctx);
    let connect = limit.map_or(limits::CONNECT_TIMEOUT, |limit| {
        limit.min(limits::CONNECT_TIMEOUT)
    });
    if !ctx.asks_upgrade {
        return Exchange {
            connect,
            silence: limit,
        };
    }
    match limit {
        Some(limit) => deadline::set_pause(Limit {
            at: Instant::now() + limit,
            refusal: Refusal::BackendTimeout,
        }),
        None => deadline::clear_pause(),
    }
    Exchange {
        connect,
        silence: None,
    }
}

/// Sets when the attempt that begins now must be over.
fn limit_attempt(ctx: &RequestCtx) -> Option<Duration> {
    let Timeouts {
        request: _,
        backend_request,
    } = ctx.timeouts;
    let limit = backend_request.into_iter().chain(left(ctx)).min()?;
    // Zero would be no limit to pingora.
    let limit = limit.max(Duration::from_millis(1));
    deadline::set_end(Instant::now().checked_add(limit));
    Some(limit)
}

/// Whether pingora passes an upgrade on: to WebSocket, over HTTP/1.1 on both sides.
fn asks_upgrade(session: &Session, ctx: &RequestCtx) -> bool {
    let request = session.req_header();
    let upgrade = request.headers.get(header::UPGRADE);
    request.version == Version::HTTP_11
        && ctx.backend_protocol() == Some(BackendProtocol::Http1)
        && upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Limits the next pause in a request's body over HTTP/2, which pingora does not.
///
/// Once the answer has begun there is no limit. For a gRPC call there never is one: a stream of
/// messages may rest for as long as its ends like, and many servers send the head of their answer
/// with their first message.
pub(super) fn limit_body_pause(session: &Session, ctx: &RequestCtx, limit: Duration) {
    let is_limited = !ctx.is_call && ctx.answered.is_none();
    if is_limited && session.req_header().version == Version::HTTP_2 {
        deadline::set_pause(Limit {
            at: Instant::now() + limit,
            refusal: Refusal::RequestTimeout,
        });
    }
}

/// Limits how long an answer may rest to a request whose backend was expected to open a tunnel,
/// and which therefore is under no limit of pingora's.
pub(super) fn limit_answer_pause() {
    deadline::set_pause(Limit {
        at: Instant::now() + limits::RESPONSE_WRITE_TIMEOUT,
        refusal: Refusal::BackendTimeout,
    });
}
