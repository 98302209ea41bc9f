//! What is still to be written, and when: a plain state machine.
//!
//! Every object about which there is something to say has an [`Item`], in which the newest counts.
//! An object is written at once when it was at rest, and again after a pause at the earliest; what
//! changes in between is written together. A status that somebody else changes back is written
//! less and less often.

mod pace;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portcullis_api::AnyObject;
use portcullis_shared::Alike;
use serde_json::{Map, Value};
use tokio::time::Instant;

use self::pace::Pace;
use self::queue::Queue;
use super::merge::{Context, has_foreign_parts, merge};
use super::{Order, Subject};

/// How long a watch may take to show what we have written. Until then, what it shows is older.
const ECHO: Duration = Duration::from_secs(2);
/// How many writes may be under way.
const MOST_IN_FLIGHT: usize = 16;

/// A status as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Tells the object from a later one of the same name.
    pub uid: String,
    /// The version that was read.
    pub resource_version: String,
    /// The status; `null` if there is none.
    pub status: Value,
}

/// One status to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Whose.
    pub subject: Subject,
    /// What is to be said.
    pub wanted: Arc<Value>,
    /// The object's uid, if known.
    pub uid: Option<String>,
    /// The status as it is, if it is known whole; else it is to be read first.
    pub live: Option<Live>,
}

/// What came of a [`Job`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The status says what was wanted, as read or as answered.
    Settled(Live),
    /// The object is gone, or another one has its name. Either is news that the watch brings too.
    Gone,
    /// It could not be written; perhaps later.
    Failed,
    /// We are not the leader.
    NotLeader,
}

#[derive(Debug)]
struct Item {
    /// What is to be said, as text: that takes a fifth of what a [`Value`] does, and there may be
    /// thousands at rest. Mostly the same is said of many.
    wanted: Arc<str>,
    /// As the watch showed it last.
    seen: AnyObject,
    /// As our last write left it, until the watch shows that.
    written: Option<(Live, Instant)>,
    /// When it is to be written, or looked at again.
    due: Option<Instant>,
    /// Whether it is known to say what is wanted, or not to.
    verdict: Verdict,
    flight: Flight,
    pace: Pace,
    /// What of `wanted` the server did not keep when we wrote it: fields that an older CRD lacks.
    /// To write that again would be in vain.
    unkept: Map<String, Value>,
}

/// Whether an item says what is wanted. To compare costs more than all else that is done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// To be compared.
    Open,
    Same,
    Different,
}

/// Whether a job of the item is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    Grounded,
    Flying,
    /// And something has changed since it was begun.
    Outdated,
}

/// All that is wanted, and what of it is to be written.
#[derive(Debug)]
pub struct Backlog {
    controller_name: String,
    items: BTreeMap<Subject, Item>,
    texts: Alike<str>,
    queue: Queue,
    in_flight: usize,
}

impl Backlog {
    /// Nothing is wanted. Entries with this `controllerName` are ours.
    pub fn new(controller_name: impl Into<String>) -> Self {
        Self {
            controller_name: controller_name.into(),
            items: BTreeMap::new(),
            texts: Alike::default(),
            queue: Queue::default(),
            in_flight: 0,
        }
    }

    /// How many objects wait to be written.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes an order.
    pub fn take(&mut self, order: Order, now: Instant) {
        match order {
            Order::Want { live, status } => self.want(live, &status, now),
            Order::Seen(live) => self.see(live, now),
            Order::Forget(subject) => self.forget(&subject),
        }
    }

    fn want(&mut self, live: AnyObject, wanted: &Value, now: Instant) {
        let subject = subject_of(&live);
        let wanted = self.texts.share(wanted.to_string());
        if let Some(item) = self.items.get_mut(&subject) {
            item.wanted = wanted;
            item.verdict = Verdict::Open;
            item.pace.changed(now);
            item.unkept.clear();
            item.show(live, now);
        } else {
            let item = Item::new(live, wanted, now);
            self.items.insert(subject.clone(), item);
        }
        self.schedule(&subject, now);
    }

