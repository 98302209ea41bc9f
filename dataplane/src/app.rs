//! The data plane as its users see it: start, apply snapshots, drain.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use portcullis_ir::{ListenerId, Snapshot, Version};

use crate::admin::{Introspect, LoadedConfig, Readiness};
use crate::config::Config;
use crate::http::routing::Routing;
use crate::limits;
use crate::listener::bind::{BoundPort, Ports, Share};
use crate::listener::tls::{self, Credentials, Terminator};
use crate::listener::{PortStates, Stage};
use crate::metrics::{CertificateExpiry, GatewayMetrics};
use crate::state::{Live, Shared};
use crate::upstream::cluster::ClusterChange;
use crate::upstream::tls::clients::Setup;
use crate::worker::WorkerThread;

/// The data plane of one Gateway.
///
/// Dropping it cuts every connection; [`DataPlane::drain`] first lets requests end. Requests that are
/// cut off are in the access log when dropping returns, not yet written: flush it afterwards.
pub struct DataPlane {
    config: Config,
    shared: Arc<Shared>,
    workers: Mutex<Vec<WorkerThread>>,
    /// Held while a snapshot is applied, so that applies do not overlap.
    applying: tokio::sync::Mutex<Applying>,
    draining: AtomicBool,
    applied: Mutex<Option<Applied>>,
    /// Held so that its series stay.
    metrics: Mutex<Option<Arc<GatewayMetrics>>>,
}

