//! What is held, and what becomes of it with each message: the stream without the network.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::{ObjectKey, PortKey, Snapshot, Version};
use portcullis_wire::decode::Assembly;
use portcullis_wire::messages::StateUpdate;
use portcullis_wire::{
    Ack, Base, Hello, InvalidResource, Nack, Received, RefusedResource, Resource, ResourceId,
};

use crate::app::Applied;
use crate::listener::PortStates;

/// What is held of a Gateway's configuration.
#[derive(Debug)]
pub(super) struct Holder {
    gateway: ObjectKey,
    held: Option<Held>,
    assembly: Assembly,
}

/// A state that is served.
#[derive(Debug)]
struct Held {
    state: Candidate,
    port_failures: BTreeMap<PortKey, String>,
}

/// A state to be served.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// As the controller calls it.
    pub(super) version: Version,
    pub(super) snapshot: Arc<Snapshot>,
    /// What of it could not be read, since when ever.
    refused: Vec<RefusedResource>,
}

/// What to do after a message.
#[derive(Debug)]
pub(super) enum Step {
    /// Wait for the rest of the update.
    Wait,
    /// Apply this, and answer with what [`Holder::applied`] says.
    Apply(Candidate),
    /// Answer that nothing changes.
    Refuse(Nack),
}

impl Holder {
    pub(super) fn new(gateway: ObjectKey) -> Self {
        Self {
            gateway,
            held: None,
            assembly: Assembly::default(),
        }
    }

    /// The first words on a new stream.
    pub(super) fn hello(&mut self) -> Hello {
        self.assembly = Assembly::default();
        Hello {
            gateway: self.gateway.clone(),
            holds: self.held.as_ref().map(|held| held.state.version),
            build: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// What is served.
    pub(super) fn held(&self) -> Option<&Candidate> {
        self.held.as_ref().map(|held| &held.state)
    }

    /// A message came.
    pub(super) fn receive(&mut self, message: StateUpdate) -> Step {
        let version = Version(message.version);
        let refuse = |reason| Step::Refuse(Nack { version, reason });
        match self.assembly.push(message) {
            Ok(None) => Step::Wait,
            Ok(Some(received)) => match self.candidate(received) {
                Ok(candidate) => Step::Apply(candidate),
                Err(reason) => refuse(reason),
            },
            Err(error) => refuse(error.to_string()),
        }
    }

    fn candidate(&self, received: Received) -> Result<Candidate, String> {
        let Received { update, refused } = &received;
        let version = update.version;
        if update.delta.gateway != self.gateway {
            return Err(format!("it is for Gateway {}", update.delta.gateway));
        }
        let held = self.held();
        let still = match (update.base, held) {
            (Base::Empty, _) => Vec::new(),
            (Base::Version(base), Some(held)) if base == held.version => {
                still_refused(held, &received)
            }
            (Base::Version(base), _) => return Err(format!("version {base} is not held")),
        };
        let refused = still.into_iter().chain(refused.iter().map(told)).collect();
        let snapshot = match held {
            Some(held) => received.apply(&held.snapshot),
            None => received.apply(&Snapshot::empty(self.gateway.clone(), 0)),
        };
        Ok(Candidate {
            version,
            snapshot: Arc::new(snapshot),
            refused,
        })
    }

    /// A candidate is served now. Answers what to say.
    pub(super) fn applied(&mut self, candidate: Candidate, applied: &Applied) -> Ack {
        let held = Held {
            state: candidate,
            port_failures: failures(&applied.ports),
        };
        let ack = held.ack();
        self.held = Some(held);
        ack
    }

    /// What is held was applied again. Answers what to say if anything is new.
    pub(super) fn applied_again(&mut self, applied: &Applied) -> Option<Ack> {
        let held = self.held.as_mut()?;
        let failures = failures(&applied.ports);
        if held.port_failures == failures {
            return None;
        }
        held.port_failures = failures;
        Some(held.ack())
    }
}

impl Held {
    fn ack(&self) -> Ack {
        let Candidate {
            version,
            snapshot,
            refused,
        } = &self.state;
        Ack {
            version: *version,
            generation: snapshot.generation,
            port_failures: self.port_failures.clone(),
            refused: refused.clone(),
        }
    }
}

impl Candidate {
    /// Resources of it that could not be read.
    pub(super) fn refused(&self) -> &[RefusedResource] {
        &self.refused
    }
}

/// What was refused before and is not touched now. What has no name is forgotten: it cannot be
/// told whether it was touched.
fn still_refused(held: &Candidate, received: &Received) -> Vec<RefusedResource> {
    let Received { update, refused } = received;
    let delta = &update.delta;
    let read = delta.upserts.iter().map(Resource::id);
    let unread = refused.iter().filter_map(|resource| resource.id.clone());
    let touched: Vec<ResourceId> = (read.chain(unread))
        .chain(delta.removals.iter().cloned())
        .collect();
    let stays =
        |refused: &&RefusedResource| (refused.id.as_ref()).is_some_and(|id| !touched.contains(id));
    held.refused.iter().filter(stays).cloned().collect()
}

fn told(resource: &InvalidResource) -> RefusedResource {
    let InvalidResource { id, field, cause } = resource;
    RefusedResource {
        id: id.clone(),
        field: field.clone(),
        reason: cause.to_string(),
    }
}

fn failures(ports: &PortStates) -> BTreeMap<PortKey, String> {
    let failures = ports.iter().filter_map(|(port, state)| {
        let failure = state.as_ref().err()?;
        Some((*port, failure.to_string()))
    });
    failures.collect()
}

#[cfg(test)]
mod tests;
