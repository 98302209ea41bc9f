//! The cluster's objects as a stream of changes.
//!
//! One watch per kind (and namespace, when restricted) feeds one bounded channel of [`Event`]s; no
//! copy of the objects is kept here. Who receives them holds the one [`portcullis_api::Objects`].
//!
//! Secrets and ConfigMaps come only when they are asked for ([`References`]): of all others no more
//! than the metadata is read. Namespaces come with their metadata only.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_api::{AnyObject, Kind, ObjectKey};

/// How many events may wait for who reads them; a watch that meets a full queue waits.
pub const QUEUE: usize = 64;

/// News of the cluster, in the order in which they happened to each object.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Objects came, changed or went.
    Changed(Batch),
    /// Every object of the kind that there was at the start has been told. Sent once per kind; for
    /// Secrets and ConfigMaps it means that asking for them will be answered.
    InSync(Kind),
    /// The cluster does not have the kind (now): there are no objects of it, and none to wait for.
    /// Those told before are gone. [`Event::InSync`] follows if it is installed later.
    Absent(Kind),
}

/// Changes of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The kind of all of them.
    pub kind: Kind,
    /// Objects that are new or changed, or may be: each in its newest state.
    pub upserts: Vec<AnyObject>,
    /// Objects that are gone. For a Secret or ConfigMap that was asked for, also the answer that
    /// there is none. None of them is in `upserts`.
    pub removals: Vec<ObjectKey>,
}

/// The Secrets and ConfigMaps that are wanted whole; everything that any translation looked for,
/// found or not.
///
/// Each that is new here is answered once by an upsert or a removal, and followed from then on. What
/// is no longer here is followed no more, without notice: the receiver drops it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Wanted Secrets.
    pub secrets: BTreeSet<ObjectKey>,
    /// Wanted ConfigMaps.
    pub config_maps: BTreeSet<ObjectKey>,
}

/// Where to say what is wanted; the newest counts.
pub type ReferencesSender = tokio::sync::watch::Sender<Arc<References>>;
