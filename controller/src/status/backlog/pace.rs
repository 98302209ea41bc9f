//! When an object may be written again: a pause after each write, in which changes are gathered.

#[cfg(test)]
mod tests;

use std::time::Duration;

use portcullis_api::Kind;
use tokio::time::Instant;

/// The pause between two writes of one object, at first. Long enough to gather what the routes of
/// a Gateway that arrive together do to its `attachedRoutes`; short enough not to be noticed.
const PAUSE: Duration = Duration::from_millis(250);
/// The pause while there is always more to write.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The pause before a write that failed, or that somebody undid, is tried again, at most.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// After so long at rest, an object's pauses begin anew.
const REST: Duration = Duration::from_mins(1);
/// What counts others is written once nothing has changed for so long: then most likely the last of
/// the routes is counted, and what a ListenerSet and its route say of it is one write.
const LULL: Duration = Duration::from_millis(30);
/// The pause before a write in a lull. If it was not the end, it doubles.
const SHORT_PAUSE: Duration = Duration::from_millis(100);

/// When one object is written.
#[derive(Debug)]
pub(super) struct Pace {
    manner: Manner,
    last_write: Option<Instant>,
    pause: Duration,
    short_pause: Duration,
    /// Failures, or writes that somebody undid, in a row.
    vain: u32,
    /// What changed since the last write was begun.
    news: Option<News>,
    /// Why the last write was due.
    reason: Reason,
}

/// How an object's status comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// By what is said of itself: it is written at once.
    Alone,
    /// By others that are attached to it: they mostly come, and go, in numbers.
    Gathered,
}

/// When it changed what is to be said: first and last.
#[derive(Clone, Copy, Debug)]
struct News {
    first: Instant,
    last: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Nothing had changed for a while.
    Lull,
    /// It had been put off for long enough.
    Limit,
}

impl Pace {
    /// That of an object of this kind, which was never written.
    pub(super) fn new(kind: Kind) -> Self {
        let manner = match kind {
            Kind::Gateway | Kind::ListenerSet => Manner::Gathered,
            _ => Manner::Alone,
        };
        Self {
            manner,
            last_write: None,
            pause: PAUSE,
            short_pause: SHORT_PAUSE,
            vain: 0,
            news: None,
            reason: Reason::Limit,
        }
    }

    /// What is to be said has changed.
    pub(super) fn changed(&mut self, now: Instant) {
        let first = self.news.map_or(now, |news| news.first);
        self.news = Some(News { first, last: now });
    }

    /// Whether what is to be said has changed since the last write was begun.
    pub(super) fn has_news(&self) -> bool {
        self.news.is_some()
    }

    /// A write begins.
    pub(super) fn begin(&mut self) {
        self.vain = match self.news.take() {
            Some(_) => 0,
            None => self.vain.saturating_add(1),
        };
    }

    /// It was answered.
    pub(super) fn wrote(&mut self, now: Instant) {
        let since = self
            .last_write
            .map_or(Duration::MAX, |last| now.saturating_duration_since(last));
        let grown = |pause: Duration, least| {
            if since < pause * 2 {
                (pause * 2).min(LONGEST_PAUSE)
            } else {
                least
            }
        };
        self.short_pause = match self.reason {
            Reason::Lull => grown(self.short_pause, SHORT_PAUSE),
            Reason::Limit => SHORT_PAUSE,
        };
        self.pause = grown(self.pause, PAUSE);
        self.last_write = Some(now);
    }

    /// It failed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.last_write = Some(now);
    }

    /// When to write, if there is something to be written now.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        if let Some(last) = self.last_write
            && now.saturating_duration_since(last) > REST
        {
            self.pause = PAUSE;
            self.short_pause = SHORT_PAUSE;
            self.vain = 0;
        }
        let limit = self.limit(now);
        let due = self.lull().map_or(limit, |lull| limit.min(lull));
        self.reason = if due < limit {
            Reason::Lull
        } else {
            Reason::Limit
        };
        now.max(due)
    }

    /// When to write though there is always more.
    fn limit(&self, now: Instant) -> Instant {
        let vain = if self.has_news() { 0 } else { self.vain };
        let back_off = PAUSE.saturating_mul(2_u32.saturating_pow(vain));
        let pause = self.pause.max(back_off.min(LONGEST_BACK_OFF));
        let rested = self.last_write.map(|last| last + pause);
        match (self.manner, self.news) {
            (Manner::Gathered, Some(news)) => {
                let waited = news.first + PAUSE;
                rested.map_or(waited, |rested| rested.max(waited))
            }
            _ => rested.unwrap_or(now),
        }
    }

    /// When to write if nothing changes any more.
    fn lull(&self) -> Option<Instant> {
        let news = self.news.filter(|_| self.manner == Manner::Gathered)?;
        let lull = news.last + LULL;
        let rested = self.last_write.map(|last| last + self.short_pause);
        Some(rested.map_or(lull, |rested| rested.max(lull)))
    }
}
