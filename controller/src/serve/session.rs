//! One pod's stream: what it holds, what it was sent, what it is sent next.
//!
//! A plain state machine. At most one update is under way; what is published meanwhile waits, and
//! of several only the newest. A delta that is refused is followed by a full state; a full state
//! that is refused is not sent again, only a newer one is.

use std::sync::Arc;

use portcullis_ir::Version;

use super::publisher::State;

/// What a pod is to be sent, and what it answered.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// What it serves, as far as it said and as we still know it: the base of the next delta.
    held: Option<Arc<State>>,
    /// Whether it said so on this stream.
    standing: Standing,
    /// What it should serve; `None` before anything was published.
    wanted: Option<Arc<State>>,
    /// What was sent and not yet answered.
    in_flight: Option<Order>,
    /// The version it refused as a full state.
    refused: Option<Version>,
}

/// What is known of the pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// It has answered nothing yet, so it is sent something in any case.
    #[default]
    Unknown,
    /// It has acked what it holds.
    Confirmed,
}

/// Something to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// What the pod holds; `None` asks for a full state.
    pub(crate) from: Option<Arc<State>>,
    /// What it is to serve.
    pub(crate) to: Arc<State>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It serves what it said.
    Serves,
    /// It could not use a delta; a full state follows.
    NeedsAll,
    /// It refused a full state.
    Refuses,
}

/// An answer to what was not asked. The stream is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an answer about version {0}, which was not sent")]
pub(crate) struct Unasked(Version);

impl Session {
    /// A pod that holds what it brought from an earlier stream.
    pub(crate) fn new(held: Option<Arc<State>>) -> Self {
        Self {
            held,
            ..Self::default()
        }
    }

    /// This is what the pod should serve.
    pub(crate) fn publish(&mut self, state: Arc<State>) {
        self.wanted = Some(state);
    }

    /// What to send now, if anything. It is under way from then on.
    pub(crate) fn next(&mut self) -> Option<Order> {
        let wanted = self.wanted.as_ref()?;
        let up_to_date = self.standing == Standing::Confirmed
            && (self.held.as_ref()).is_some_and(|held| held.version == wanted.version);
        if self.in_flight.is_some() || up_to_date || self.refused == Some(wanted.version) {
            return None;
        }
        let order = Order {
            from: self.held.clone(),
            to: Arc::clone(wanted),
        };
        self.in_flight = Some(order.clone());
        Some(order)
    }

    /// The pod serves `version`.
    pub(crate) fn ack(&mut self, version: Version) -> Result<Outcome, Unasked> {
        if let Some(order) = self.answered(version) {
            self.held = Some(order.to);
            self.standing = Standing::Confirmed;
            self.refused = None;
            return Ok(Outcome::Serves);
        }
        // Said again: its ports have changed.
        match &self.held {
            Some(held) if self.standing == Standing::Confirmed && held.version == version => {
                Ok(Outcome::Serves)
            }
            _ => Err(Unasked(version)),
        }
    }

    /// The pod does not serve `version`.
    pub(crate) fn nack(&mut self, version: Version) -> Result<Outcome, Unasked> {
        let order = self.answered(version).ok_or(Unasked(version))?;
        self.held = None;
        self.standing = Standing::Unknown;
        if order.from.is_some() {
            return Ok(Outcome::NeedsAll);
        }
        self.refused = Some(version);
        Ok(Outcome::Refuses)
    }

    fn answered(&mut self, version: Version) -> Option<Order> {
        self.in_flight.take_if(|order| order.to.version == version)
    }
}

#[cfg(test)]
mod tests;
