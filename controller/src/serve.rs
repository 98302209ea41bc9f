//! The stream of snapshots to data planes.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::{ObjectKey, PortKey, Snapshot, Version};
use portcullis_translate::PortFailure;
use tokio::sync::mpsc;

/// How many reports may wait for who reads them.
pub const QUEUE: usize = 64;

/// What became of one pod's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The Gateway the pod serves.
    pub gateway: ObjectKey,
    /// The pod's name, in the Gateway's namespace.
    pub pod: Arc<str>,
    /// The news.
    pub state: StreamState,
}

/// What a pod holds, as far as it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// It came, and has not said yet what it serves.
    Connected,
    /// It serves a snapshot.
    Acked {
        /// The snapshot's version.
        version: Version,
        /// The Gateway's generation it was made from.
        generation: i64,
        /// The ports that could not be bound.
        port_failures: BTreeMap<PortKey, PortFailure>,
        /// Resources it could not use, and why, in words; it serves on what it held under their
        /// names.
        refused: Vec<String>,
    },
    /// It refused a snapshot as a whole, and serves on what it had.
    Nacked {
        /// The snapshot's version.
        version: Version,
        /// Why, in words.
        reason: String,
    },
    /// Its stream ended. It serves on what it had.
    Gone,
}

/// Where reports go.
pub type ReportSender = mpsc::Sender<Report>;

/// Hands snapshots to the streams of a Gateway's pods; cheap to clone.
///
/// The newest snapshot of each Gateway is kept for pods that come later; neither call waits.
#[derive(Clone, Debug, Default)]
pub struct Publisher {}

impl Publisher {
    /// This is what the pods of `gateway` are to serve from now on.
    pub fn publish(&self, gateway: &ObjectKey, snapshot: Arc<Snapshot>) {
        let _ = (self, gateway, snapshot);
    }

    /// `gateway` is no longer ours: its streams end, and new ones are refused.
    pub fn withdraw(&self, gateway: &ObjectKey) {
        let _ = (self, gateway);
    }
}
