//! The Deployment, Service and what else a Gateway's data planes need around them.
//!
//! [`render`] says what there is to be, [`decide`] what is to be done about each object, [`control`]
//! when; [`observe`] reads what has become of it. The task ([`run`]) moves messages between them,
//! the cluster and the reconcile loop.
//!
//! An object is written to only if it is provably ours (our label, and owned by this very Gateway);
//! it is made by a POST, which fails where there is one, and from then on by server-side apply.
//! Services are never deleted and made anew for a change. What was made goes with its Gateway, by
//! the cluster's garbage collector; it is deleted by us only if the Gateway has become another
//! controller's, or has the like under another name.
//!
//! What the API server must allow: of serviceaccounts, configmaps, services (core),
//! poddisruptionbudgets (policy) and deployments (apps): get, list, watch, create, patch, delete; of
//! pods (core): list, watch; of gateways/finalizers (gateway.networking.k8s.io): update, for
//! `blockOwnerDeletion`.

mod cluster;
pub mod control;
pub mod decide;
pub mod live;
pub mod observe;
pub mod overlay;
pub mod render;
pub mod resource;
mod task;
mod trouble;

pub use task::{Parts, run};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::gateway::GatewayAddress;
use portcullis_ir::ObjectKey;
use portcullis_translate::ObservedInfra;
use portcullis_translate::infra::Infra;

/// How many events may wait for who reads them.
pub const QUEUE: usize = 64;

/// What every Gateway of ours needs, all of them. The newest counts. `None` until the first
/// translation of everything: then nothing is touched.
pub type WantedSender = tokio::sync::watch::Sender<Option<Arc<Wanted>>>;

/// What is wanted of the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// What is to be made, by Gateway. One that is neither here nor in `foreign` is let be: if it is
    /// gone, the cluster's garbage collector takes what was made for it; if its class is gone, what
    /// serves it serves on.
    pub gateways: BTreeMap<ObjectKey, Arc<Infra>>,
    /// Gateways that are another controller's: what was made for them is deleted.
    pub foreign: BTreeSet<ObjectKey>,
}

/// News of what there is in the cluster for our Gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something changed for a Gateway.
    Observed {
        /// The Gateway.
        gateway: ObjectKey,
        /// All there is now.
        observed: Observed,
    },
    /// Everything that there was at the start has been told.
    InSync,
}

/// What there is in the cluster for one Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The uid of the Gateway that it is for: there may be another one of its name by now.
    pub gateway_uid: Arc<str>,
    /// Where clients reach it.
    pub addresses: Vec<GatewayAddress>,
    /// Its pods by name.
    pub pods: BTreeMap<Arc<str>, Pod>,
    /// What else translate is to know.
    pub infra: ObservedInfra,
}

/// A data-plane pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Tells it from a later one of the same name.
    pub uid: Arc<str>,
    /// Whether traffic comes to it.
    pub readiness: Readiness,
}

/// Whether traffic comes to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet, or not now.
    NotReady,
    /// It does.
    Ready,
    /// It is on its way out.
    Terminating,
}
