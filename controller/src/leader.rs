//! Which replica writes: a Lease in the controller's namespace.
//!
//! Times are measured on each process's own monotonic clock; clocks of different machines are never
//! compared. A leader renews every [`RENEW`] and considers itself leader for [`HELD`] after it
//! *began* the last renewal that succeeded. Others wait until they have seen the same renewal for
//! [`DURATION`], which is longer, so two never write at once.

mod election;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::election::{Election, Step};

/// The Lease's name.
pub const LEASE: &str = "portcullis-controller";

/// How long a Lease that is not renewed keeps others away.
pub const DURATION: Duration = Duration::from_secs(5);

/// How long leadership lasts without renewal.
pub const HELD: Duration = Duration::from_secs(4);

/// Between renewals, and between looks at somebody else's Lease.
const RENEW: Duration = Duration::from_millis(1500);

/// After a request that failed. Short, for there is little time until [`HELD`] is over.
const RETRY: Duration = Duration::from_millis(400);

/// For one request.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(1500);

/// Whether this process is the leader; cheap to clone and to ask.
///
/// It is held until a deadline on this process's own monotonic clock, so a process that was frozen
/// past its lease finds out before it writes, not after.
#[derive(Clone, Debug)]
pub struct Leadership {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What `until` counts from.
    start: Instant,
    /// Milliseconds after `start`; zero: not held.
    until: AtomicU64,
    changes: watch::Sender<bool>,
}

impl Leadership {
    /// Not held, until somebody grants it.
    pub fn none() -> Self {
        Self {
            shared: Arc::new(Shared {
                start: Instant::now(),
                until: AtomicU64::new(0),
                changes: watch::Sender::new(false),
            }),
        }
    }

    /// Whether writing is allowed now. Ask just before each write is sent.
    pub fn is_held(&self) -> bool {
        Instant::now() < self.deadline()
    }

    /// Sends a write, and waits for its answer as long as leadership is held; `None`: it was not held,
    /// or has ended. A request that still waits for a connection then is not sent any more.
    pub async fn during<T>(&self, write: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(write);
        let mut changes = self.changes();
        while self.is_held() {
            tokio::select! {
                biased;
                // A renewal may have moved it.
                () = sleep_until(self.deadline()) => {}
                _ = changes.changed() => {}
                answer = &mut write => return Some(answer),
            }
        }
        None
    }

    /// Told when leadership is gained (`true`) and lost (`false`). The value may lag behind
    /// [`Leadership::is_held`], which counts.
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.shared.changes.subscribe()
    }

    /// Held until `deadline`; a renewal moves it.
    pub fn grant(&self, deadline: Instant) {
        let until = deadline.saturating_duration_since(self.shared.start);
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.shared.until.store(until, Ordering::Release);
        self.tell(true);
    }

    /// No longer held.
    pub fn revoke(&self) {
        self.shared.until.store(0, Ordering::Release);
        self.tell(false);
    }

    /// Until when it is held; in the past when it is not.
    fn deadline(&self) -> Instant {
        let until = self.shared.until.load(Ordering::Acquire);
        self.shared.start + Duration::from_millis(until)
    }

    fn tell(&self, held: bool) {
        self.shared.changes.send_if_modified(|told| {
            let changed = *told != held;
            *told = held;
            changed
        });
    }
}

/// Takes part in the election.
pub struct Candidate {
    api: Api<Lease>,
    election: Election,
    leadership: Leadership,
}

impl Candidate {
    /// `identity` must differ between replicas, and be the same after a restart of one.
    pub fn new(api: Api<Lease>, identity: impl Into<String>, leadership: Leadership) -> Self {
        Self {
            api,
            election: Election::new(identity),
            leadership,
        }
    }

    /// Stands for leader until told to stop, then gives leadership up at once.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut lease = None;
        loop {
            let pause = self.turn(&mut lease).await;
            tokio::select! {
                () = self.wait(pause) => {}
                // Whoever could tell to stop is gone: the process ends.
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        let was_held = self.leadership.is_held();
        self.leadership.revoke();
        if was_held && let Some(lease) = lease {
            self.release(lease).await;
        }
    }

    /// One look at the Lease, and what follows from it; says how long to rest. `held` is the Lease
    /// as this process wrote it last, if it is its own.
    async fn turn(&mut self, held: &mut Option<Lease>) -> Duration {
        // Who was frozen for long looks before it writes. Others may have led meanwhile, so whoever
        // hears of changes is to hear of this one.
        if !self.leadership.is_held() {
            self.leadership.revoke();
            *held = None;
        }
        let known = held.take();
        let lease = match known {
            Some(lease) => Some(lease),
            None => match timed(self.api.get_opt(LEASE)).await {
                Ok(lease) => lease,
                Err(error) => {
                    tracing::warn!(error, "the lease cannot be read; trying again");
                    return RETRY;
                }
            },
        };
        let begun = Instant::now();
        match self.election.decide(lease, begun, jiff::Timestamp::now()) {
            Step::Wait(pause) => pause,
            Step::Write(lease) => match self.write(&lease).await {
                Ok(written) => {
                    *held = Some(written);
                    if !self.leadership.is_held() {
                        tracing::info!("leading");
                    }
                    self.leadership.grant(begun + HELD);
                    RENEW
                }
                Err(error) => {
                    tracing::warn!(error, "the lease cannot be written; trying again");
                    RETRY
                }
            },
        }
    }

    async fn write(&self, lease: &Lease) -> Result<Lease, String> {
        let params = PostParams::default();
        if lease.metadata.resource_version.is_some() {
            timed(self.api.replace(LEASE, &params, lease)).await
        } else {
            timed(self.api.create(&params, lease)).await
        }
    }

    /// Rests, and notices when leadership runs out meanwhile.
    async fn wait(&self, pause: Duration) {
        let pause = sleep(pause);
        tokio::pin!(pause);
        if *self.leadership.shared.changes.borrow() {
            tokio::select! {
                () = &mut pause => return,
                () = sleep_until(self.leadership.deadline()) => {
                    tracing::warn!("not renewed in time: leading no more");
                    self.leadership.revoke();
                }
            }
        }
        pause.await;
    }

    /// So that another can lead at once.
    async fn release(&self, lease: Lease) {
        match self.write(&Election::released(lease)).await {
            Ok(_) => tracing::info!("lease released"),
            Err(error) => tracing::warn!(error, "the lease could not be released"),
        }
    }
}

/// A request that must not outlast the time there is.
async fn timed<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(crate::watch::error_chain(&error)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}
