//! The Deployment, Service and what else a Gateway's data planes need around them.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_api::Gateway;
use portcullis_api::gateway::GatewayAddress;
use portcullis_ir::ObjectKey;
use portcullis_translate::infra::Infra;

/// How many events may wait for who reads them.
pub const QUEUE: usize = 64;

/// What one Gateway needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The Gateway: name, uid, generation.
    pub gateway: Arc<Gateway>,
    /// What is to be made for it.
    pub infra: Infra,
}

/// What every Gateway of ours needs, all of them: what belongs to a Gateway that is not here is to
/// be deleted. The newest counts. `None` until the first translation: then nothing is touched.
pub type WantedSender = tokio::sync::watch::Sender<Option<Arc<BTreeMap<ObjectKey, Arc<Wanted>>>>>;

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
    /// Where clients reach it.
    pub addresses: Vec<GatewayAddress>,
    /// Its pods by name.
    pub pods: BTreeMap<Arc<str>, Pod>,
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
