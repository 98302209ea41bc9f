//! The decisions of the controller, as a plain state machine.
//!
//! News comes in (objects, what data planes say, what there is around them, leadership), and is
//! noted at little cost. [`Control::step`] then works out what follows from all of it. Nothing here
//! waits, reads or writes.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::{AnyObject, Kind, ObjectKey, Objects};
use portcullis_ir::SharedMap;
use portcullis_ir::Snapshot;
use portcullis_translate::references::{References, Relevance};
use portcullis_translate::{GatewayOutput, Inputs, Installed, Options, Output, Translator, ir_key};
use tokio::time::Instant;

use super::ask::{ASKED, Ask};
use super::desk::{Desk, Role, View};
use super::fleet::{Effect, Fleet};
use crate::status::Order;
use crate::{infra, serve, watch};

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Seconds since the Unix epoch: what certificates are valid by.
    pub unix: i64,
    /// What waits are measured by.
    pub tick: Instant,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Step {
    /// The Secrets and ConfigMaps that are wanted, if that changed.
    pub references: Option<Arc<watch::References>>,
    /// Snapshots that changed.
    pub publish: Vec<(portcullis_ir::ObjectKey, Arc<Snapshot>)>,
    /// Gateways that are ours no more.
    pub withdraw: Vec<portcullis_ir::ObjectKey>,
    /// The infrastructure that is wanted, if that changed.
    pub infra: Option<Arc<infra::Wanted>>,
    /// What the status writer is to know.
    pub statuses: Vec<Order>,
    /// Whether there was reason to translate.
    pub has_translated: bool,
}

/// The state of the controller.
#[derive(Debug)]
pub struct Control {
    translator: Translator,
    objects: Objects,
    references: References,
    /// Kinds of which not all that there is has been told.
    awaited: BTreeSet<Kind>,
    /// The versions of the Gateway API's CRDs.
    options: Options,
    ask: Ask,
    fleet: Fleet,
    /// Whether `fleet` knows all that there is in the cluster.
    is_fleet_complete: bool,
    desk: Desk,
    published: BTreeMap<portcullis_ir::ObjectKey, Arc<Snapshot>>,
    wanted: Option<Arc<infra::Wanted>>,
    recheck_at: Option<i64>,
    /// Whether the next step has to translate.
    is_dirty: bool,
    /// Objects whose status may have changed, to be told to the writer.
    seen: Vec<AnyObject>,
}

impl Control {
    /// A controller that knows nothing yet. GatewayClasses that name it are ours.
    pub fn new(controller_name: String) -> Self {
        let options = Options::new(controller_name.clone());
        Self {
            references: References::new(controller_name),
            translator: Translator::new(options.clone()),
            objects: Objects::default(),
            awaited: Kind::ALL.into_iter().collect(),
            options,
            ask: Ask::default(),
            fleet: Fleet::default(),
            is_fleet_complete: false,
            desk: Desk::new(),
            published: BTreeMap::new(),
            wanted: None,
            recheck_at: None,
            is_dirty: true,
            seen: Vec::new(),
        }
    }

    /// The cluster has news.
    pub fn watched(&mut self, event: watch::Event) {
        match event {
            watch::Event::Changed(watch::Batch {
                kind,
                upserts,
                removals,
            }) => {
                for object in upserts {
                    self.upsert(object);
                }
                for key in removals {
                    self.remove(kind, &key);
                }
            }
            watch::Event::InSync(kind) => {
                self.awaited.remove(&kind);
                self.is_there(kind, Presence::Present);
            }
            watch::Event::Absent(kind) => {
                self.awaited.remove(&kind);
                self.is_there(kind, Presence::Absent);
                let gone: Vec<_> = self.objects.iter().filter(|it| it.kind() == kind).collect();
                for object in gone {
                    self.remove(kind, &object.key());
                }
            }
            watch::Event::BundleVersions(versions) => {
                let installed = Installed::Crds(versions);
                if self.options.installed != installed {
                    self.options.installed = installed;
                    self.translator = Translator::new(self.options.clone());
                    self.is_dirty = true;
                }
            }
        }
    }

    /// The cluster has a kind, or has it not, of those that not every cluster has.
    fn is_there(&mut self, kind: Kind, presence: Presence) {
        if kind != Kind::ClusterTrustBundle {
            return;
        }
        let is_news = match presence {
            Presence::Present => self.options.absent.remove(&kind),
            Presence::Absent => self.options.absent.insert(kind),
        };
        if is_news {
            self.translator = Translator::new(self.options.clone());
            self.is_dirty = true;
        }
    }

    fn upsert(&mut self, object: AnyObject) {
        let (kind, key) = (object.kind(), object.key());
        if ASKED.contains(&kind) {
            if !self.ask.is_asked(kind, &key) {
                return; // an answer that came after the question was dropped
            }
            self.is_dirty |= self.ask.answer(kind, &key);
        }
        let old = self.objects.insert(object.clone());
        if old
            .as_ref()
            .is_some_and(|old| is_same_version(old, &object))
        {
            return; // told again, as after a broken watch
        }
        self.note(old.as_ref(), Some(&object));
        if self.desk.tells_of(kind, &key) {
            self.seen.push(object);
        }
    }

    fn remove(&mut self, kind: Kind, key: &ObjectKey) {
        if ASKED.contains(&kind) {
            self.is_dirty |= self.ask.answer(kind, key);
        }
        let old = self.objects.remove(kind, key);
        self.note(old.as_ref(), None);
    }

    fn note(&mut self, old: Option<&AnyObject>, new: Option<&AnyObject>) {
        self.is_dirty |= self.references.note(old, new) == Relevance::Relevant;
    }

