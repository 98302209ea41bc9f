//! Whether a failed attempt is followed by another (GEP-1731).
//!
//! | What failed | With `retry` | Without |
//! |---|---|---|
//! | no connection | tried again | at up to four other endpoints, at once |
//! | the backend says it did nothing (REFUSED_STREAM, GOAWAY) | tried again | twice, at once |
//! | a pooled connection was dead | idempotent methods | idempotent methods, twice |
//! | the connection ended before anything was answered | idempotent methods, if 502 is in `codes` | idempotent methods, twice |
//! | an answer in `codes` | tried again, whatever the method | no |
//! | `backendRequest` ran out | idempotent methods | no |
//! | the stream was reset, or the answer is no HTTP | idempotent methods, if 502 is in `codes` | no |
//!
//! "A proxy MUST NOT automatically retry non-idempotent requests" (RFC 9110 section 9.2.2). Whoever
//! lists a code says that an answer with it may be asked for again. `attempts` does not count what
//! was not sent: that no connection came about is tried elsewhere whatever else it says, save zero.
//!
//! Deviation: "Implementations SHOULD NOT retry by default on failures where the request may have been
//! processed (e.g., a connection reset after the request was sent)" (`HTTPRouteRetry`). For idempotent
//! methods we do, where the rule says nothing of retries: "the effect for a single such request" is that
//! of two, and a backend that is replaced without being drained would fail them otherwise. "MUST
//! clearly document this behavior": `docs/http.md`.
//!
//! Nothing is tried again once the client has a part of its answer, nor when its body no longer fits
//! in what is kept of it ([`limits::KEPT_BODY`]): a body that long streams through.

mod backoff;

use std::time::Duration;

use http::StatusCode;
use portcullis_ir::route;

use self::backoff::Backoff;
use crate::limits;
use crate::metrics::RetryReason;
use crate::upstream::cluster::Others;

/// What a rule says about retries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    codes: Box<[u16]>,
    attempts: u32,
    backoff: Backoff,
}

impl Policy {
    pub(crate) fn new(retry: &route::Retry) -> Self {
        let route::Retry {
            codes,
            attempts,
            backoff,
        } = retry;
        Self {
            codes: codes.iter().copied().collect(),
            attempts: (*attempts).min(limits::MAX_RETRIES),
            backoff: backoff.map_or(Backoff::DEFAULT, Backoff::new),
        }
    }

    /// "An explicit zero value MUST disable retries." (`HTTPRouteRetry.Attempts`)
    pub(crate) fn is_off(&self) -> bool {
        self.attempts == 0
    }

    fn lists(&self, status: StatusCode) -> bool {
        self.codes.contains(&status.as_u16())
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection came about.
    Connect,
    /// The backend says that it has not looked at the request.
    Unprocessed,
    /// A connection from the pool broke before anything was answered.
    Stale,
    /// A new connection broke before anything was answered.
    Lost,
    /// The attempt's time ran out.
    Timeout,
    /// The backend reset the stream, or what came is no HTTP.
    Broken,
    /// The backend answered.
    Status(StatusCode),
}

/// What is to be known of a request to decide on its next attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// What its rule says.
    pub(crate) policy: Option<&'a Policy>,
    /// "A request method is considered "idempotent" if the intended effect on the server of multiple
    /// identical requests with that method is the same as the effect for a single such request" (RFC
    /// 9110 section 9.2.2).
    pub(crate) method: Method,
    /// Whether it can be sent again as it was.
    pub(crate) replay: Replay,
    /// The endpoints at which it has not failed.
    pub(crate) others: Others,
    /// How often it was tried again already.
    pub(crate) retries: u32,
    /// How often no connection came about, before this time.
    pub(crate) connect_failures: u32,
    /// What is left of the time for the whole request.
    pub(crate) left: Option<Duration>,
}

/// What sending a request twice means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// The same as sending it once.
    Idempotent,
    /// Another effect.
    Other,
}

/// Whether a request can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// What was read of its body is at hand, and nothing was answered.
    Possible,
    /// The answer has begun, or the body was too long to keep.
    Impossible,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another attempt.
    Again(Again),
    /// The failure is the answer.
    Final,
}

