//! The stream of snapshots to data planes.
//!
//! ```text
//! Publisher ──newest state──> session of a pod ──updates──> pod
//!                                  ^     │
//!            acks and nacks ───────┘     └──notes──> roster ──Report──> reconcile
//! ```
//!
//! Only the leader serves streams. A pod shows a token that the API server says is its own
//! ([`identity`]), and is sent the Gateway of its service account and no other. The port's
//! certificate comes from the controller's own [`authority`].

pub mod authority;
pub mod identity;
pub mod listen;
pub mod metrics;
mod publisher;
mod roster;
pub mod service;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::{ObjectKey, PortKey, Version};
use portcullis_translate::PortFailure;
use tokio::sync::mpsc;

pub use self::publisher::Publisher;

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