    /// A data plane has news.
    pub fn reported(&mut self, report: serve::Report) {
        self.is_dirty |= self.fleet.report(report) == Effect::Changed;
    }

    /// There is news of what there is around data planes.
    pub fn observed(&mut self, event: infra::Event) {
        self.is_dirty |= match event {
            infra::Event::Observed { gateway, observed } => {
                self.fleet.observe(&gateway, observed) == Effect::Changed
            }
            infra::Event::InSync => !std::mem::replace(&mut self.is_fleet_complete, true),
        };
    }

    /// We lead, or follow, from now on.
    pub fn lead(&mut self, leads: bool, now: Instant) {
        let role = if leads {
            Role::Leader { since: now }
        } else {
            Role::Follower
        };
        self.desk.assume(role);
        self.is_dirty = true;
    }

    /// Whether [`Control::step`] has something to do.
    pub fn owes_a_step(&self) -> bool {
        self.awaited.is_empty() && (self.is_dirty || !self.seen.is_empty())
    }

    /// When it will have something to do for the sake of a certificate, in seconds since the Unix
    /// epoch.
    pub fn recheck_at(&self) -> Option<i64> {
        self.recheck_at
    }

    /// When it will have something to do because a wait is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.desk.deadline()
    }

    /// Works out what follows from all the news. Nothing does until all that there is in the
    /// cluster has been told.
    pub fn step(&mut self, now: Moment) -> Step {
        if !self.awaited.is_empty() {
            return Step::default();
        }
        let mut step = Step {
            statuses: self.seen.drain(..).map(Order::Seen).collect(),
            ..Step::default()
        };
        let is_time = self.recheck_at.is_some_and(|at| at <= now.unix)
            || self.deadline().is_some_and(|at| at <= now.tick);
        if std::mem::take(&mut self.is_dirty) || is_time {
            self.translate(now, &mut step);
        }
        step
    }

    fn translate(&mut self, now: Moment, step: &mut Step) {
        self.references.refresh(&self.objects);
        step.references = self.ask.ask(&self.references, &mut self.objects);
        let withheld = self.references.concerned_by(self.ask.unanswered());

        let objects = &self.objects;
        let uid = |key: &portcullis_ir::ObjectKey| {
            let key = ObjectKey::new(Arc::clone(&key.namespace), Arc::clone(&key.name));
            objects.gateways.get(&key)?.metadata.uid.as_deref()
        };
        let inputs = Inputs {
            objects,
            observed: &self.fleet.facts(uid),
            now: now.unix,
        };
        let Output {
            gateways,
            statuses,
            foreign,
            recheck_at,
        } = self.translator.translate(&inputs);
        self.recheck_at = recheck_at;

        let view = View {
            objects: &self.objects,
            fleet: &self.fleet,
            is_complete: self.is_fleet_complete,
            withheld: &withheld,
            now: now.tick,
        };
        step.statuses.extend(self.desk.tell(statuses, view));
        step.has_translated = true;
        let withheld = withheld.gateways.iter().map(ir_key).collect();
        self.publish(&gateways, &withheld, step);
        self.want(&gateways, foreign, &withheld, step);
    }

    /// Snapshots go out when they differ from what went out before. One of which a certificate is
    /// yet to be read is withheld: it would take the certificate away from whom it serves.
    fn publish(
        &mut self,
        gateways: &SharedMap<portcullis_ir::ObjectKey, GatewayOutput>,
        withheld: &BTreeSet<portcullis_ir::ObjectKey>,
        step: &mut Step,
    ) {
        let gone = self
            .published
            .extract_if(.., |key, _| !gateways.contains_key(key));
        step.withdraw.extend(gone.map(|(key, _)| key));
        for (key, GatewayOutput { snapshot, .. }) in gateways {
            let is_known = self.published.get(key).is_some_and(|it| it == snapshot);
            if is_known || withheld.contains(key) {
                continue;
            }
            self.published.insert(key.clone(), Arc::clone(snapshot));
            step.publish.push((key.clone(), Arc::clone(snapshot)));
        }
    }

    fn want(
        &mut self,
        gateways: &SharedMap<portcullis_ir::ObjectKey, GatewayOutput>,
        foreign: BTreeSet<portcullis_ir::ObjectKey>,
        withheld: &BTreeSet<portcullis_ir::ObjectKey>,
        step: &mut Step,
    ) {
        let before = self.wanted.as_deref();
        let keep = |(key, output): (&portcullis_ir::ObjectKey, &GatewayOutput)| {
            let before = before.and_then(|before| before.gateways.get(key));
            let infra = match before {
                Some(before) if withheld.contains(key) || *before == output.infra => {
                    Arc::clone(before)
                }
                None if withheld.contains(key) => return None,
                _ => Arc::clone(&output.infra),
            };
            Some((key.clone(), infra))
        };
        let wanted = infra::Wanted {
            gateways: gateways.iter().filter_map(keep).collect(),
            foreign,
        };
        if self.wanted.as_deref() != Some(&wanted) {
            self.wanted = Some(Arc::new(wanted));
            step.infra.clone_from(&self.wanted);
        }
    }
}

/// Whether the cluster has a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Present,
    Absent,
}

/// Whether two states of an object are one and the same to the API server.
fn is_same_version(old: &AnyObject, new: &AnyObject) -> bool {
    let version = |object: &AnyObject| {
        let metadata = object.metadata();
        metadata.uid.clone().zip(metadata.resource_version.clone())
    };
    version(old).is_some_and(|old| version(new) == Some(old))
}
