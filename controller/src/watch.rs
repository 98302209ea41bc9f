//! The cluster's objects as a stream of changes.
//!
//! One watch per kind (and namespace, when restricted) feeds one bounded channel of [`Event`]s; no
//! copy of the objects is kept here. Who receives them holds the one [`portcullis_api::Objects`].
//!
//! Secrets and ConfigMaps come only when they are asked for ([`References`]): of all others no more
//! than the metadata is read. Namespaces come with their metadata only.

mod backoff;
mod changes;
mod crds;
mod decode;
mod discovery;
mod follower;
mod ledger;
mod referenced;
mod served;
mod sighting;
mod teller;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::Client;
use kube::api::PartialObjectMeta;
use portcullis_api::{AnyObject, Kind, ObjectKey};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub(crate) use self::backoff::backoff;
pub use self::changes::changes;
pub(crate) use self::changes::{WATCH_SECONDS, error_chain};
use self::crds::CrdFollower;
use self::discovery::Discovery;
use self::follower::{Follower, Plan};
pub use self::ledger::{Changes, Progress};
use self::referenced::ReferenceFollower;
pub use self::served::Served;
use self::sighting::Sighting;
use crate::config::Namespaces;

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
    /// The Gateway API's CRDs, by name, each with its `bundle-version` if it has one: all there are.
    BundleVersions(Arc<BTreeMap<String, Option<String>>>),
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
pub type ReferencesSender = watch::Sender<Arc<References>>;

impl References {
    /// The wanted objects of a kind that comes by reference; of no other kind is any.
    fn of(&self, kind: Kind) -> &BTreeSet<ObjectKey> {
        static NONE: BTreeSet<ObjectKey> = BTreeSet::new();
        match kind {
            Kind::Secret => &self.secrets,
            Kind::ConfigMap => &self.config_maps,
            _ => &NONE,
        }
    }
}

/// Watches every kind for as long as somebody listens to `events`; returns when one of its tasks
/// ended, for half a watch would be worse than none. Notes in `served` which versions there are.
///
/// # Panics
///
/// If one of its tasks does.
pub async fn run(
    client: Client,
    namespaces: Namespaces,
    references: watch::Receiver<Arc<References>>,
    served: Served,
    events: mpsc::Sender<Event>,
) {
    let mut tasks = JoinSet::new();
    for kind in [Kind::Secret, Kind::ConfigMap] {
        let (client, namespaces) = (client.clone(), namespaces.clone());
        let follower = ReferenceFollower::new(client, kind, namespaces, events.clone());
        tasks.spawn(follower.run(references.clone()));
    }
    let mut plans = BTreeMap::new();
    // Of kinds that every cluster has; never changed, and kept because a plan nobody can change
    // any more ends its follower.
    let mut fixed = Vec::new();
    for kind in Kind::ALL {
        let version = kind.versions().first().copied().unwrap_or("v1");
        let (plan, planned) = watch::channel(Plan::Watched(version));
        let follower = Follower::new(client.clone(), kind, &namespaces, events.clone());
        match kind {
            Kind::Secret | Kind::ConfigMap => {}
            Kind::Namespace => {
                tasks.spawn(follower.run::<PartialObjectMeta>(planned));
                fixed.push(plan);
            }
            Kind::Service | Kind::EndpointSlice => {
                tasks.spawn(follower.run::<Sighting>(planned));
                fixed.push(plan);
            }
            Kind::ClusterTrustBundle => {
                plan.send_replace(Plan::Unknown);
                tasks.spawn(follower.run::<Sighting>(planned));
                let discovery = Discovery {
                    client: client.clone(),
                    kind,
                    plan,
                    served: served.clone(),
                };
                tasks.spawn(discovery.run());
            }
            _ => {
                plan.send_replace(Plan::Unknown);
                tasks.spawn(follower.run::<Sighting>(planned));
                plans.insert(kind, plan);
            }
        }
    }
    let crds = CrdFollower {
        client,
        plans,
        served,
        events,
    };
    tasks.spawn(crds.run());
    if let Some(Err(error)) = tasks.join_next().await
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}
