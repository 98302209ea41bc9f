//! The connections of one worker to endpoints.
//!
//! An idle connection is taken by the next request for its endpoint, the one that was used last
//! first, so that those which are too many grow old. A look at what the runtime knows of its socket
//! tells whether its endpoint has closed it; that takes no system call. Once a second, as long as
//! there are any, the old and the closed are thrown away.
//!
//! The lock is the worker's own: it is there because tasks may be moved between threads for all the
//! compiler knows, and is never contended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use portcullis_ir::BackendProtocol;

use super::cluster::{Cluster, Members, Pick};
use super::connect::{self, Unreached};
use super::tls::failure::TlsFailure;
use crate::h2::backend::Sessions;
use crate::http::backend::Backend;
use crate::http::message::BackendError;
use crate::http::refusal::Refusal;
use crate::stream::duplex::Duplex;
use crate::{h1, limits};

/// What a connection leads to: an endpoint, under one TLS configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Of the endpoint's TLS configuration; zero is clear text.
    endpoint: u64,
    address: SocketAddr,
}

impl Key {
    fn of(pick: &Pick) -> Self {
        let endpoint = pick.tls.as_ref().map(|tls| tls.endpoint(pick.address).id);
        Self {
            endpoint: endpoint.unwrap_or(0),
            address: pick.address,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no answer in time")]
    Timeout,
    #[error("{0}")]
    Io(std::io::Error),
    #[error("{0}")]
    Tls(TlsFailure),
    /// HTTP/2 did not begin.
    #[error("{0}")]
    Http2(BackendError),
}

impl ConnectError {
    /// What a request that is given up for it is answered with.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Timeout | Self::Tls(TlsFailure::Timeout) => Refusal::ConnectTimeout,
            Self::Io(_) | Self::Http2(_) => Refusal::ConnectFailed,
            Self::Tls(_) => Refusal::BackendTls,
        }
    }
}

impl From<BackendError> for ConnectError {
    fn from(error: BackendError) -> Self {
        Self::Http2(error)
    }
}

impl From<Unreached> for ConnectError {
    fn from(error: Unreached) -> Self {
        match error {
            Unreached::Timeout => Self::Timeout,
            Unreached::Io(error) => Self::Io(error),
        }
    }
}

/// How sure one wants to be that an idle connection is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precaution {
    /// As far as the runtime knows: what meets a closed connection can be sent again.
    None,
    /// As far as the system knows.
    Look,
}

/// The connections of one worker.
pub(crate) struct Pool {
    idle: Mutex<Idle>,
    sessions: Sessions<Key>,
    /// For the task that sweeps.
    this: Weak<Self>,
}

#[derive(Default)]
struct Idle {
    by_key: BTreeMap<Key, Group>,
    count: usize,
    /// Seconds in which there were any.
    ticks: u32,
    is_swept: bool,
}

/// Those that lead to one endpoint.
struct Group {
    /// Whose endpoint it is, or was: what leads to one that is no more is closed, for a backend that
    /// is to end may wait for that.
    cluster: Weak<Cluster>,
    /// Of which it was one when that was last looked at.
    members: Weak<Members>,
    resting: Vec<Resting>,
}

struct Resting {
    connection: Box<h1::backend::Connection>,
    since: u32,
}

