//! What to do about the Lease, given how it looks and for how long it has.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

use super::{DURATION, LEASE, RENEW};

/// The decisions of one candidate.
#[derive(Debug)]
pub(super) struct Election {
    identity: String,
    /// Somebody else's Lease as it was last seen, and since when it has looked like that.
    seen: Option<(LeaseSpec, Instant)>,
}

/// What to do now.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Write the Lease like that; if it succeeds, lead.
    Write(Box<Lease>),
    /// Somebody else leads: look again after so long.
    Wait(Duration),
}

impl Election {
    pub(super) fn new(identity: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            seen: None,
        }
    }

    /// `now` is for measuring, `wall` for people who read the Lease.
    pub(super) fn decide(&mut self, lease: Option<Lease>, now: Instant, wall: Timestamp) -> Step {
        let mut lease = lease.unwrap_or_else(|| {
            let mut lease = Lease::default();
            lease.metadata.name = Some(LEASE.to_owned());
            lease
        });
        let spec = lease.spec.take().unwrap_or_default();
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if !holder.is_empty() && holder != self.identity {
            let left = self.left(&spec, now);
            if !left.is_zero() {
                return Step::Wait(left.min(RENEW));
            }
        }
        self.seen = None;
        lease.spec = Some(self.claim(spec, wall));
        Step::Write(Box::new(lease))
    }

    /// How long somebody else's Lease still counts.
    fn left(&mut self, spec: &LeaseSpec, now: Instant) -> Duration {
        let since = match &self.seen {
            Some((seen, since)) if seen == spec => *since,
            _ => {
                self.seen = Some((spec.clone(), now));
                now
            }
        };
        // A leader with other settings is believed in what it says of itself.
        let seconds = spec.lease_duration_seconds.unwrap_or_default();
        let said = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        said.max(DURATION).saturating_sub(now - since)
    }

    fn claim(&self, before: LeaseSpec, wall: Timestamp) -> LeaseSpec {
        let wall = MicroTime(wall);
        let is_ours = before.holder_identity.as_deref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: before
                .acquire_time
                .filter(|_| is_ours)
                .or_else(|| Some(wall.clone())),
            renew_time: Some(wall),
            lease_transitions: Some(if is_ours {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..before
        }
    }

    /// The Lease, held by nobody.
    pub(super) fn released(mut lease: Lease) -> Lease {
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = None;
        }
        lease
    }
}
