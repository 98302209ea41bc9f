//! One deadline per request, for waits that pingora sets no limit on or whose limit cannot be
//! changed half-way: a body over HTTP/2 and the answer to a WebSocket handshake.
//!
//! Whoever serves the request sets, moves and clears it; [`bounded`] gives the request up when it
//! is missed. There is no way into pingora's own waiting, so the stream is reset (HTTP/2) or the
//! connection closed after our last word (HTTP/1).

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use super::refusal::Refusal;
use crate::listener::connection::{Connection, HttpVersion};

tokio::task_local! {
    /// Of the request that is being served: pingora makes the context without a session.
    static DEADLINE: Arc<Deadline>;
}

/// When a request is given up.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    connection: Option<Arc<Connection>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    limit: Option<Limit>,
    missed: Option<Missed>,
}

/// What is waited for, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) at: Instant,
    /// What the request is given up as.
    pub(crate) refusal: Refusal,
    pub(crate) answer: Answer,
}

/// What the client has of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Owed,
    /// Its head.
    Begun,
}

/// What became of a request whose deadline was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) refusal: Refusal,
    /// The status of our last word; `None` if there was none.
    pub(crate) status: Option<StatusCode>,
}

impl Deadline {
    /// The deadline of the request that is being served.
    pub(crate) fn of_request() -> Arc<Self> {
        DEADLINE.try_with(Arc::clone).unwrap_or_default()
    }

    /// Sets or moves it.
    pub(crate) fn set(&self, limit: Limit) {
        self.state.lock().limit = Some(limit);
    }

    pub(crate) fn clear(&self) {
        self.state.lock().limit = None;
    }

    /// Set when the request is given up, before its context is dropped.
    pub(crate) fn missed(&self) -> Option<Missed> {
        self.state.lock().missed
    }

    /// Ready when the deadline is missed. It is set while the request is polled, so looking
    /// after each poll of the request is enough, and nobody needs to be woken.
    fn poll_missed(
        &self,
        timer: &mut Option<Pin<Box<Sleep>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Limit> {
        loop {
            let Some(limit) = self.state.lock().limit else {
                return Poll::Pending;
            };
            let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(limit.at)));
            if timer.deadline() > limit.at {
                timer.as_mut().reset(limit.at);
            }
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= limit.at {
                return Poll::Ready(limit);
            }
            timer.as_mut().reset(limit.at);
        }
    }

    fn miss(&self, limit: Limit) {
        let Limit {
            at: _,
            refusal,
            answer,
        } = limit;
        let http1 = self.connection.as_ref().filter(|connection| {
            connection.version == HttpVersion::Http1 && answer == Answer::Owed
        });
        let status = http1.and(refusal.status());
        if let (Some(connection), Some(status)) = (http1, status) {
            connection.set_last_word(status);
        }
        self.state.lock().missed = Some(Missed { refusal, status });
    }
}

/// Serves a request until it is done; `None` if it missed its deadline and was dropped.
pub(crate) async fn bounded<T>(
    connection: Option<Arc<Connection>>,
    serving: impl Future<Output = T>,
) -> Option<T> {
    let deadline = Arc::new(Deadline {
        connection,
        state: Mutex::default(),
    });
    let mut serving = pin!(DEADLINE.scope(Arc::clone(&deadline), serving));
    let mut timer = None;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = serving.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let limit = ready!(deadline.poll_missed(&mut timer, cx));
        deadline.miss(limit);
        Poll::Ready(None)
    })
    .await
}

#[cfg(test)]
mod tests;