impl Pool {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new_cyclic(|pool| {
            let pool: &Weak<Self> = pool;
            Self {
                idle: Mutex::default(),
                sessions: Sessions::default(),
                this: Weak::clone(pool),
            }
        })
    }

    /// A connection that is there already.
    pub(crate) fn take(&self, pick: &Pick, precaution: Precaution) -> Option<Backend> {
        let key = Key::of(pick);
        if pick.protocol == BackendProtocol::H2c {
            return self.sessions.open(&key).map(Box::new).map(Backend::H2);
        }
        loop {
            let mut connection = self.idle.lock().pop(&key)?;
            let is_alive =
                connection.is_alive() && (precaution == Precaution::None || connection.look());
            if is_alive {
                return Some(Backend::H1(connection));
            }
        }
    }

    /// Makes a connection, which TCP is to agree on `within` that time. May be dropped at any time.
    pub(crate) async fn connect(
        &self,
        pick: &Pick,
        within: Duration,
    ) -> Result<Backend, ConnectError> {
        let opened = open(pick, within);
        if pick.protocol == BackendProtocol::H2c {
            let stream = self.sessions.connect(Key::of(pick), opened).await;
            return Ok(Backend::H2(Box::new(stream?)));
        }
        let connection = h1::backend::Connection::new(opened.await?);
        Ok(Backend::H1(Box::new(connection)))
    }

    /// Keeps a connection to `pick`, an endpoint of `cluster`, whose exchange is over for the next one,
    /// if it can carry one.
    pub(crate) fn keep(
        &self,
        cluster: &Arc<Cluster>,
        pick: &Pick,
        connection: Box<h1::backend::Connection>,
    ) {
        if !connection.can_be_reused() {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.count >= limits::BACKEND_POOL {
            return;
        }
        idle.push(Key::of(pick), cluster, connection);
        if !idle.is_swept {
            idle.is_swept = true;
            tokio::spawn(sweep(Weak::clone(&self.this)));
        }
    }

    /// No further request goes where one has waited in vain: the endpoint may hang, and nothing else
    /// would tell.
    pub(crate) fn distrust(backend: &Backend) {
        if let Backend::H2(stream) = backend {
            stream.distrust();
        }
    }
}

impl Idle {
    fn pop(&mut self, key: &Key) -> Option<Box<h1::backend::Connection>> {
        let resting = self.by_key.get_mut(key)?.resting.pop()?;
        self.count -= 1;
        Some(resting.connection)
    }

    fn push(&mut self, key: Key, cluster: &Arc<Cluster>, connection: Box<h1::backend::Connection>) {
        let since = self.ticks;
        let resting = Resting { connection, since };
        let group = self.by_key.entry(key).or_insert_with(|| Group {
            cluster: Arc::downgrade(cluster),
            members: Weak::new(),
            resting: Vec::new(),
        });
        group.resting.push(resting);
        self.count += 1;
    }

    /// Throws away what is old, closed, or leads to no endpoint any more, and answers whether anything is left.
    fn sweep(&mut self) -> bool {
        self.ticks = self.ticks.wrapping_add(1);
        let (now, mut count) = (self.ticks, 0);
        self.by_key.retain(|key, group| {
            if !group.leads_to_endpoint(key.address) {
                return false;
            }
            group.resting.retain_mut(|resting| {
                let age = u64::from(now.wrapping_sub(resting.since));
                age < limits::BACKEND_KEEP_ALIVE.as_secs() && resting.connection.is_alive()
            });
            count += group.resting.len();
            !group.resting.is_empty()
        });
        self.count = count;
        self.is_swept = count > 0;
        self.is_swept
    }
}

impl Group {
    fn leads_to_endpoint(&mut self, address: SocketAddr) -> bool {
        let Some(cluster) = self.cluster.upgrade() else {
            return false;
        };
        let members = cluster.members();
        if self.members.as_ptr() == Arc::as_ptr(&members) {
            return true;
        }
        self.members = Arc::downgrade(&members);
        members.offer(address)
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(limits::BACKEND_POOL_SWEEP).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.idle.lock().sweep() {
            return;
        }
    }
}

/// Connects, and begins TLS where that is spoken.
async fn open(pick: &Pick, within: Duration) -> Result<Duplex, ConnectError> {
    let socket = connect::socket(pick.address, within).await?;
    match &pick.tls {
        None => Ok(Duplex::Plain(socket)),
        Some(tls) => {
            let stream = tls
                .handshake(&tls.endpoint(pick.address), socket.reading_ahead())
                .await;
            let stream = stream.map_err(ConnectError::Tls)?;
            Ok(Duplex::Tls(Box::new(stream.into())))
        }
    }
}
