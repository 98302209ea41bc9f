//! When a request is given up.
//!
//! Each wait has a deadline of its own; the exchange looks at the first of them after it has done
//! what there was to do. A request without deadlines costs no timer, and one with deadlines moves the
//! timer of its connection only where it would be late: a timer that fires too early is set again.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

use super::refusal::Refusal;

/// The deadlines of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadlines {
    /// Of the request, whatever attempts there are.
    pub(crate) request: Option<Instant>,
    /// Of the attempt under way.
    pub(crate) attempt: Option<Instant>,
    /// Of the pause within the request's body.
    pub(crate) body: Option<Instant>,
    /// Of the answer that the client leaves unread.
    pub(crate) unread: Option<Instant>,
}

/// What is waited for, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) at: Instant,
    /// What the request is given up as.
    pub(crate) refusal: Refusal,
}

impl Deadlines {
    /// The first deadline to be missed.
    pub(crate) fn first(&self) -> Option<Limit> {
        let limit = |at: Option<Instant>, refusal| at.map(|at| Limit { at, refusal });
        let all = [
            limit(self.request, Refusal::BackendTimeout),
            limit(self.attempt, Refusal::BackendTimeout),
            limit(self.body, Refusal::RequestTimeout),
            limit(self.unread, Refusal::ClientGone),
        ];
        all.into_iter().flatten().min_by_key(|limit| limit.at)
    }

    /// Ready when a deadline is missed.
    pub(crate) fn poll_missed(&self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<Refusal> {
        let Some(limit) = self.first() else {
            return Poll::Pending;
        };
        ready!(timer.poll_at(limit.at, cx));
        Poll::Ready(limit.refusal)
    }
}

/// The timer of a connection, used by one wait after the other.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready from `at` on.
    pub(crate) fn poll_at(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = (self.0).get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_deadline_is_the_one_that_is_missed() {
        let (soon, late) = (after(1), after(2));
        let deadlines = Deadlines {
            request: Some(late),
            body: Some(soon),
            ..Deadlines::default()
        };
        let first = deadlines.first().unwrap();
        assert_eq!((first.at, first.refusal), (soon, Refusal::RequestTimeout));
        assert_eq!(Deadlines::default().first(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_can_be_moved_both_ways() {
        let mut timer = Timer::default();
        for seconds in [10, 1, 20] {
            let at = after(seconds);
            std::future::poll_fn(|cx| timer.poll_at(at, cx)).await;
            assert_eq!(Instant::now(), at);
            let never = std::future::poll_fn(|cx| timer.poll_at(after(60), cx));
            assert!(never.now_or_never().is_none());
        }
    }
}
