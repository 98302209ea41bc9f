//! One attempt after the other at a request's backend: what pingora's phases ask, on one side, and
//! the decisions of [`super::retry`] on the other.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use http::StatusCode;
use pingora_error::{Error, ErrorSource, ErrorType, RetryType};
use pingora_proxy::Session;

use super::ctx::RequestCtx;
use super::patience;
use super::refusal::Refusal;
use super::respond::has_answered;
use super::retry::{self, Again, Facts, Failure, Method, Price, Replay, Verdict};
use crate::upstream::budget::Grant;

/// What a request has been through.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// Attempts begun.
    pub(crate) begun: u32,
    /// How often no connection came about.
    pub(crate) connect_failures: u32,
    /// What the backend has of it, at the attempt under way.
    pub(crate) sent: Sent,
    /// The attempt to come, decided on when the last one failed.
    next: Option<Again>,
}

impl Attempts {
    fn retries(&self) -> u32 {
        self.begun.saturating_sub(1)
    }
}

/// Chooses the endpoint for the attempt to come.
pub(super) async fn pick(ctx: &mut RequestCtx) -> Result<(), Refusal> {
    let upstream = ctx.upstream.as_ref().ok_or(Refusal::Internal)?;
    ctx.pick = upstream.cluster.next(&ctx.failed).await;
    ctx.pick.as_ref().map(|_| ()).ok_or(Refusal::NoEndpoints)
}

/// Begins the first attempt, whose endpoint is chosen already, or the next one.
pub(super) async fn begin(ctx: &mut RequestCtx) {
    ctx.asked.get_or_insert_with(|| ctx.started.elapsed());
    if ctx.attempts.begun == 0 {
        count_request(ctx);
    } else {
        begin_again(ctx).await;
    }
    ctx.attempts.begun += 1;
}

/// Only requests that may be retried count for the budget, so that all others cost nothing.
fn count_request(ctx: &RequestCtx) {
    let retried = ctx.retry.as_ref().is_some_and(|policy| !policy.is_off());
    if let Some(upstream) = ctx.upstream.as_ref().filter(|_| retried) {
        upstream.cluster.budget.request();
    }
}

async fn begin_again(ctx: &mut RequestCtx) {
    // What is kept of the body is sent, and counted, once more.
    ctx.bytes_in = 0;
    ctx.attempts.sent = Sent::Head;
    patience::limit_request(ctx);
    if let Some(again) = ctx.attempts.next.take()
        && !again.wait.is_zero()
    {
        tokio::time::sleep(again.wait).await;
    }
    if let Err(refusal) = pick(ctx).await {
        ctx.refusal = Some(refusal);
    }
}

/// Whether `error` is followed by another attempt.
pub(super) fn follows_error(
    session: &Session,
    ctx: &mut RequestCtx,
    error: &Error,
    reused: Reused,
) -> bool {
    // Decided when the answer came.
    if ctx.attempts.next.is_some() {
        return true;
    }
    failure_of(error, reused, ctx.attempts.sent)
        .is_some_and(|failure| follows(session, ctx, failure))
}

/// Whether an answer with `status` is followed by another attempt, and not passed on.
pub(super) fn follows_answer(session: &Session, ctx: &mut RequestCtx, status: StatusCode) -> bool {
    ctx.retry.is_some() && follows(session, ctx, Failure::Status(status))
}

/// What a connection to a backend had been used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reused {
    /// Other requests before.
    Yes,
    /// Nothing.
    No,
}

/// What of a request has been sent to a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sent {
    /// No more than its head.
    #[default]
    Head,
    /// Something of its body, or that it has none.
    Body,
}

fn failure_of(error: &Error, reused: Reused, sent: Sent) -> Option<Failure> {
    if *error.esource() != ErrorSource::Upstream {
        return None;
    }
    Some(match (error.etype(), error.retry) {
        (ErrorType::ReadTimedout | ErrorType::WriteTimedout, _) => Failure::Timeout,
        // These pingora would send again over HTTP/1.1: the backend may have seen the request.
        (ErrorType::H2Downgrade | ErrorType::InvalidH2, _) => Failure::Broken,
        // All that was written before is the head, and without its end there is no request.
        (ErrorType::WriteError, _) if sent == Sent::Head => Failure::Unprocessed,
        // pingora marks only some of what befalls an idle connection, and nothing of TLS.
        (ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed, _)
            if reused == Reused::Yes =>
        {
            Failure::Stale
        }
        // "the GOAWAY frame or RST_STREAM with REFUSED_STREAM": "Requests that have not been
        // processed have not failed; clients MAY automatically retry them, even those with
        // non-idempotent methods" (RFC 9113 section 8.7).
        (_, RetryType::Decided(true)) => Failure::Unprocessed,
        (_, RetryType::ReusedOnly | RetryType::Decided(false)) => Failure::Broken,
    })
}

