//! One attempt after the other at a request's backend: how one ended, and what [`super::retry`] makes
//! of it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::ctx::RequestCtx;
use super::deadline::Deadlines;
use super::message::{BackendError, ClientError};
use super::patience;
use super::refusal::Refusal;
use super::retry::{self, Again, Facts, Failure, Method, Price, Replay, Verdict};
use crate::limits;
use crate::upstream::budget::Grant;
use crate::upstream::cluster::{Others, Pick};
use crate::upstream::pool::ConnectError;

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The client is gone, or sends no HTTP.
    Client(ClientError),
    /// The backend is gone, or sends no HTTP.
    Backend(BackendError),
    /// No connection came about.
    Connect(ConnectError),
    /// What took too long.
    Missed(Refusal),
    /// The request cannot be put as its rule asks.
    Refused(Refusal),
    /// The answer is one that asks for another attempt, which has been decided on.
    Again,
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<BackendError> for Trouble {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl Trouble {
    /// What a request that is given up for it is answered with.
    pub(super) fn refusal(&self) -> Refusal {
        match self {
            Self::Client(ClientError::Gone(_)) => Refusal::ClientGone,
            Self::Client(ClientError::Malformed(_)) => Refusal::Malformed,
            Self::Backend(BackendError::Reset(_) | BackendError::Protocol(_)) => {
                Refusal::BackendProtocol
            }
            Self::Backend(
                BackendError::Closed
                | BackendError::Read(_)
                | BackendError::Write(_)
                | BackendError::Unprocessed,
            )
            | Self::Again => Refusal::BackendClosed,
            Self::Connect(error) => error.refusal(),
            Self::Missed(refusal) | Self::Refused(refusal) => *refusal,
        }
    }

    /// What the refusal leaves open.
    pub(super) fn detail(&self) -> Option<Arc<str>> {
        match self {
            Self::Connect(ConnectError::Tls(failure)) => Some(failure.to_string().into()),
            Self::Connect(_)
            | Self::Client(_)
            | Self::Backend(_)
            | Self::Missed(_)
            | Self::Refused(_)
            | Self::Again => None,
        }
    }
}

/// What a request has been through.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// Attempts begun.
    pub(crate) begun: u32,
    /// How often no connection came about.
    pub(crate) connect_failures: u32,
    /// What the backend has of it, at the attempt under way.
    pub(crate) sent: Sent,
    /// What the connection of the attempt under way had been used for.
    pub(crate) reused: Reused,
    /// The attempt to come, decided on when the last one failed.
    next: Option<Again>,
}

impl Attempts {
    fn retries(&self) -> u32 {
        self.begun.saturating_sub(1)
    }
}

/// Chooses the endpoint for the attempt to come.
pub(super) async fn pick(ctx: &mut RequestCtx<'_>) -> Result<(), Refusal> {
    let upstream = ctx.upstream.as_ref().ok_or(Refusal::Internal)?;
    ctx.pick = upstream.cluster.next(&ctx.failed).await;
    ctx.pick.as_ref().map(|_| ()).ok_or(Refusal::NoEndpoints)
}

/// Begins the first attempt, whose endpoint is chosen already, or the next one.
pub(super) async fn begin(ctx: &mut RequestCtx<'_>) -> Result<(), Refusal> {
    if ctx.attempts.begun == 0 {
        ctx.asked = ctx.logged_elapsed();
        count_request(ctx);
    } else {
        begin_again(ctx).await?;
    }
    ctx.attempts.begun += 1;
    patience::limit_attempt(ctx);
    Ok(())
}

/// Only requests that may be retried count for the budget, so that all others cost nothing.
fn count_request(ctx: &RequestCtx<'_>) {
    let retried = ctx.retry.as_ref().is_some_and(|policy| !policy.is_off());
    if let Some(upstream) = ctx.upstream.as_ref().filter(|_| retried) {
        upstream.cluster.budget.request();
    }
}

async fn begin_again(ctx: &mut RequestCtx<'_>) -> Result<(), Refusal> {
    ctx.attempts.sent = Sent::Head;
    ctx.attempts.reused = Reused::No;
    if let Some(again) = ctx.attempts.next.take()
        && !again.wait.is_zero()
    {
        tokio::time::sleep(again.wait).await;
    }
    pick(ctx).await
}

/// Whether `trouble` is followed by another attempt.
pub(super) fn follows_trouble(ctx: &mut RequestCtx<'_>, trouble: &Trouble) -> bool {
    // Decided when the answer came.
    if ctx.attempts.next.is_some() {
        return true;
    }
    failure_of(trouble, ctx.attempts.reused, ctx.attempts.sent)
        .is_some_and(|failure| follows(ctx, failure))
}

/// Whether an answer with `status` is followed by another attempt, and not passed on.
pub(super) fn follows_answer(ctx: &mut RequestCtx<'_>, status: StatusCode) -> bool {
    ctx.retry.is_some() && follows(ctx, Failure::Status(status))
}

/// What a connection to a backend had been used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reused {
    /// Other requests before.
    Yes,
    /// Nothing.
    #[default]
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

