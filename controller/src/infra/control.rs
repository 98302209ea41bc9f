//! The decisions about infrastructure, as a plain state machine.
//!
//! What is wanted, what there is, and what became of writes come in; [`Step`]s go out. Nothing here
//! waits, reads or writes.

mod accounts;
mod backlog;
mod plan;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_ir::ObjectKey;
use serde_json::Value as Json;
use tokio::time::Instant;

use self::backlog::{Backlog, Progress};
use super::decide::{Memory, owner};
use super::live::LivePod;
use super::observe::{self, PodFacts};
use super::render::Settings;
use super::resource::{ResourceId, ResourceKind};
use super::{Event, Observed, Wanted, trouble};
use crate::serve::identity::Accounts;

/// Something to be asked of the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The object.
    pub id: ResourceId,
    /// What to do with it.
    pub request: Request,
}

/// What to do with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Make it; it is an error if there is one.
    Create(Json),
    /// Apply this to it.
    Apply {
        /// What we have to say.
        object: Json,
        /// To be merged into it before.
        before: Option<Json>,
    },
    /// Delete it, if it is still this one.
    Delete {
        /// Its uid.
        uid: String,
        /// Its version.
        resource_version: String,
    },
    /// Read it.
    Look,
}

/// What became of an [`Order`].
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was written.
    Stored {
        /// What was sent.
        object: Json,
        /// What the API server made of it.
        response: Json,
    },
    /// It was read: this is there.
    Found(Option<Json>),
    /// It is deleted.
    Deleted,
    /// There is an object of that name.
    AlreadyExists,
    /// The API server will not have it.
    Refused {
        /// What was tried, in the words of RBAC.
        verb: &'static str,
        /// What it says.
        status: Box<kube::core::Status>,
    },
    /// There was no answer that means anything.
    Failed(String),
    /// It was not sent: this process does not lead.
    NotLeader,
}

/// What is to be done and told.
#[derive(Debug, Default)]
pub struct Step {
    /// For the API server.
    pub orders: Vec<Order>,
    /// For the reconcile loop.
    pub events: Vec<Event>,
    /// Whose service accounts are whose, if that is news.
    pub accounts: Option<Arc<Accounts>>,
    /// When to call [`Control::step`] if nothing happens before.
    pub wake_at: Option<Instant>,
}

/// Where news come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    /// `None`: pods.
    pub kind: Option<ResourceKind>,
}

/// Everything that is known.
#[derive(Debug)]
pub struct Control {
    settings: Settings,
    bundle: Option<Arc<str>>,
    wanted: Option<Arc<Wanted>>,
    leads: bool,
    /// Sources that have not told everything yet.
    awaited: BTreeSet<Source>,
    told_sync: bool,
    live: BTreeMap<ResourceId, Json>,
    /// What was made for each Gateway, by whom it was made for; always as `live` has it.
    owned: BTreeMap<ObjectKey, BTreeSet<ResourceId>>,
    /// Pods by namespace and Deployment.
    pods: BTreeMap<(String, String), BTreeMap<Arc<str>, PodFacts>>,
    backlog: Backlog,
    told: BTreeMap<ObjectKey, Observed>,
    /// Gateways to look at in the next step.
    dirty: BTreeSet<ObjectKey>,
    /// The service accounts that were told, until there may be others.
    accounts: Option<Arc<Accounts>>,
}

impl Control {
    /// Knows nothing, and waits for all `sources`.
    pub fn new(settings: Settings, sources: impl IntoIterator<Item = Source>) -> Self {
        Self {
            settings,
            bundle: None,
            wanted: None,
            leads: false,
            awaited: sources.into_iter().collect(),
            told_sync: false,
            live: BTreeMap::new(),
            owned: BTreeMap::new(),
            pods: BTreeMap::new(),
            backlog: Backlog::default(),
            told: BTreeMap::new(),
            dirty: BTreeSet::new(),
            accounts: None,
        }
    }

