//! Writes statuses: only the leader, only what changed, only what is ours.
//!
//! Who knows what is to be said sends [`Order`]s; [`writer::run`] keeps a [`backlog::Backlog`] of
//! them, in which the newest of an object counts, and works it off. Each write is a
//! read-modify-write: [`merge::merge`] changes what is ours in the status as it is, and the write
//! carries the `resourceVersion` that was read, so that it cannot land on anything newer.

pub mod backlog;
pub mod merge;
pub mod server;
pub mod wanted;
pub mod writer;

use std::fmt;
use std::sync::Arc;

use portcullis_api::{AnyObject, Kind, ObjectKey};

/// How many lists of orders may wait for the writer.
pub const QUEUE: usize = 64;

/// An object that has a status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: ObjectKey,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

/// News for the writer.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// An object is to have this status, as far as it is ours.
    Want {
        /// The object as it is.
        live: AnyObject,
        /// What is to be said, without transition times; for a route or policy, our entries only.
        status: Arc<serde_json::Value>,
    },
    /// An object is in another state than before; perhaps somebody changed what we said.
    Seen(AnyObject),
    /// An object is gone, or there is nothing to be said about it.
    Forget(Subject),
}

/// Where orders go.
pub type OrderSender = tokio::sync::mpsc::Sender<Vec<Order>>;
