//! Which replica writes: a Lease in the controller's namespace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

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
        let until = self.shared.until.load(Ordering::Acquire);
        self.shared.start.elapsed() < Duration::from_millis(until)
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

    fn tell(&self, held: bool) {
        self.shared.changes.send_if_modified(|told| {
            let changed = *told != held;
            *told = held;
            changed
        });
    }
}
