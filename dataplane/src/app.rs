//! The data plane as its users see it: start, apply snapshots, drain.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use portcullis_ir::{ObjectKey, PortKey, Snapshot, Version};
use portcullis_table::Table;

use crate::config::Config;
use crate::limits;
use crate::listener::bind::{Ports, Share};
use crate::listener::tls::{self, Credentials};
use crate::listener::{PortStates, Stage};
use crate::state::{self, Live, Shared};
use crate::upstream::cluster::ClusterChange;
use crate::worker::WorkerThread;

/// The data plane of one Gateway.
///
/// Dropping it cuts every connection; [`DataPlane::drain`] first lets requests end.
pub struct DataPlane {
    config: Config,
    shared: Arc<Shared>,
    workers: Mutex<Vec<WorkerThread>>,
    /// Held while a snapshot is applied, so that applies do not overlap.
    applying: tokio::sync::Mutex<Applying>,
    draining: AtomicBool,
    applied: Mutex<Option<Applied>>,
}

/// What only applying touches.
#[derive(Default)]
struct Applying {
    ports: Ports,
    credentials: Credentials,
}

/// What became of a snapshot.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The version of the snapshot that is served now.
    pub version: Version,
    /// The Gateway's generation it was made from.
    pub generation: i64,
    /// Every port the snapshot asks for.
    pub ports: PortStates,
}

impl Applied {
    /// Whether every port is bound.
    pub fn is_complete(&self) -> bool {
        self.ports.values().all(Result::is_ok)
    }
}

/// Why a data plane cannot start. Retrying helps only once the system has more to give.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No thread or no descriptor to be had.
    #[error("cannot start worker {index}: {error}")]
    Worker {
        /// Which.
        index: usize,
        /// What the system said.
        error: io::Error,
    },
}

impl DataPlane {
    /// Starts the workers; nothing is bound before the first snapshot.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let nothing = Snapshot::empty(ObjectKey::new("", ""), 0);
        let shared = Arc::new(Shared::new(nothing));
        let worker = |index| {
            WorkerThread::start(index, Arc::clone(&shared))
                .map_err(|error| StartError::Worker { index, error })
        };
        let workers = (0..config.workers.get())
            .map(worker)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            shared,
            workers: Mutex::new(workers),
            applying: tokio::sync::Mutex::default(),
            draining: AtomicBool::new(false),
            applied: Mutex::new(None),
        })
    }

    /// Serves `snapshot` from now on.
    ///
    /// Everything is made first, then ports are bound, then requests see the new snapshot all at
    /// once, then ports that are no longer wanted are closed. Connections on other ports are not
    /// touched. Ports that failed are tried again by the next apply.
    pub async fn apply(&self, snapshot: Arc<Snapshot>) -> Applied {
        let mut applying = self.applying.lock().await;
        let live = self.prepare(Arc::clone(&snapshot), &mut applying.credentials);
        let wanted: BTreeSet<PortKey> = snapshot
            .listeners
            .values()
            .map(portcullis_ir::Listener::port_key)
            .collect();
        let (ports, shares) = applying.ports.bind_missing(&wanted, &self.config);
        self.shared.live.store(Arc::new(live));
        self.hand_out(shares).await;
        for port in applying.ports.take_unwanted(&wanted) {
            port.close().await;
        }
        let applied = Applied {
            version: snapshot.version(),
            generation: snapshot.generation,
            ports,
        };
        *self.applied.lock() = Some(applied.clone());
        applied
    }

    fn prepare(&self, snapshot: Arc<Snapshot>, credentials: &mut Credentials) -> Live {
        let before = self.shared.live.load_full();
        let clusters = &self.shared.clusters;
        let change = clusters.update(&snapshot.backends);
        credentials.update(&snapshot);
        let terminators = tls::terminators(&snapshot, credentials, &before.terminators);
        let same_routes = change == ClusterChange::None && has_same_routes(&before, &snapshot);
        let (routes, redirects) = if same_routes {
            (Arc::clone(&before.routes), Arc::clone(&before.redirects))
        } else {
            let upstream = |id: &_| state::upstream(clusters, id);
            let routes = Table::build(&snapshot, Some(&before.routes), upstream);
            (Arc::new(routes), Arc::new(state::redirects(&snapshot)))
        };
        Live {
            snapshot,
            routes,
            redirects,
            terminators,
        }
    }

    async fn hand_out(&self, shares: Vec<Vec<Share>>) {
        let workers: Vec<_> = self
            .workers
            .lock()
            .iter()
            .map(|worker| worker.shares.clone())
            .collect();
        for (worker, shares) in workers.iter().zip(shares) {
            for share in shares {
                if worker.send(share).await.is_err() {
                    tracing::error!("a worker is gone");
                }
            }
        }
    }

    /// What the last apply did; `None` before the first.
    pub fn applied(&self) -> Option<Applied> {
        self.applied.lock().clone()
    }

    /// Whether traffic should be sent here: a snapshot is applied with all its ports, and the data
    /// plane is not shutting down.
    pub fn is_ready(&self) -> bool {
        let applied = self.applied.lock();
        let complete = applied.as_ref().is_some_and(Applied::is_complete);
        complete && !self.draining.load(Ordering::Relaxed)
    }

    /// Shuts down: not ready at once; after [`crate::DrainConfig::min`] no new connections; when
    /// the last request is answered, or after [`crate::DrainConfig::max`], it returns.
    pub async fn drain(&self) -> Drained {
        self.draining.store(true, Ordering::Relaxed);
        let mut applying = self.applying.lock().await;
        applying.ports.enter(Stage::Leaving);
        tokio::time::sleep(self.config.drain.min).await;
        applying.ports.close_all().await;
        let all = u32::try_from(limits::MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let ended = self.shared.connections.acquire_many(all);
        match tokio::time::timeout(self.config.drain.max, ended).await {
            Ok(_) => Drained::Completely,
            Err(_) => {
                let free = self.shared.connections.available_permits();
                Drained::CutOff {
                    connections: limits::MAX_CONNECTIONS.saturating_sub(free),
                }
            }
        }
    }
}

/// How [`DataPlane::drain`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every connection had ended.
    Completely,
    /// Time ran out.
    CutOff {
        /// Connections that were still open.
        connections: usize,
    },
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.workers
            .get_mut()
            .drain(..)
            .for_each(WorkerThread::stop);
    }
}

/// Whether the table of `before` serves `snapshot` too: it knows listeners and routes, while
/// endpoints are in the clusters and certificates in the terminators.
fn has_same_routes(before: &Live, snapshot: &Snapshot) -> bool {
    before.snapshot.listeners == snapshot.listeners
        && before.snapshot.http_routes == snapshot.http_routes
        && before.snapshot.l4_routes == snapshot.l4_routes
}
