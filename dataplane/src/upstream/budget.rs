//! How many retries a backend is given (GEP-3388).
//!
//! "the percentage of incoming traffic composed of retries over a given time interval": a backend that
//! fails every request would otherwise get several times the load it already cannot bear. The last
//! ten seconds are counted in slots of one second, each an atomic number: there is no lock, and threads
//! that ask at the same moment let a retry too many pass at worst.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{RETRY_BUDGET_FLOOR, RETRY_BUDGET_PERCENT, RETRY_BUDGET_SECONDS};

/// The retries of one backend.
#[derive(Debug)]
pub(crate) struct Budget {
    since: Instant,
    slots: [AtomicU64; RETRY_BUDGET_SECONDS],
}

/// Whether there is room for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// There was, and it has been taken.
    Granted,
    /// There is none.
    Exhausted,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            slots: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Counts a request that may be retried.
    pub(crate) fn request(&self) {
        self.count(self.now(), Slot::REQUEST);
    }

    /// Takes room for a retry.
    pub(crate) fn take(&self) -> Grant {
        self.take_at(self.now())
    }

    fn now(&self) -> Second {
        Second::of(self.since.elapsed())
    }

    fn take_at(&self, second: Second) -> Grant {
        let (requests, retries) = self.recent(second);
        let with_this = (requests + retries + 1) * RETRY_BUDGET_PERCENT;
        if retries >= RETRY_BUDGET_FLOOR && (retries + 1) * 100 > with_this {
            return Grant::Exhausted;
        }
        self.count(second, Slot::RETRY);
        Grant::Granted
    }

    /// Requests and retries of the last seconds.
    fn recent(&self, now: Second) -> (u64, u64) {
        let slots = self.slots.iter();
        let slots = slots.map(|slot| Slot(slot.load(Ordering::Relaxed)));
        let recent = slots.filter(|slot| slot.second().age(now) < LENGTH);
        recent.fold((0, 0), |(requests, retries), slot| {
            (requests + slot.requests(), retries + slot.retries())
        })
    }

    fn count(&self, second: Second, one: u64) {
        let place = usize::try_from(second.0 % LENGTH).unwrap_or(0);
        let Some(slot) = self.slots.get(place) else {
            return;
        };
        let mut old = slot.load(Ordering::Relaxed);
        loop {
            let new = Slot(old).at(second).plus(one).0;
            match slot.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => old = other,
            }
        }
    }
}

const LENGTH: u64 = RETRY_BUDGET_SECONDS as u64;

/// A second's number, of 24 bits: it comes round after half a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Second(u64);

impl Second {
    const LARGEST: u64 = (1 << 24) - 1;

    fn of(time: Duration) -> Self {
        Self(time.as_secs() & Self::LARGEST)
    }

    /// How many seconds ago it was.
    fn age(self, now: Self) -> u64 {
        now.0.wrapping_sub(self.0) & Self::LARGEST
    }
}

/// What was counted in one second: its number in the upper 24 bits, then requests and retries in 20
/// bits each, which stay at their largest value when it is reached.
#[derive(Clone, Copy)]
struct Slot(u64);

impl Slot {
    const BITS: u32 = 20;
    const LARGEST: u64 = (1 << Self::BITS) - 1;
    const REQUEST: u64 = 1 << Self::BITS;
    const RETRY: u64 = 1;

    fn second(self) -> Second {
        Second(self.0 >> (2 * Self::BITS))
    }

    fn requests(self) -> u64 {
        (self.0 >> Self::BITS) & Self::LARGEST
    }

    fn retries(self) -> u64 {
        self.0 & Self::LARGEST
    }

    /// The same if it is of that second, else an empty one.
    fn at(self, second: Second) -> Self {
        if self.second() == second {
            self
        } else {
            Self(second.0 << (2 * Self::BITS))
        }
    }

    fn plus(self, one: u64) -> Self {
        let count = if one == Self::RETRY {
            self.retries()
        } else {
            self.requests()
        };
        if count == Self::LARGEST {
            self
        } else {
            Self(self.0 + one)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> Second {
        Second(number & Second::LARGEST)
    }

    fn budget(requests: u64, at: Second) -> Budget {
        let budget = Budget::new();
        for _ in 0..requests {
            budget.count(at, Slot::REQUEST);
        }
        budget
    }

    /// How many retries there is room for.
    fn room(budget: &Budget, now: Second) -> u64 {
        let mut room = 0;
        while budget.take_at(now) == Grant::Granted {
            room += 1;
        }
        room
    }

    #[test]
    fn few_requests_leave_the_floor() {
        assert_eq!(room(&budget(0, second(0)), second(0)), RETRY_BUDGET_FLOOR);
        assert_eq!(room(&budget(9, second(7)), second(7)), RETRY_BUDGET_FLOOR);
    }

    #[test]
    fn retries_are_a_fifth_of_all_traffic() {
        // 250 of 1250.
        assert_eq!(room(&budget(1000, second(3)), second(3)), 250);
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let budget = budget(1000, second(3));
        assert_eq!(room(&budget, second(12)), 250);
        assert_eq!(
            room(&budget, second(13)),
            0,
            "the retries of second 12 count"
        );
        assert_eq!(room(&budget, second(22)), RETRY_BUDGET_FLOOR);
    }

    #[test]
    fn seconds_come_round() {
        for start in [Second::LARGEST - 3, Second::LARGEST, 0] {
            let budget = budget(1000, second(start));
            assert_eq!(room(&budget, second(start.wrapping_add(5))), 250, "{start}");
            assert_eq!(
                room(&budget, second(start.wrapping_add(15))),
                RETRY_BUDGET_FLOOR
            );
        }
    }

    #[test]
    fn a_full_slot_stays_full() {
        let full = Slot(Slot::LARGEST << Slot::BITS | Slot::LARGEST).at(second(0));
        assert_eq!(full.plus(Slot::RETRY).0, full.0);
        assert_eq!(full.plus(Slot::REQUEST).0, full.0);
    }

    #[test]
    fn threads_count_together() {
        let budget = Budget::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| budget.count(second(1), Slot::REQUEST)));
            }
        });
        assert_eq!(budget.recent(second(1)), (4000, 0));
    }
}