    fn see(&mut self, live: AnyObject, now: Instant) {
        let subject = subject_of(&live);
        let Some(item) = self.items.get_mut(&subject) else {
            return;
        };
        item.show(live, now);
        self.schedule(&subject, now);
    }

    fn forget(&mut self, subject: &Subject) {
        if let Some(item) = self.items.remove(subject)
            && let Some(due) = item.due
        {
            self.queue.remove(due, subject);
        }
    }

    /// Decides whether and when an object is to be written.
    fn schedule(&mut self, subject: &Subject, now: Instant) {
        let Some(item) = self.items.get_mut(subject) else {
            return;
        };
        if item.flight != Flight::Grounded {
            item.flight = Flight::Outdated;
            return;
        }
        let due = if item.differs(subject, &self.controller_name) {
            Some(item.pace.due(now))
        } else {
            item.look_again_at()
        };
        if let Some(before) = std::mem::replace(&mut item.due, due) {
            self.queue.remove(before, subject);
        }
        if let Some(due) = due {
            self.queue.insert(due, subject.clone());
        }
    }

    /// When [`Backlog::next`] will have something to give.
    pub fn due(&self) -> Option<Instant> {
        let due = self.queue.due()?;
        (self.in_flight < MOST_IN_FLIGHT).then_some(due)
    }

    /// What is to be written now, if anything. Its outcome is to be told to [`Backlog::done`].
    pub fn next(&mut self, now: Instant) -> Option<Job> {
        while self.due()? <= now {
            let subject = self.queue.pop(now)?;
            let Some(item) = self.items.get_mut(&subject) else {
                continue;
            };
            item.due = None;
            item.expire(now);
            if item.differs(&subject, &self.controller_name) {
                self.in_flight += 1;
                return Some(item.take_off(subject, &self.controller_name));
            }
        }
        None
    }

    /// Takes what came of a job.
    pub fn done(&mut self, subject: &Subject, outcome: Outcome, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(item) = self.items.get_mut(subject) else {
            return; // forgotten meanwhile
        };
        let flight = std::mem::replace(&mut item.flight, Flight::Grounded);
        match outcome {
            Outcome::Settled(live) if item.is_of(&live.uid) => {
                item.settle(live, subject, &self.controller_name, now);
            }
            // Not forgotten: who has the name now is written as soon as the watch shows it.
            Outcome::Gone if flight == Flight::Flying => return,
            Outcome::Failed => item.pace.failed(now),
            // Of an object that had the name before, or not written.
            Outcome::Settled(_) | Outcome::Gone | Outcome::NotLeader => {}
        }
        self.schedule(subject, now);
    }
}

impl Item {
    fn new(seen: AnyObject, wanted: Arc<str>, now: Instant) -> Self {
        let mut pace = Pace::new(seen.kind());
        pace.changed(now);
        Self {
            wanted,
            seen,
            written: None,
            due: None,
            verdict: Verdict::Open,
            flight: Flight::Grounded,
            pace,
            unkept: Map::new(),
        }
    }

    /// Whether the watch showed this very object last, and not another one of its name.
    fn is_of(&self, uid: &str) -> bool {
        let seen = self.seen.metadata().uid.as_deref().unwrap_or_default();
        seen.is_empty() || seen == uid
    }

    /// The watch shows the object like this.
    fn show(&mut self, seen: AnyObject, now: Instant) {
        let is_echo = |(written, _): &(Live, Instant)| {
            seen.metadata().resource_version.as_deref() == Some(&*written.resource_version)
        };
        if self.written.as_ref().is_some_and(is_echo) {
            // The same as was compared when it was written.
            self.written = None;
        } else if self.written.is_none() {
            self.verdict = Verdict::Open;
        }
        self.seen = seen;
        if let Some((written, _)) = &self.written
            && !self.is_of(&written.uid)
        {
            self.written = None;
            self.verdict = Verdict::Open;
        }
        self.expire(now);
    }

    /// Takes what the watch showed last for the newest, if it had time enough to show our write.
    fn expire(&mut self, now: Instant) {
        if self
            .written
            .as_ref()
            .is_some_and(|(_, until)| now >= *until)
        {
            self.written = None;
            self.verdict = Verdict::Open;
        }
    }

