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
//! Until the answer begins, what takes too long is a 504 or another attempt; later it is cut off.

use std::time::Duration;

use http::HeaderMap;
use portcullis_ir::route::Timeouts;
use tokio::time::Instant;

use super::ctx::RequestCtx;
use super::grpc;
use crate::limits;

/// What is left for the whole request; `None` if the route sets no limit.
pub(super) fn left(ctx: &RequestCtx<'_>) -> Option<Duration> {
    let whole = ctx.timeouts.request?;
    Some(whole.saturating_sub(ctx.started.elapsed()))
}

/// A gRPC call need not take longer than its client waits for it, whatever the route allows: its
/// `grpc-timeout` is a `timeouts.request` of its own. The header goes on to the backend as it is.
pub(super) fn heed_client(ctx: &mut RequestCtx<'_>, request: &HeaderMap) {
    if ctx.is_call {
        let both = ctx
            .timeouts
            .request
            .into_iter()
            .chain(grpc::timeout(request));
        ctx.timeouts.request = both.min();
    }
}

/// Sets when the request must be over, whatever attempts there are.
pub(super) fn limit_request(ctx: &mut RequestCtx<'_>) {
    let whole = ctx.timeouts.request;
    ctx.deadlines.request = whole.and_then(|whole| ctx.started.checked_add(whole));
}

/// Sets when the attempt that begins now must be over.
pub(super) fn limit_attempt(ctx: &mut RequestCtx<'_>) {
    let Timeouts {
        request: _,
        backend_request,
    } = ctx.timeouts;
    ctx.deadlines.attempt = backend_request.and_then(|limit| Instant::now().checked_add(limit));
}

/// Limits the pause in a request's body that begins now, unless it has begun before.
///
/// Once the answer has begun there is no limit. For a gRPC call there never is one: a stream of
/// messages may rest for as long as its ends like, and many servers send the head of their answer
/// with their first message.
pub(super) fn limit_body_pause(ctx: &mut RequestCtx<'_>) {
    if !ctx.is_call && !ctx.has_answered() {
        let limit = ctx.shared.body_timeout;
        (ctx.deadlines.body).get_or_insert_with(|| Instant::now() + limit);
    }
}

/// Limits how long the client may leave unread what waits for it from now on, unless it has waited
/// before.
pub(super) fn limit_unread(ctx: &mut RequestCtx<'_>) {
    let limit = limits::RESPONSE_WRITE_TIMEOUT;
    (ctx.deadlines.unread).get_or_insert_with(|| Instant::now() + limit);
}