    /// This is wanted from now on.
    pub fn want(&mut self, wanted: Arc<Wanted>) {
        let nothing = Wanted::default();
        let before = self.wanted.as_deref().unwrap_or(&nothing);
        for (gateway, infra) in &wanted.gateways {
            if before.gateways.get(gateway) != Some(infra) {
                self.dirty.insert(gateway.clone());
                // What was refused may be mended.
                self.backlog.hurry(&gateway.namespace, &infra.name);
            }
        }
        let gone = before.gateways.keys();
        let gone = gone.filter(|gateway| !wanted.gateways.contains_key(*gateway));
        self.dirty.extend(gone.cloned());
        self.dirty.extend(wanted.foreign.iter().cloned());
        self.wanted = Some(wanted);
        self.accounts = None;
    }

    /// The certificates by which data planes are to know the controller.
    pub fn trust(&mut self, bundle: Arc<str>) {
        self.bundle = Some(bundle);
        self.look_at_all();
    }

    /// This process leads from now on, or does no longer.
    pub fn lead(&mut self, leads: bool) {
        self.leads = leads;
        // Another leader may have written since.
        self.backlog.forget();
        self.look_at_all();
    }

    /// An object of ours is there, new or changed.
    pub fn see(&mut self, id: ResourceId, object: Json) {
        if self
            .live
            .get(&id)
            .is_some_and(|known| is_older(&object, known))
        {
            return;
        }
        self.drop_live(&id);
        if let Some((gateway, _)) = owner(&object) {
            let gateway = ObjectKey::new(id.namespace.as_str(), gateway);
            self.dirty.insert(gateway.clone());
            self.owned.entry(gateway).or_default().insert(id.clone());
        }
        self.doubt_accounts(&id);
        self.live.insert(id, object);
    }

    /// An object is gone.
    pub fn miss(&mut self, id: &ResourceId) {
        self.drop_live(id);
        // Who waits for the name to be free has it now.
        self.backlog.hurry(&id.namespace, &id.name);
        self.look_at_name(&id.namespace, &id.name);
    }

    /// A source has told everything: these are all the objects it has.
    pub fn replace(&mut self, source: &Source, objects: Vec<(ResourceId, Json)>) {
        let there: BTreeSet<ResourceId> = objects.iter().map(|(id, _)| id.clone()).collect();
        for (id, object) in objects {
            self.see(id, object);
        }
        let gone: Vec<ResourceId> = self
            .live
            .keys()
            .filter(|id| source.has(&id.namespace, Some(id.kind)) && !there.contains(id))
            .cloned()
            .collect();
        for id in &gone {
            self.miss(id);
        }
        self.settle(source);
    }

    /// A pod is there, new or changed.
    pub fn see_pod(&mut self, namespace: &str, name: &str, live: &LivePod) {
        let Some((deployment, facts)) = observe::pod_facts(live) else {
            self.miss_pod(namespace, name);
            return;
        };
        let key = (namespace.to_owned(), deployment);
        self.look_at_name(&key.0, &key.1);
        self.pods.entry(key).or_default().insert(name.into(), facts);
    }

    /// A pod is gone.
    pub fn miss_pod(&mut self, namespace: &str, name: &str) {
        let mut touched = Vec::new();
        for (key, pods) in &mut self.pods {
            if key.0 == namespace && pods.remove(name).is_some() {
                touched.push(key.clone());
            }
        }
        self.pods.retain(|_, pods| !pods.is_empty());
        for (namespace, deployment) in touched {
            self.look_at_name(&namespace, &deployment);
        }
    }

    /// A source has told everything: these are all the pods it has, by namespace and name.
    pub fn replace_pods(&mut self, source: &Source, pods: Vec<(String, String, LivePod)>) {
        let old = self
            .pods
            .extract_if(.., |(namespace, _), _| source.has(namespace, None));
        let old: Vec<_> = old.map(|(key, _)| key).collect();
        for (namespace, deployment) in old {
            self.look_at_name(&namespace, &deployment);
        }
        for (namespace, name, live) in pods {
            self.see_pod(&namespace, &name, &live);
        }
        self.settle(source);
    }

