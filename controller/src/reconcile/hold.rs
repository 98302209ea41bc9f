//! "Programmed" does not flicker.
//!
//! A Gateway is programmed when every ready data plane serves its generation. For a moment after
//! every edit, and whenever a pod is replaced or its stream breaks, some have not said so yet. To
//! say `False` for that moment would set off alarms that mean nothing. So a condition that was
//! `True` stays as it was said, `observedGeneration` and all (which is true: it was programmed, for
//! that generation), until either all have said so, or the wait has become worth telling.

use std::collections::BTreeMap;
use std::time::Duration;

use portcullis_api::ObjectKey;
use portcullis_api::gateway::GatewayStatus;
use portcullis_api::listener_set::ListenerSetStatus;
use portcullis_api::status::{
    Condition, ConditionReason, ConditionStatus, ConditionType, ListenerStatus,
};
use tokio::time::Instant;

/// How long "Programmed" stays `True` while a data plane is waited for.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Whether something of a status was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Something,
}

/// A status with "Programmed" in it.
pub(super) trait Programmable: Clone + PartialEq {
    /// Takes over "Programmed" from `before`, where it was `True` and is only waited for now.
    fn hold(&mut self, before: &Self) -> Held;
}

impl Programmable for Vec<Condition> {
    fn hold(&mut self, before: &Self) -> Held {
        let mut held = Held::Nothing;
        for condition in self {
            if condition.r#type != ConditionType::Programmed
                || condition.status == ConditionStatus::True
                || condition.reason != ConditionReason::Pending
            {
                continue;
            }
            let was_true = |it: &&Condition| {
                it.r#type == ConditionType::Programmed && it.status == ConditionStatus::True
            };
            if let Some(before) = before.iter().find(was_true) {
                condition.clone_from(before);
                // It is carried over from what is written, by who writes.
                condition.last_transition_time = None;
                held = Held::Something;
            }
        }
        held
    }
}

impl Programmable for Vec<ListenerStatus> {
    fn hold(&mut self, before: &Self) -> Held {
        let mut held = Held::Nothing;
        for listener in self {
            let same = before.iter().find(|it| it.name == listener.name);
            if let Some(before) = same {
                held = held.or(listener.conditions.hold(&before.conditions));
            }
        }
        held
    }
}

impl Programmable for GatewayStatus {
    fn hold(&mut self, before: &Self) -> Held {
        let own = self.conditions.hold(&before.conditions);
        own.or(self.listeners.hold(&before.listeners))
    }
}

impl Programmable for ListenerSetStatus {
    fn hold(&mut self, before: &Self) -> Held {
        let own = self.conditions.hold(&before.conditions);
        own.or(self.listeners.hold(&before.listeners))
    }
}

impl Held {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => Self::Nothing,
            _ => Self::Something,
        }
    }
}

/// What was told of the objects of one kind.
#[derive(Debug)]
pub(super) struct Ledger<S> {
    told: BTreeMap<ObjectKey, Told<S>>,
}

#[derive(Debug)]
struct Told<S> {
    /// Tells the object from a later one of the same name.
    uid: String,
    /// What was told last; `None`: nothing yet.
    status: Option<S>,
    /// Since when something is held back.
    held_since: Option<Instant>,
}

impl<S: Programmable> Ledger<S> {
    pub(super) fn new() -> Self {
        Self {
            told: BTreeMap::new(),
        }
    }

    /// What is to be told of an object of which `status` is true, if that is news. `live` is its
    /// status as it is in the cluster.
    pub(super) fn tell(
        &mut self,
        (key, uid): (&ObjectKey, &str),
        status: &S,
        live: Option<&S>,
        now: Instant,
    ) -> Option<S> {
        let told = self
            .told
            .entry(key.clone())
            .or_insert_with(|| Told::of(uid));
        if told.uid != uid {
            *told = Told::of(uid);
        }
        let mut held = status.clone();
        let before = told.status.as_ref().or(live);
        let outcome = before.map_or(Held::Nothing, |before| held.hold(before));
        told.held_since = match outcome {
            Held::Nothing => None,
            Held::Something => Some(told.held_since.unwrap_or(now)),
        };
        if told.held_since.is_some_and(|since| now >= since + GRACE) {
            told.held_since = None;
            held = status.clone();
        }
        if told.status.as_ref() == Some(&held) {
            return None;
        }
        told.status = Some(held.clone());
        Some(held)
    }

    /// Forgets everything; answers of what something was told.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = ObjectKey> + use<S> {
        std::mem::take(&mut self.told).into_keys()
    }

    /// Nothing is to be said of an object any more.
    pub(super) fn forget(&mut self, key: &ObjectKey) {
        self.told.remove(key);
    }

    /// When something of an object will have been held back for too long.
    pub(super) fn deadline(&self, key: &ObjectKey) -> Option<Instant> {
        let since = self.told.get(key)?.held_since?;
        Some(since + GRACE)
    }
}

impl<S> Told<S> {
    fn of(uid: &str) -> Self {
        Self {
            uid: uid.to_owned(),
            status: None,
            held_since: None,
        }
    }
}
