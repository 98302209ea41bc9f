//! An open loop: requests are due by the clock, whether or not the ones before were answered.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

/// Calls `due` with the time of each of `count` requests, evenly `per_second`, as they come due.
///
/// tokio's timers count milliseconds; this is a timer of the kernel with its full resolution. Late
/// wake-ups make requests late, not fewer.
pub(crate) async fn pace(
    per_second: u32,
    count: u64,
    mut due: impl FnMut(Instant),
) -> io::Result<()> {
    let interval = Duration::from_secs(1) / per_second;
    #[expect(
        deprecated,
        reason = "its successor is unsafe; this descriptor is open until the timer is dropped"
    )]
    let timer = AsyncFd::new(Timer::every(interval)?)?;
    let mut next = Instant::now() + interval;
    let mut left = count;
    while left > 0 {
        let mut ready = timer.readable().await?;
        ready.clear_ready();
        timer.get_ref().rest()?;
        let now = Instant::now();
        while left > 0 && next <= now {
            due(next);
            next += interval;
            left -= 1;
        }
    }
    Ok(())
}

struct Timer(TimerFd);

impl Timer {
    fn every(interval: Duration) -> io::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let expiration = Expiration::Interval(TimeSpec::from_duration(interval));
        timer.set(expiration, TimerSetTimeFlags::empty())?;
        Ok(Self(timer))
    }

    /// Makes it unready until it expires again.
    fn rest(&self) -> io::Result<()> {
        match self.0.wait() {
            Ok(()) | Err(Errno::EAGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Requests that are due and that no connection has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Due {
    times: RefCell<VecDeque<Instant>>,
    changed: Notify,
    over: Cell<bool>,
}

impl Due {
    pub(crate) fn push(&self, time: Instant) {
        self.times.borrow_mut().push_back(time);
        self.changed.notify_one();
    }

    /// No more will be pushed.
    pub(crate) fn end(&self) {
        self.over.set(true);
        self.changed.notify_waiters();
    }

    /// The time of the earliest, once there is one; `None` when all are taken and no more will come.
    pub(crate) async fn next(&self) -> Option<Instant> {
        loop {
            let changed = self.changed.notified();
            let earliest = self.times.borrow_mut().pop_front();
            if earliest.is_some() || self.over.get() {
                return earliest;
            }
            changed.await;
        }
    }
}