/// Another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// How long to wait before it.
    pub(crate) wait: Duration,
    /// What it is counted as.
    pub(crate) reason: RetryReason,
    pub(crate) price: Price,
}

/// What a retry costs of its backend's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Price {
    /// It is no load on a backend that is in trouble.
    Free,
    /// One retry.
    One,
}

/// What follows `failure`. `entropy` is any number: it spreads waits.
pub(crate) fn verdict(facts: &Facts<'_>, failure: Failure, entropy: u64) -> Verdict {
    let Facts {
        policy,
        method,
        replay,
        others: _,
        retries,
        connect_failures: _,
        left,
    } = *facts;
    if replay == Replay::Impossible || policy.is_some_and(Policy::is_off) {
        return Verdict::Final;
    }
    let again = if is_free(facts, failure) {
        Again {
            wait: Duration::ZERO,
            reason: reason(failure),
            price: Price::Free,
        }
    } else if let Some(policy) = policy.filter(|policy| {
        // "Attempts specifies the maximum number of times an individual request from the Gateway
        // to a backend should be retried" (`HTTPRouteRetry.Attempts`)
        retries < policy.attempts && is_asked(policy, failure, method)
    }) {
        Again {
            wait: policy.backoff.wait(retries, entropy),
            reason: reason(failure),
            price: Price::One,
        }
    } else {
        return Verdict::Final;
    };
    // "the entire duration of the initial request and any retry attempts MUST not exceed the Request
    // timeout duration" (`HTTPRouteRetry.Backoff`): what could not begin in time is not waited for.
    if left.is_some_and(|left| again.wait >= left) {
        return Verdict::Final;
    }
    Verdict::Again(again)
}

/// Whether the gateway tries again of its own accord, at once: the backend has not seen the request,
/// most likely has not, or may see it twice.
fn is_free(facts: &Facts<'_>, failure: Failure) -> bool {
    let Facts {
        policy,
        method,
        replay: _,
        others,
        retries,
        connect_failures,
        left: _,
    } = *facts;
    let allowed = policy.map_or(limits::UNASKED_RETRIES, |policy| {
        policy.attempts.min(limits::UNASKED_RETRIES)
    });
    let unasked = retries.saturating_sub(connect_failures) < allowed;
    let idempotent = method == Method::Idempotent;
    match failure {
        Failure::Connect => match others {
            Others::Sound | Others::Unsound => connect_failures < limits::UNASKED_CONNECTS,
            Others::None => connect_failures == 0,
        },
        Failure::Unprocessed => unasked,
        Failure::Stale => unasked && idempotent,
        Failure::Lost => unasked && idempotent && policy.is_none(),
        Failure::Timeout | Failure::Broken | Failure::Status(_) => false,
    }
}

/// Whether `policy` asks for another attempt.
fn is_asked(policy: &Policy, failure: Failure, method: Method) -> bool {
    match failure {
        // "Implementations SHOULD retry when a retry stanza is configured and the connection could
        // not be established (e.g., connect timeout, connection refused, TLS handshake failure), or
        // the backend explicitly rejected the request before processing it (e.g., HTTP/2
        // REFUSED_STREAM, gRPC UNAVAILABLE)" (`HTTPRouteRetry`)
        Failure::Connect | Failure::Unprocessed => true,
        Failure::Status(status) => policy.lists(status),
        // "any retry attempts which reach the configured BackendRequest timeout duration without a
        // response SHOULD be canceled if possible and the Gateway SHOULD schedule the next retry
        // attempt according to the configured backoff" (`HTTPRouteRetry.Backoff`)
        Failure::Timeout | Failure::Stale => method == Method::Idempotent,
        Failure::Lost | Failure::Broken => {
            method == Method::Idempotent && policy.lists(StatusCode::BAD_GATEWAY)
        }
    }
}

fn reason(failure: Failure) -> RetryReason {
    match failure {
        Failure::Connect => RetryReason::ConnectFailed,
        Failure::Unprocessed => RetryReason::Unprocessed,
        Failure::Stale => RetryReason::StaleConnection,
        Failure::Timeout => RetryReason::Timeout,
        Failure::Lost | Failure::Broken => RetryReason::BackendClosed,
        Failure::Status(_) => RetryReason::Status,
    }
}

#[cfg(test)]
mod tests;