/// What only applying touches.
#[derive(Default)]
struct Applying {
    ports: Ports,
    credentials: Credentials,
    /// Draining has closed the ports, and none is bound again.
    is_over: bool,
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
        let shared = Arc::new(Shared::new(&config));
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
            metrics: Mutex::new(None),
        })
    }

    /// Serves `snapshot` from now on.
    ///
    /// Everything is made first, then ports are bound, then requests see the new snapshot all at
    /// once, then ports that are no longer wanted are closed. Connections on other ports are not
    /// touched. Ports that failed are tried again by the next apply.
    ///
    /// To be awaited to its end: dropped half way, it leaves ports that are bound and not served.
    pub async fn apply(&self, snapshot: Arc<Snapshot>) -> Applied {
        self.apply_version(snapshot.version(), snapshot).await
    }

    /// As [`DataPlane::apply`], with the version that others know the snapshot by: to tell it from
    /// the content takes its time.
    pub async fn apply_version(&self, version: Version, snapshot: Arc<Snapshot>) -> Applied {
        let mut applying = self.applying.lock().await;
        if applying.is_over {
            return Applied {
                version,
                generation: snapshot.generation,
                ports: PortStates::new(),
            };
        }
        let gateway = self.config.metrics.gateway(&snapshot.gateway);
        let live = self.prepare(&snapshot, &mut applying.credentials, &gateway);
        let terminators = Arc::clone(&live.terminators);
        let table = &live.routing.table;
        let wanted: BTreeSet<_> = table.ports().map(|(key, _)| key).collect();
        let ports = &mut applying.ports;
        let (states, shares) = ports.bind_missing(&wanted, &self.config, &gateway);
        let before = self.shared.live.swap(Arc::new(live));
        self.hand_out(shares).await;
        let unwanted = ports.take_unwanted(&wanted);
        join_all(unwanted.into_iter().map(BoundPort::close)).await;
        let applied = Applied {
            version,
            generation: snapshot.generation,
            ports: states,
        };
        if !applied.is_complete() {
            gateway.apply_errors.increment();
        }
        gateway.applied(applied.version, applied.generation);
        if !Arc::ptr_eq(&before.terminators, &terminators) {
            gateway.serves(expiries(&terminators));
        }
        let routes = snapshot.http_routes.len() + snapshot.l4_routes.len();
        retire(before, routes, &gateway);
        *self.applied.lock() = Some(applied.clone());
        *self.metrics.lock() = Some(gateway);
        applied
    }

    fn prepare(
        &self,
        snapshot: &Arc<Snapshot>,
        credentials: &mut Credentials,
        metrics: &GatewayMetrics,
    ) -> Live {
        let before = self.shared.live.load_full();
        let clusters = &self.shared.clusters;
        let revision = credentials.revision();
        credentials.update(snapshot);
        let setup = Setup {
            credentials,
            metrics,
        };
        let change = clusters.update(snapshot, &setup);
        let has_same_credentials = credentials.revision() == revision;
        let terminators = if has_same_credentials && before.snapshot.listeners == snapshot.listeners
        {
            Arc::clone(&before.terminators)
        } else {
            let known = &before.terminators;
            Arc::new(tls::terminators(snapshot, credentials, known))
        };
        let routing = if change == ClusterChange::None && before.routes_like(snapshot) {
            Arc::clone(&before.routing)
        } else {
            let is_usable =
                change == ClusterChange::None && before.snapshot.gateway == snapshot.gateway;
            let before = Some(&*before.routing).filter(|_| is_usable);
            Arc::new(Routing::new(snapshot, before, clusters, metrics))
        };
        let kept = if has_same_credentials {
            before.kept.clone()
        } else {
            credentials.kept(snapshot)
        };
        Live {
            serial: before.serial.wrapping_add(1),
            snapshot: Arc::clone(snapshot),
            routing,
            terminators,
            kept,
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

    /// Shuts down: not ready at once; after [`crate::DrainConfig::min`] no new connections; when
    /// the last request is answered, or after [`crate::DrainConfig::max`], it returns.
    ///
    /// A data plane that never served does not wait: no load balancer sends it anything. One without
    /// clients waits all the same, for the next may be on its way.
    pub async fn drain(&self) -> Drained {
        self.draining.store(true, Ordering::Relaxed);
        self.applying.lock().await.ports.enter(Stage::Leaving);
        if self.applied().is_some() {
            // What is applied meanwhile counts: endpoints come and go.
            tokio::time::sleep(self.config.drain.min).await;
        }
        let mut applying = self.applying.lock().await;
        applying.is_over = true;
        applying.ports.close_all().await;
        let all = u32::try_from(limits::MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let ended = self.shared.connections.acquire_many(all);
        if tokio::time::timeout(self.config.drain.max, ended)
            .await
            .is_ok()
        {
            return Drained::Completely;
        }
        let free = self.shared.connections.available_permits();
        Drained::CutOff {
            connections: limits::MAX_CONNECTIONS.saturating_sub(free),
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

/// Drops what was served before something with so many `routes`. A worker that still looks at it must
/// not be the one to free what may be thousands of them, so it is waited for; none looks for long.
fn retire(before: Arc<Live>, routes: usize, metrics: &Arc<GatewayMetrics>) {
    const LOOK: Duration = Duration::from_millis(20);
    if Arc::strong_count(&before) == 1 {
        drop(before);
        metrics.forget_gone(routes);
        return;
    }
    let metrics = Arc::clone(metrics);
    tokio::spawn(async move {
        while Arc::strong_count(&before) > 1 {
            tokio::time::sleep(LOOK).await;
        }
        drop(before);
        metrics.forget_gone(routes);
    });
}

/// When the certificates that are really served run out.
fn expiries(terminators: &BTreeMap<ListenerId, Arc<Terminator>>) -> Vec<CertificateExpiry> {
    let served = terminators.iter().flat_map(|(listener, terminator)| {
        let served = terminator.served().iter();
        served.map(move |(id, chain)| CertificateExpiry {
            listener: listener.clone(),
            certificate: id.clone(),
            not_after: chain.leaf.not_after,
        })
    });
    served.collect()
}

/// For the admin page.
impl Introspect for DataPlane {
    fn loaded(&self) -> LoadedConfig {
        let live = self.shared.live.load();
        let ports = self.applied().map(|applied| applied.ports);
        LoadedConfig::of(&live.snapshot, &ports.unwrap_or_default(), &live.kept)
    }

    fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::ready();
        match &*self.applied.lock() {
            None => readiness.missing("no configuration applied yet"),
            Some(applied) => {
                for failure in applied
                    .ports
                    .values()
                    .filter_map(|state| state.as_ref().err())
                {
                    readiness.missing(failure.to_string());
                }
            }
        }
        if self.draining.load(Ordering::Relaxed) {
            readiness.missing("shutting down");
        }
        readiness
    }
}