/// Whether `failure` is followed by another attempt.
pub(super) fn follows(session: &Session, ctx: &mut RequestCtx, failure: Failure) -> bool {
    let verdict = retry::verdict(&facts(session, ctx), failure, entropy());
    note_failure(ctx, failure);
    let Verdict::Again(again) = verdict else {
        return false;
    };
    if again.price == Price::One && !is_granted(ctx) {
        return false;
    }
    if let Some(metrics) = ctx.spot.as_ref().and_then(|spot| spot.metrics.as_deref()) {
        metrics.retries[again.reason].increment();
    }
    ctx.attempts.next = Some(again);
    true
}

fn facts<'a>(session: &Session, ctx: &'a RequestCtx) -> Facts<'a> {
    let kept = !session.as_downstream().retry_buffer_truncated();
    let method = if session.req_header().method.is_idempotent() {
        Method::Idempotent
    } else {
        Method::Other
    };
    Facts {
        policy: ctx.retry.as_deref(),
        method,
        replay: if kept && !has_answered(session) {
            Replay::Possible
        } else {
            Replay::Impossible
        },
        retries: ctx.attempts.retries(),
        connect_failures: ctx.attempts.connect_failures,
        left: patience::left(ctx),
    }
}

/// Notes which endpoint the next attempt had better not go to. A pooled connection says little of
/// its endpoint: many close them when they have rested.
fn note_failure(ctx: &mut RequestCtx, failure: Failure) {
    if failure == Failure::Connect {
        ctx.attempts.connect_failures += 1;
    }
    if failure != Failure::Stale {
        let address = ctx.pick.as_ref().map(|pick| pick.address);
        ctx.failed.extend(address);
    }
}

fn is_granted(ctx: &RequestCtx) -> bool {
    let Some(upstream) = &ctx.upstream else {
        return false;
    };
    let granted = upstream.cluster.budget.take() == Grant::Granted;
    if !granted && let Some(metrics) = ctx.spot.as_ref().and_then(|spot| spot.metrics.as_deref()) {
        metrics.retry_budget_exhausted.increment();
    }
    granted
}

/// Another number for each retry: the hasher's keys are random once and counted on from there.
fn entropy() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart() {
        use ErrorType as E;
        let upstream = |kind: E, retry: RetryType| {
            let mut error = Error::new_up(kind);
            error.retry = retry;
            error
        };
        let no = RetryType::Decided(false);
        let yes = RetryType::Decided(true);
        let reused_only = RetryType::ReusedOnly;
        let cases = [
            (
                E::ReadTimedout,
                no,
                Reused::Yes,
                Sent::Body,
                Failure::Timeout,
            ),
            (
                E::WriteTimedout,
                no,
                Reused::No,
                Sent::Head,
                Failure::Timeout,
            ),
            (
                E::H2Error,
                yes,
                Reused::No,
                Sent::Body,
                Failure::Unprocessed,
            ),
            (E::InvalidH2, yes, Reused::No, Sent::Body, Failure::Broken),
            (E::H2Downgrade, no, Reused::No, Sent::Body, Failure::Broken),
            (
                E::ConnectionClosed,
                reused_only,
                Reused::Yes,
                Sent::Head,
                Failure::Stale,
            ),
            (
                E::ConnectionClosed,
                reused_only,
                Reused::No,
                Sent::Head,
                Failure::Broken,
            ),
            (E::ReadError, no, Reused::Yes, Sent::Body, Failure::Stale),
            (E::ReadError, no, Reused::No, Sent::Body, Failure::Broken),
            (
                E::WriteError,
                no,
                Reused::No,
                Sent::Head,
                Failure::Unprocessed,
            ),
            (E::WriteError, no, Reused::Yes, Sent::Body, Failure::Stale),
            (E::WriteError, no, Reused::No, Sent::Body, Failure::Broken),
            (
                E::InvalidHTTPHeader,
                no,
                Reused::Yes,
                Sent::Body,
                Failure::Broken,
            ),
        ];
        for (kind, retry, reused, sent, expected) in cases {
            let error = upstream(kind, retry);
            let failure = failure_of(&error, reused, sent);
            assert_eq!(failure, Some(expected), "{error} {reused:?} {sent:?}");
        }
        for ours in [
            Error::new_down(E::ReadError),
            Error::new_in(E::InternalError),
        ] {
            assert_eq!(failure_of(&ours, Reused::Yes, Sent::Head), None);
        }
    }
}
