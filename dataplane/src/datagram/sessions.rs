//! Which sessions there are, and which is the next to end.
//!
//! Knows neither sockets nor a clock: the time comes in with every question.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

/// What tells sessions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    /// The listening socket.
    pub(crate) inlet: InletId,
    /// Where its datagrams come from.
    pub(crate) client: SocketAddr,
    /// Which of this host's addresses they were sent to, if the socket takes several. Answers come
    /// from there: from anywhere else, the client would not take them.
    pub(crate) local: Option<IpAddr>,
}

/// A listening socket of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InletId(pub(crate) u64);

/// What bounds the sessions of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionLimits {
    /// How long a session without a datagram in either direction is kept.
    pub(crate) idle: Duration,
    /// How many there may be; zero is taken as one.
    pub(crate) count: usize,
}

/// Sessions by flow, with a `T` each.
///
/// Noting a datagram costs one lookup; the order of age is put right when it is asked for.
#[derive(Debug)]
pub(crate) struct Sessions<T> {
    limits: SessionLimits,
    /// By the keyed hash of the standard library: who can forge source addresses chooses the keys.
    by_flow: HashMap<Flow, Entry<T>>,
    /// By [`Entry::place`]: at most as late as the last datagram.
    by_age: BTreeMap<Place, Flow>,
    next: u64,
}

/// A time that a session had a datagram at, and a number of its own.
type Place = (Instant, u64);

#[derive(Debug)]
struct Entry<T> {
    value: T,
    last_datagram: Instant,
    place: Place,
}

impl<T> Sessions<T> {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            by_flow: HashMap::new(),
            by_age: BTreeMap::new(),
            next: 0,
        }
    }

    /// The session of a flow, which has a datagram now.
    pub(crate) fn touch(&mut self, flow: &Flow, now: Instant) -> Option<&T> {
        let entry = self.by_flow.get_mut(flow)?;
        entry.last_datagram = entry.last_datagram.max(now);
        Some(&entry.value)
    }

    /// Adds a session. Answers those that end for it: an earlier one of the same flow or, if there
    /// is no room, the one that has been idle for longest.
    pub(crate) fn insert(&mut self, flow: Flow, value: T, now: Instant) -> Replaced<T> {
        let replaced = match self.remove(&flow) {
            Some(earlier) => Replaced::Earlier(earlier),
            None if self.by_flow.len() >= self.limits.count.max(1) => self
                .evict_oldest()
                .map_or(Replaced::Nothing, Replaced::Evicted),
            None => Replaced::Nothing,
        };
        let place = (now, self.next);
        self.next += 1;
        self.by_age.insert(place, flow);
        let entry = Entry {
            value,
            last_datagram: now,
            place,
        };
        self.by_flow.insert(flow, entry);
        replaced
    }

    pub(crate) fn remove(&mut self, flow: &Flow) -> Option<T> {
        let entry = self.by_flow.remove(flow)?;
        self.by_age.remove(&entry.place);
        Some(entry.value)
    }

    /// As [`Sessions::remove`], if it is still the session that is meant.
    pub(crate) fn remove_if(
        &mut self,
        flow: &Flow,
        is_meant: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        if !is_meant(&self.by_flow.get(flow)?.value) {
            return None;
        }
        self.remove(flow)
    }

    /// Takes out the session that has been idle for longest.
    pub(crate) fn evict_oldest(&mut self) -> Option<T> {
        let flow = self.oldest()?;
        self.remove(&flow)
    }

    /// Takes out the sessions that have been idle for too long.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<T> {
        let mut expired = Vec::new();
        while let Some(flow) = self.oldest() {
            let is_due = |entry: &Entry<T>| entry.last_datagram + self.limits.idle <= now;
            if !self.by_flow.get(&flow).is_some_and(is_due) {
                break;
            }
            expired.extend(self.remove(&flow));
        }
        expired
    }

    /// Nothing expires before that; `None` if there is no session.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let ((noted, _), _) = self.by_age.first_key_value()?;
        Some(*noted + self.limits.idle)
    }

    /// Takes out the sessions of a listening socket.
    pub(crate) fn remove_inlet(&mut self, inlet: InletId) -> Vec<T> {
        let of_inlet = self.by_age.values().filter(|flow| flow.inlet == inlet);
        let flows: Vec<_> = of_inlet.copied().collect();
        flows.iter().filter_map(|flow| self.remove(flow)).collect()
    }

    /// The last time that one of those sessions of a listening socket had a datagram.
    pub(crate) fn last_datagram(
        &self,
        inlet: InletId,
        mut counts: impl FnMut(&T) -> bool,
    ) -> Option<Instant> {
        let of_inlet = self.by_age.values().filter(|flow| flow.inlet == inlet);
        of_inlet
            .filter_map(|flow| self.by_flow.get(flow))
            .filter(|entry| counts(&entry.value))
            .map(|entry| entry.last_datagram)
            .max()
    }

    /// The flow that has been idle for longest. Puts those in front of it into their places: each
    /// has had a datagram since it was last looked at.
    fn oldest(&mut self) -> Option<Flow> {
        loop {
            let (noted, flow) = self.by_age.pop_first()?;
            let Some(entry) = self.by_flow.get_mut(&flow) else {
                continue;
            };
            let is_in_place = entry.last_datagram == noted.0;
            entry.place = (entry.last_datagram, noted.1);
            self.by_age.insert(entry.place, flow);
            if is_in_place {
                return Some(flow);
            }
        }
    }
}

/// What [`Sessions::insert`] put an end to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replaced<T> {
    /// No session.
    Nothing,
    /// The flow's earlier session.
    Earlier(T),
    /// The session of another flow, for want of room.
    Evicted(T),
}

#[cfg(test)]
mod tests;