    /// When to compare anew with what the watch showed last, in case it never shows our write.
    fn look_again_at(&self) -> Option<Instant> {
        self.written.as_ref().map(|(_, until)| *until)
    }

    /// The job of writing what is wanted.
    fn take_off(&mut self, subject: Subject, controller_name: &str) -> Job {
        let live = self.live();
        // What the watch showed went through our types, which may not know all that others say.
        let is_known = self.written.is_some()
            || !has_foreign_parts(subject.kind, controller_name, &live.status);
        self.pace.begin();
        self.flight = Flight::Flying;
        Job {
            uid: Some(live.uid.clone()).filter(|uid| !uid.is_empty()),
            wanted: Arc::new(self.wanted()),
            live: is_known.then_some(live),
            subject,
        }
    }

    /// What is to be said. What was written as JSON can be read.
    fn wanted(&self) -> Value {
        serde_json::from_str(&self.wanted).unwrap_or_default()
    }

    /// The newest that is known of the object.
    fn live(&self) -> Live {
        if let Some((written, _)) = &self.written {
            return written.clone();
        }
        let metadata = self.seen.metadata();
        Live {
            uid: metadata.uid.clone().unwrap_or_default(),
            resource_version: metadata.resource_version.clone().unwrap_or_default(),
            status: status_of(&self.seen),
        }
    }

    /// Whether what is said is not what is wanted.
    fn differs(&mut self, subject: &Subject, controller_name: &str) -> bool {
        if self.verdict == Verdict::Open {
            let missing = self.missing(&self.live().status, subject, controller_name);
            self.verdict = if missing.is_empty() || missing == self.unkept {
                Verdict::Same
            } else {
                Verdict::Different
            };
        }
        self.verdict == Verdict::Different
    }

    /// What has to change in a status for it to say what is wanted.
    fn missing(
        &self,
        status: &Value,
        subject: &Subject,
        controller_name: &str,
    ) -> Map<String, Value> {
        let context = Context {
            kind: subject.kind,
            controller_name,
            now: "",
        };
        merge(context, status, &self.wanted()).patch
    }

    fn settle(&mut self, live: Live, subject: &Subject, controller_name: &str, now: Instant) {
        self.verdict = if self.pace.has_news() {
            Verdict::Open
        } else {
            self.unkept = self.missing(&live.status, subject, controller_name);
            Verdict::Same
        };
        self.pace.wrote(now);
        self.written = Some((live, now + ECHO));
    }
}

fn subject_of(object: &AnyObject) -> Subject {
    Subject {
        kind: object.kind(),
        key: object.key(),
    }
}

/// The status of an object, as its type has it.
fn status_of(object: &AnyObject) -> Value {
    fn json<S: serde::Serialize>(status: Option<&S>) -> Value {
        // Our own types; see `wanted::changes`.
        serde_json::to_value(status).unwrap_or_default()
    }
    match object {
        AnyObject::GatewayClass(it) => json(it.status.as_ref()),
        AnyObject::Gateway(it) => json(it.status.as_ref()),
        AnyObject::ListenerSet(it) => json(it.status.as_ref()),
        AnyObject::HttpRoute(it) => json(it.status.as_ref()),
        AnyObject::GrpcRoute(it) => json(it.status.as_ref()),
        AnyObject::TlsRoute(it) => json(it.status.as_ref()),
        AnyObject::TcpRoute(it) => json(it.status.as_ref()),
        AnyObject::UdpRoute(it) => json(it.status.as_ref()),
        AnyObject::BackendTlsPolicy(it) => json(it.status.as_ref()),
        AnyObject::ReferenceGrant(_)
        | AnyObject::Namespace(_)
        | AnyObject::Service(_)
        | AnyObject::EndpointSlice(_)
        | AnyObject::Secret(_)
        | AnyObject::ConfigMap(_)
        | AnyObject::GatewayParameters(_)
        | AnyObject::ClusterTrustBundle(_) => Value::Null,
    }
}
