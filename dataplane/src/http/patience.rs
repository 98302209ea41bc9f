//! How long client and backend may rest while a request is served.

use std::time::Duration;

use http::{Version, header};
use pingora_proxy::Session;
use portcullis_ir::BackendProtocol;
use tokio::time::Instant;

use super::ctx::RequestCtx;
use super::deadline::{Answer, Limit};
use super::refusal::Refusal;
use crate::limits;
use crate::upstream::peer::Exchange;

/// How long a silent backend is waited for: what the route gives for one attempt, and no longer
/// than what is left for the whole request.
fn silence(ctx: &RequestCtx) -> Option<Duration> {
    let timeouts = ctx.timeouts;
    let left = timeouts
        .request
        .map(|all| all.saturating_sub(ctx.started.elapsed()));
    let left = left.map(|left| left.max(Duration::from_millis(1)));
    timeouts.backend_request.into_iter().chain(left).min()
}

/// How long pingora waits for a silent backend.
///
/// A tunnel may be silent for ever, and pingora's limit cannot be lifted when it opens: the answer
/// to a handshake has a deadline of ours instead.
pub(super) fn exchange(session: &Session, ctx: &mut RequestCtx) -> Exchange {
    let silence = silence(ctx);
    ctx.asks_upgrade = asks_upgrade(session, ctx);
    if !ctx.asks_upgrade {
        return Exchange { silence };
    }
    match silence {
        Some(silence) => ctx.deadline.set(Limit {
            at: Instant::now() + silence,
            refusal: Refusal::BackendTimeout,
            answer: Answer::Owed,
        }),
        None => ctx.deadline.clear(),
    }
    Exchange { silence: None }
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
/// Once the answer has begun there is no limit: a stream of messages in both directions, as gRPC
/// has them, may rest for as long as its ends like.
pub(super) fn limit_body_pause(session: &Session, ctx: &RequestCtx, limit: Duration) {
    if session.req_header().version == Version::HTTP_2 && ctx.answered.is_none() {
        ctx.deadline.set(Limit {
            at: Instant::now() + limit,
            refusal: Refusal::RequestTimeout,
            answer: Answer::Owed,
        });
    }
}

/// Limits how long an answer may rest to a request whose backend was expected to open a tunnel,
/// and which therefore is under no limit of pingora's.
pub(super) fn limit_answer_pause(ctx: &RequestCtx) {
    ctx.deadline.set(Limit {
        at: Instant::now() + limits::RESPONSE_WRITE_TIMEOUT,
        refusal: Refusal::BackendTimeout,
        answer: Answer::Begun,
    });
}
