//! The deadlines of one request, for waits that pingora sets no limit on or whose limit cannot be
//! changed half-way: the whole request, a body over HTTP/2, the answer to a WebSocket handshake.
//!
//! Whoever serves the request sets, moves and clears them; [`bounded`] gives the request up when one
//! is missed. There is no way into pingora's own waiting, so the stream is reset (HTTP/2) or the
//! connection closed after our last word (HTTP/1).
//!
//! They are reached through a thread-local that holds a value only while the request is polled:
//! pingora makes the context without a session. A request without deadlines costs no allocation,
//! lock or timer.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, Sleep};

use super::refusal::Refusal;
use crate::limits;
use crate::listener::connection::{Connection, HttpVersion};

thread_local! {
    /// Of the request that is being polled.
    static SERVED: Cell<Deadlines> = const { Cell::new(Deadlines::NONE) };
}

/// When a request is given up.
#[derive(Clone, Copy, Debug)]
struct Deadlines {
    /// Of the wait under way.
    pause: Option<Limit>,
    /// Of the attempt or the whole request, whichever ends first.
    end: Option<Instant>,
    answer: Answer,
    missed: Option<Missed>,
}

/// What is waited for, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) at: Instant,
    /// What the request is given up as.
    pub(crate) refusal: Refusal,
}

/// What the client has of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
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

/// Sets or moves the deadline of the wait under way.
pub(crate) fn set_pause(limit: Limit) {
    change(|deadlines| deadlines.pause = Some(limit));
}

/// The wait is over.
pub(crate) fn clear_pause() {
    change(|deadlines| deadlines.pause = None);
}

/// Sets when the attempt or the whole request must be over, or that it need not.
pub(crate) fn set_end(end: Option<Instant>) {
    change(|deadlines| deadlines.end = end);
}

/// The answer goes out from now on: what is missed later cuts it off.
pub(crate) fn answer_begins() {
    change(|deadlines| deadlines.answer = Answer::Begun);
}

/// Nothing is waited for any more.
pub(crate) fn clear() {
    change(|deadlines| (deadlines.pause, deadlines.end) = (None, None));
}

/// Set when the request is given up, before its context is dropped.
pub(crate) fn missed() -> Option<Missed> {
    SERVED.get().missed
}

fn change(how: impl FnOnce(&mut Deadlines)) {
    let mut deadlines = SERVED.get();
    how(&mut deadlines);
    SERVED.set(deadlines);
}

impl Deadlines {
    const NONE: Self = Self {
        pause: None,
        end: None,
        answer: Answer::Owed,
        missed: None,
    };

    /// Does something of the request's, which may look at the deadlines and change them.
    fn lend<T>(&mut self, polled: impl FnOnce() -> T) -> T {
        let outer = SERVED.replace(*self);
        let done = polled();
        *self = SERVED.replace(outer);
        done
    }

    /// The first deadline to be missed.
    ///
    /// Until the answer begins the end is pingora's business, whose timers leave room for an answer
    /// and for another attempt; ours is for what they do not see, such as an answer head that comes
    /// byte by byte.
    fn first(&self) -> Option<Limit> {
        let grace = match self.answer {
            Answer::Owed => limits::END_GRACE,
            Answer::Begun => Duration::ZERO,
        };
        let end = self.end.map(|end| Limit {
            at: end.checked_add(grace).unwrap_or(end),
            refusal: Refusal::BackendTimeout,
        });
        let both = self.pause.into_iter().chain(end);
        both.min_by_key(|limit| limit.at)
    }

    /// Ready when a deadline is missed. They are changed while the request is polled, so looking
    /// after each poll of the request is enough, and nobody needs to be woken.
    fn poll_missed(
        &self,
        timer: &mut Option<Pin<Box<Sleep>>>,
        cx: &mut Context<'_>,
    ) -> Poll<Limit> {
        loop {
            let Some(limit) = self.first() else {
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

    fn miss(&mut self, refusal: Refusal, connection: Option<&Connection>) {
        let owed = self.answer == Answer::Owed;
        let http1 = connection.filter(|at| owed && at.version == HttpVersion::Http1);
        let status = http1.and(refusal.status());
        if let (Some(connection), Some(status)) = (http1, status) {
            connection.set_last_word(status);
        }
        self.missed = Some(Missed { refusal, status });
    }
}

/// Serves a request until it is done; `None` if it missed a deadline and was dropped.
pub(crate) async fn bounded<T>(
    connection: Option<Arc<Connection>>,
    serving: impl Future<Output = T>,
) -> Option<T> {
    let mut serving = pin!(Some(serving));
    let mut deadlines = Deadlines::NONE;
    let mut timer = None;
    std::future::poll_fn(|cx| {
        let Some(request) = serving.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(done) = deadlines.lend(|| request.poll(cx)) {
            return Poll::Ready(Some(done));
        }
        let Limit { at: _, refusal } = ready!(deadlines.poll_missed(&mut timer, cx));
        deadlines.miss(refusal, connection.as_deref());
        deadlines.lend(|| serving.set(None));
        Poll::Ready(None)
    })
    .await
}

#[cfg(test)]
mod tests;
