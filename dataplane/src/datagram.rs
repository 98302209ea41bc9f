//! UDP: datagrams of clients to backends, and the answers back.
//!
//! Each worker has a socket of its own per port and address ([`inlet`]) and one table of sessions
//! ([`sessions`]). A session is a client with the endpoint that its first datagram was given by
//! weight, and a connected socket to it ([`session`]); it lives as long as datagrams go either way.
//! Answers are sent from the listening socket, and from the very address that the client wrote to.
//!
//! The kernel spreads clients over the workers' sockets (`SO_REUSEPORT`) by addresses and ports, so
//! all datagrams of a client come to one worker as long as the port is bound: a port's sockets are
//! bound together and closed together. A client that sends in the instant between the binding of a
//! port's first and last socket may have two sessions; each gets its answers.
//!
//! Nothing that arrives makes memory grow without bound: the number of sessions has a limit, and
//! the one that has been idle for longest makes room ([`limits::MAX_DATAGRAM_SESSIONS`]).

mod batch;
pub(crate) mod inlet;
mod session;
mod sessions;
mod socket;
mod target;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::resource::{Resource, getrlimit};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::DatagramConfig;
use crate::limits;
use session::Held;
use sessions::{Flow, InletId, Replaced, Sessions};
use socket::Scratch;

pub(crate) use sessions::SessionLimits;
pub(crate) use socket::tell_addresses;

/// What the UDP sockets of one worker share.
#[derive(Debug)]
pub(crate) struct Datagrams {
    table: Mutex<Table>,
    /// Where clients' datagrams lie between receiving and sending. Never held while waiting.
    scratch: Mutex<Scratch>,
    next_inlet: AtomicU64,
    /// Room for datagrams that wait for a name to be looked up.
    lookups: Arc<Semaphore>,
    limits: SessionLimits,
}

#[derive(Debug)]
struct Table {
    sessions: Sessions<Held>,
    /// A task waits for sessions to expire.
    expires: bool,
}

impl Datagrams {
    pub(crate) fn new(limits: SessionLimits) -> Arc<Self> {
        let table = Table {
            sessions: Sessions::new(limits),
            expires: false,
        };
        Arc::new(Self {
            table: Mutex::new(table),
            scratch: Mutex::default(),
            next_inlet: AtomicU64::new(0),
            lookups: Arc::new(Semaphore::new(limits::DATAGRAM_LOOKUPS)),
            limits,
        })
    }

    fn new_inlet(&self) -> InletId {
        InletId(self.next_inlet.fetch_add(1, Ordering::Relaxed))
    }

    fn insert(self: &Arc<Self>, flow: Flow, held: Held) {
        let mut table = self.table.lock();
        let replaced = table.sessions.insert(flow, held, Instant::now());
        if !std::mem::replace(&mut table.expires, true) {
            tokio::spawn(expire(Arc::clone(self)));
        }
        drop(table);
        if let Replaced::Evicted(held) = replaced {
            held.evict();
        }
    }

    /// Ends the sessions that have been idle for too long. Answers when there may be more of them.
    fn expire(&self, now: Instant) -> Option<Instant> {
        let mut table = self.table.lock();
        let expired = table.sessions.expire(now);
        let next = table.sessions.next_expiry();
        table.expires = next.is_some();
        drop(table);
        drop(expired);
        next
    }

    /// When the last of the clients was heard that still wait for an answer from that socket.
    fn last_unanswered(&self, inlet: InletId) -> Option<Instant> {
        let table = self.table.lock();
        let waits = |held: &Held| held.session.awaits_answer();
        table.sessions.last_datagram(inlet, waits)
    }

    /// Makes room, of descriptors above all. Answers whether there was a session to end.
    fn evict_oldest(&self) -> bool {
        let oldest = self.table.lock().sessions.evict_oldest();
        oldest.map(Held::evict).is_some()
    }
}

/// Ends sessions when they have been idle for too long; itself when there are none.
async fn expire(datagrams: Arc<Datagrams>) {
    // One look at the table for all that expire at about the same time.
    let pause = datagrams.limits.idle / limits::DATAGRAM_EXPIRY_LOOKS;
    while let Some(next) = datagrams.expire(Instant::now()) {
        tokio::time::sleep_until(next.max(Instant::now() + pause)).await;
    }
}

/// The limits of one of `workers` workers. All sessions together leave enough descriptors for
/// connections.
pub(crate) fn limits_of_worker(config: DatagramConfig, workers: NonZeroUsize) -> SessionLimits {
    let DatagramConfig { idle, max_sessions } = config;
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    let share = usize::try_from(descriptors / limits::DATAGRAM_SHARE_OF_DESCRIPTORS);
    let all = max_sessions.min(share.unwrap_or(usize::MAX));
    SessionLimits {
        idle,
        count: all.div_ceil(workers.get()),
    }
}
