//! When conditions changed last.

use portcullis_api::gateway::{GatewayClassStatus, GatewayStatus};
use portcullis_api::listener_set::ListenerSetStatus;
use portcullis_api::meta::Time;
use portcullis_api::status::{Condition, ListenerStatus, PolicyStatus, RouteStatus};

/// A status with conditions, perhaps in several places.
pub trait Conditioned {
    /// Fills in `lastTransitionTime` of every condition: the old one where `old` has the same
    /// condition with the same `status`, else `now`.
    fn carry(&mut self, old: Option<&Self>, now: &Time);
}

/// Fills in `lastTransitionTime` of every condition of `new`.
///
/// It is "the last time the condition transitioned from one status to another": it stays when only
/// reason, message or generation have changed.
pub fn carry_transition_times<S: Conditioned>(old: Option<&S>, new: &mut S, now: &Time) {
    new.carry(old, now);
}

impl Conditioned for Vec<Condition> {
    fn carry(&mut self, old: Option<&Self>, now: &Time) {
        for condition in self {
            let known = old
                .into_iter()
                .flatten()
                .find(|known| known.r#type == condition.r#type && known.status == condition.status);
            let time = known.and_then(|known| known.last_transition_time.clone());
            condition.last_transition_time = Some(time.unwrap_or_else(|| now.clone()));
        }
    }
}

impl Conditioned for Vec<ListenerStatus> {
    fn carry(&mut self, old: Option<&Self>, now: &Time) {
        for listener in self {
            let known = old.into_iter().flatten();
            let known = known.into_iter().find(|known| known.name == listener.name);
            listener
                .conditions
                .carry(known.map(|known| &known.conditions), now);
        }
    }
}

impl Conditioned for GatewayClassStatus {
    fn carry(&mut self, old: Option<&Self>, now: &Time) {
        self.conditions.carry(old.map(|old| &old.conditions), now);
    }
}

impl Conditioned for GatewayStatus {
    fn carry(&mut self, old: Option<&Self>, now: &Time) {
        self.conditions.carry(old.map(|old| &old.conditions), now);
        self.listeners.carry(old.map(|old| &old.listeners), now);
    }
}

impl Conditioned for ListenerSetStatus {
    fn carry(&mut self, old: Option<&Self>, now: &Time) {
        self.conditions.carry(old.map(|old| &old.conditions), now);
        self.listeners.carry(old.map(|old| &old.listeners), now);
    }
}

impl Conditioned for RouteStatus {
    fn carry(&mut self, old: Option<&Self>, now: &Time) {
        for parent in &mut self.parents {
            let known = old.into_iter().flat_map(|old| &old.parents).find(|known| {
                known.controller_name == parent.controller_name
                    && known.parent_ref == parent.parent_ref
            });
            parent
                .conditions
                .carry(known.map(|known| &known.conditions), now);
        }
    }
}

impl Conditioned for PolicyStatus {
    fn carry(&mut self, old: Option<&Self>, now: &Time) {
        for ancestor in &mut self.ancestors {
            let mut known = old.into_iter().flat_map(|old| &old.ancestors);
            let known = known.find(|known| {
                known.controller_name == ancestor.controller_name
                    && known.ancestor_ref == ancestor.ancestor_ref
            });
            ancestor
                .conditions
                .carry(known.map(|known| &known.conditions), now);
        }
    }
}

#[cfg(test)]
mod tests;