    /// An order is carried out, or not.
    pub fn note(&mut self, id: &ResourceId, outcome: Outcome, now: Instant) {
        self.look_at_name(&id.namespace, &id.name);
        match outcome {
            Outcome::Stored { object, response } => {
                let memory = Memory::of(object, &response);
                self.see(id.clone(), response);
                self.backlog.succeed(id, memory);
            }
            Outcome::Found(found) => {
                match found {
                    Some(object) => self.see(id.clone(), object),
                    None => self.drop_live(id),
                }
                self.backlog.mark(id, Progress::Looked);
            }
            Outcome::Deleted => {
                self.drop_live(id);
                self.backlog.remove(id);
            }
            Outcome::AlreadyExists => self.backlog.mark(id, Progress::MustLook),
            Outcome::Refused { verb, status } => {
                let trouble = trouble::of_refusal(id, verb, &status);
                if trouble.is_none() || self.backlog.trouble_of(id) != trouble.as_ref() {
                    tracing::warn!(object = %id, verb, code = status.code,
                        reason = status.message, "the API server refuses infrastructure");
                }
                self.backlog.fail(id, trouble, now);
            }
            Outcome::Failed(error) => {
                tracing::warn!(object = %id, error, "infrastructure is not written");
                self.backlog.fail(id, None, now);
            }
            Outcome::NotLeader => self.backlog.mark(id, Progress::Idle),
        }
    }

    /// What is to be done now, and told.
    pub fn step(&mut self, now: Instant) -> Step {
        for (namespace, name) in self.backlog.due(now) {
            self.look_at_name(&namespace, &name);
        }
        let mut step = Step::default();
        if !self.awaited.is_empty() {
            return step;
        }
        for gateway in std::mem::take(&mut self.dirty) {
            if self.leads {
                self.plan(&gateway, now, &mut step.orders);
            }
            step.events.extend(self.observe(&gateway));
        }
        if !self.told_sync {
            self.told_sync = true;
            step.events.push(Event::InSync);
        }
        step.accounts = self.new_accounts();
        step.wake_at = self.backlog.next_due();
        step
    }

    fn settle(&mut self, source: &Source) {
        self.awaited.remove(source);
        self.look_at_all();
    }

    fn look_at_all(&mut self) {
        self.dirty.extend(self.owned.keys().cloned());
        let wanted = self.wanted.iter().flat_map(|wanted| wanted.gateways.keys());
        self.dirty.extend(wanted.cloned());
        let foreign = self.wanted.iter().flat_map(|wanted| &wanted.foreign);
        self.dirty.extend(foreign.cloned());
    }

    /// Looks at the Gateways that have to do with objects of this name.
    fn look_at_name(&mut self, namespace: &str, name: &str) {
        let is_of = |ids: &BTreeSet<ResourceId>| ids.iter().any(|id| id.name == name);
        let owners = self
            .owned
            .iter()
            .filter(|(key, ids)| &*key.namespace == namespace && is_of(ids));
        let owners: Vec<ObjectKey> = owners.map(|(key, _)| key.clone()).collect();
        let wanted = self.wanted.iter().flat_map(|wanted| &wanted.gateways);
        let wanted =
            wanted.filter(|(key, infra)| &*key.namespace == namespace && infra.name == name);
        self.dirty.extend(wanted.map(|(key, _)| key.clone()));
        self.dirty.extend(owners);
    }

    fn drop_live(&mut self, id: &ResourceId) {
        let Some(object) = self.live.remove(id) else {
            return;
        };
        self.doubt_accounts(id);
        if let Some((gateway, _)) = owner(&object) {
            let gateway = ObjectKey::new(id.namespace.as_str(), gateway);
            if let Some(ids) = self.owned.get_mut(&gateway) {
                ids.remove(id);
                if ids.is_empty() {
                    self.owned.remove(&gateway);
                }
            }
            self.dirty.insert(gateway);
        }
    }
}

impl Source {
    fn has(&self, namespace: &str, kind: Option<ResourceKind>) -> bool {
        let own = self.namespace.as_deref();
        self.kind == kind && own.is_none_or(|own| own == namespace)
    }
}

/// Whether an object is an earlier state of another. Versions are counted by one counter in every
/// API server there is; where they are not numbers, the later news is taken for the newer one.
fn is_older(object: &Json, than: &Json) -> bool {
    let version = |object: &Json| -> Option<u64> {
        object["metadata"]["resourceVersion"].as_str()?.parse().ok()
    };
    match (version(object), version(than)) {
        (Some(object), Some(than)) => object < than,
        _ => false,
    }
}
