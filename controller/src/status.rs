//! Writes statuses: only the leader, only what changed, only what is ours.

use portcullis_api::{Kind, ObjectKey};

/// The status that an object is to have, as far as it is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The object's kind.
    pub kind: Kind,
    /// The object.
    pub key: ObjectKey,
    /// What is to be said, without transition times; `null` when nothing of ours is to be left.
    pub status: serde_json::Value,
}

/// Where wanted statuses go, only those that changed; the newest of an object counts.
pub type WantedSender = tokio::sync::mpsc::Sender<Vec<Wanted>>;
