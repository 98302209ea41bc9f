//! The admin port: health, metrics, and what is loaded.
//!
//! Serves `GET` and `HEAD` of
//!
//! - `/healthz`: 200 while the process runs.
//! - `/readyz`: 200 when nothing is missing, else 503 with what is.
//! - `/metrics`: [`crate::metrics`] in the Prometheus text format.
//! - `/config`: the [`LoadedConfig`] of every data plane as JSON, or with `?format=text` for people.
//! - `/status`: whatever was given to [`AdminState::publish_status`], as JSON.
//!
//! How it is fed: the process makes one [`AdminState`], takes a [`Hold`] for everything that must
//! happen before it is ready (first read of the configuration), registers each data plane with
//! [`AdminState::register`] as it is started and drops the hold. A data plane implements
//! [`Introspect`]: [`Introspect::loaded`] is [`LoadedConfig::of`] its current snapshot, and
//! [`Introspect::readiness`] is built with [`Readiness::missing`] for a configuration not yet
//! applied, for every port that is not bound, and while it drains.
//!
//! Nothing here changes anything, and no page holds key material.

mod host;
mod loaded;
mod pages;
mod render;
mod server;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portcullis_ir::ObjectKey;

use crate::metrics::Metrics;
pub use loaded::{
    Kept, LoadedAttachment, LoadedBackend, LoadedBackendTls, LoadedCertificate, LoadedConfig,
    LoadedListener, LoadedPort, LoadedRoute, LoadedRule, LoadedTarget, LoadedTrust,
    LoadedValidation,
};
pub use render::render;
pub use server::AdminServer;

/// What a data plane tells about itself. Called on the admin server's threads: must not block.
pub trait Introspect: Send + Sync {
    /// What it serves now.
    fn loaded(&self) -> LoadedConfig;
    /// Whether it serves all it was told to.
    fn readiness(&self) -> Readiness;
}

/// What stands between a data plane and being ready; nothing when it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    missing: Vec<String>,
}

impl Readiness {
    /// Ready.
    pub fn ready() -> Self {
        Self::default()
    }

    /// Adds something that is missing, in words: `port 443: permission denied`.
    pub fn missing(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Gives the page of `/status` when it is asked for.
type StatusPage = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// What the admin port shows; shared by the server and the rest of the process.
pub struct AdminState {
    metrics: Arc<Metrics>,
    data_planes: Mutex<BTreeMap<ObjectKey, Arc<dyn Introspect>>>,
    holds: Mutex<BTreeMap<u64, String>>,
    status: Mutex<Option<StatusPage>>,
}

impl AdminState {
    /// Shows `metrics`, and no data plane yet.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            data_planes: Mutex::default(),
            holds: Mutex::default(),
            status: Mutex::default(),
        })
    }

    /// Shows the data plane of `gateway`, and waits for it in `/readyz`. Replaces an earlier one.
    pub fn register(&self, gateway: ObjectKey, data_plane: Arc<dyn Introspect>) {
        self.data_planes.lock().insert(gateway, data_plane);
    }

    /// Forgets the data plane of a Gateway that is gone.
    pub fn unregister(&self, gateway: &ObjectKey) {
        self.data_planes.lock().remove(gateway);
    }

    /// Makes `/readyz` say that `what` is missing for as long as the hold lives.
    pub fn hold(self: &Arc<Self>, what: impl Into<String>) -> Hold {
        let mut holds = self.holds.lock();
        let id = holds.last_key_value().map_or(0, |(last, _)| last + 1);
        holds.insert(id, what.into());
        Hold {
            state: Arc::clone(self),
            id,
        }
    }

    /// Sets the page of `/status`; it is asked for on every request.
    pub fn publish_status(&self, page: impl Fn() -> serde_json::Value + Send + Sync + 'static) {
        *self.status.lock() = Some(Arc::new(page));
    }

    /// Everything that is missing, by whom.
    pub fn readiness(&self) -> Readiness {
        let holds = self.holds.lock().values().cloned().collect();
        let mut all = Readiness { missing: holds };
        for (gateway, data_plane) in self.registered() {
            for what in data_plane.readiness().missing {
                all.missing(format!("{gateway}: {what}"));
            }
        }
        all
    }

    /// What every data plane has loaded.
    pub fn loaded(&self) -> Vec<LoadedConfig> {
        let registered = self.registered().into_iter();
        registered
            .map(|(_, data_plane)| data_plane.loaded())
            .collect()
    }

    /// Copied out, so that no data plane is asked under the lock.
    fn registered(&self) -> Vec<(ObjectKey, Arc<dyn Introspect>)> {
        let data_planes = self.data_planes.lock();
        data_planes
            .iter()
            .map(|(key, data_plane)| (key.clone(), Arc::clone(data_plane)))
            .collect()
    }
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").finish_non_exhaustive()
    }
}

/// Keeps `/readyz` at 503 until it is dropped.
#[derive(Debug)]
pub struct Hold {
    state: Arc<AdminState>,
    id: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.state.holds.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests;