fn failure_of(trouble: &Trouble, reused: Reused, sent: Sent) -> Option<Failure> {
    use BackendError as E;
    Some(match trouble {
        Trouble::Missed(Refusal::BackendTimeout) => Failure::Timeout,
        Trouble::Client(_) | Trouble::Refused(_) | Trouble::Again | Trouble::Missed(_) => {
            return None;
        }
        Trouble::Connect(_) => Failure::Connect,
        // Without the end of its head there is no request.
        Trouble::Backend(E::Write(_)) if sent == Sent::Head => Failure::Unprocessed,
        Trouble::Backend(E::Closed | E::Read(_) | E::Write(_)) if reused == Reused::Yes => {
            Failure::Stale
        }
        // "the GOAWAY frame or RST_STREAM with REFUSED_STREAM": "Requests that have not been
        // processed have not failed; clients MAY automatically retry them, even those with
        // non-idempotent methods" (RFC 9113 section 8.7).
        Trouble::Backend(E::Unprocessed) => Failure::Unprocessed,
        Trouble::Backend(E::Closed | E::Read(_) | E::Write(_)) => Failure::Lost,
        Trouble::Backend(E::Reset(_) | E::Protocol(_)) => Failure::Broken,
    })
}

/// Whether `failure` is followed by another attempt.
fn follows(ctx: &mut RequestCtx<'_>, failure: Failure) -> bool {
    let verdict = retry::verdict(&facts(ctx), failure, entropy());
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

fn facts<'a>(ctx: &'a RequestCtx<'_>) -> Facts<'a> {
    Facts {
        policy: ctx.retry.as_deref(),
        method: method(ctx),
        replay: if ctx.kept.is_whole() && !ctx.has_answered() {
            Replay::Possible
        } else {
            Replay::Impossible
        },
        others: others(ctx),
        retries: ctx.attempts.retries(),
        connect_failures: ctx.attempts.connect_failures,
        left: patience::left(ctx),
    }
}

fn others(ctx: &RequestCtx<'_>) -> Others {
    match (&ctx.upstream, &ctx.pick) {
        (Some(upstream), Some(pick)) => upstream.cluster.others(pick, &ctx.failed),
        _ => Others::None,
    }
}

/// How long to wait for a connection: not for long if there is another endpoint to turn to, and less
/// where little time is left to turn to it.
pub(super) fn connect_within(ctx: &RequestCtx<'_>, pick: &Pick) -> Duration {
    let facts = facts(ctx);
    if retry::verdict(&facts, Failure::Connect, 0) == Verdict::Final {
        return limits::CONNECT_TIMEOUT;
    }
    let patience = pick.patience(facts.others);
    let Deadlines {
        request, attempt, ..
    } = ctx.deadlines;
    let Some(deadline) = request.into_iter().chain(attempt).min() else {
        return patience;
    };
    let half = deadline.saturating_duration_since(Instant::now()) / 2;
    if half < limits::CONNECT_PATIENCE_LEAST {
        return limits::CONNECT_TIMEOUT;
    }
    half.min(patience)
}

/// What sending the request twice means.
pub(super) fn method(ctx: &RequestCtx<'_>) -> Method {
    if ctx.method.is_idempotent() {
        Method::Idempotent
    } else {
        Method::Other
    }
}

/// Notes which endpoint the next attempt had better not go to. A pooled connection says little of
/// its endpoint: many close them when they have rested.
fn note_failure(ctx: &mut RequestCtx<'_>, failure: Failure) {
    if failure == Failure::Connect {
        ctx.attempts.connect_failures += 1;
    }
    if failure != Failure::Stale {
        let address = ctx.pick.as_ref().map(|pick| pick.address);
        ctx.failed.extend(address);
    }
}

fn is_granted(ctx: &RequestCtx<'_>) -> bool {
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
    use std::io;

    use super::*;

    #[test]
    fn failures_are_told_apart() {
        use BackendError as E;
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        let (stale, no) = (Reused::Yes, Reused::No);
        let (head, body) = (Sent::Head, Sent::Body);
        let reset = || E::Reset(h2::Reason::INTERNAL_ERROR);
        let cases = [
            (E::Unprocessed, no, body, Failure::Unprocessed),
            (E::Unprocessed, stale, body, Failure::Unprocessed),
            (reset(), stale, body, Failure::Broken),
            (E::Closed, stale, head, Failure::Stale),
            (E::Closed, no, head, Failure::Lost),
            (E::Read(broken()), stale, body, Failure::Stale),
            (E::Read(broken()), no, body, Failure::Lost),
            (E::Write(broken()), no, head, Failure::Unprocessed),
            (E::Write(broken()), stale, body, Failure::Stale),
            (E::Write(broken()), no, body, Failure::Lost),
            (E::Protocol("x"), stale, body, Failure::Broken),
        ];
        for (error, reused, sent, expected) in cases {
            let trouble = Trouble::Backend(error);
            let failure = failure_of(&trouble, reused, sent);
            assert_eq!(failure, Some(expected), "{trouble:?} {reused:?} {sent:?}");
        }
        let missed = Trouble::Missed(Refusal::BackendTimeout);
        assert_eq!(failure_of(&missed, no, body), Some(Failure::Timeout));
        for ours in [
            Trouble::Client(ClientError::Gone(broken())),
            Trouble::Missed(Refusal::RequestTimeout),
            Trouble::Refused(Refusal::BadTarget),
        ] {
            assert_eq!(failure_of(&ours, stale, head), None);
        }
    }
}
