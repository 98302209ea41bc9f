//! What the controller counts, for Prometheus.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portcullis_api::Kind;
use portcullis_ir::{ObjectKey, Version};
use portcullis_metrics::{
    Counter, Exposition, Histogram, Kind as Family, PerVariant, Variants, labels,
};
use tokio::time::Instant;

/// Versions of a Gateway that may wait for their acks; of those that nobody acks the oldest go.
const AWAITED: usize = 16;

/// Everything this process counts; one per process.
#[derive(Debug)]
pub struct Metrics {
    /// Objects that the watches told, by kind.
    pub watched: BTreeMap<Kind, Counter>,
    /// How long translations took.
    pub translations: Histogram,
    /// Snapshots that were handed to the streams.
    pub publishes: Counter,
    /// Writes of statuses, by kind and what became of them.
    pub status_writes: BTreeMap<Kind, PerVariant<WriteOutcome, Counter>>,
    /// From the news of a change to the ack of each data plane.
    change_to_ack: Histogram,
    /// Since when each published version has been under way.
    under_way: Mutex<BTreeMap<ObjectKey, Vec<(Version, Instant)>>>,
}

labels! {
    /// What became of a write.
    pub enum WriteOutcome {
        /// It was written.
        Written = "written",
        /// Somebody else was faster; it is tried again.
        Conflict = "conflict",
        /// The object is gone.
        Gone = "gone",
        /// The API server refused, or could not be reached; it is tried again later.
        Failed = "failed",
    }
}

impl Metrics {
    /// Counts nothing yet.
    pub fn new() -> Arc<Self> {
        let counters = Kind::ALL.map(|kind| (kind, Counter::default()));
        let writes = Kind::ALL.map(|kind| (kind, PerVariant::default()));
        Arc::new(Self {
            watched: counters.into(),
            translations: Histogram::default(),
            publishes: Counter::default(),
            status_writes: writes.into(),
            change_to_ack: Histogram::default(),
            under_way: Mutex::default(),
        })
    }

    /// So many objects of a kind were told.
    pub fn watched(&self, kind: Kind, objects: usize) {
        if let Some(counter) = self.watched.get(&kind) {
            counter.add(u64::try_from(objects).unwrap_or(u64::MAX));
        }
    }

    /// A status of this kind was written, or not.
    pub fn status_write(&self, kind: Kind, outcome: WriteOutcome) {
        if let Some(outcomes) = self.status_writes.get(&kind) {
            outcomes[outcome].increment();
        }
    }

    /// A snapshot is handed out; the oldest of the changes that it follows came at `since`.
    pub fn published(&self, gateway: &ObjectKey, version: Version, since: Instant) {
        self.publishes.increment();
        let mut under_way = self.under_way.lock();
        let versions = under_way.entry(gateway.clone()).or_default();
        versions.retain(|(waiting, _)| *waiting != version);
        if versions.len() == AWAITED {
            versions.remove(0);
        }
        versions.push((version, since));
    }

    /// A data plane serves a snapshot. Acks of versions that it would have had long before, as when
    /// it just started, tell nothing and count nothing.
    pub fn acked(&self, gateway: &ObjectKey, version: Version, now: Instant) {
        let under_way = self.under_way.lock();
        let versions = under_way.get(gateway).into_iter().flatten();
        for (published, since) in versions {
            let took = now.saturating_duration_since(*since);
            if *published == version && took < LONGEST {
                self.change_to_ack.observe(took);
            }
        }
    }

    /// A Gateway is no longer ours.
    pub fn withdrawn(&self, gateway: &ObjectKey) {
        self.under_way.lock().remove(gateway);
    }

    /// Writes all of it, and that so many news wait for the reconcile loop.
    pub fn expose(&self, out: &mut Exposition, role: Role, queue: usize) {
        out.family(
            "portcullis_build_info",
            Family::Gauge,
            "The running version; always 1.",
        )
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        out.family(
            "portcullis_leader",
            Family::Gauge,
            "1 on the replica that writes and serves, 0 on the others.",
        )
        .sample(&[], i32::from(role == Role::Leader));
        self.reconciling(out, queue);
        self.writes(out);
    }

    fn reconciling(&self, out: &mut Exposition, queue: usize) {
        let mut family = out.family(
            "portcullis_watch_objects_total",
            Family::Counter,
            "Objects that came, changed or went, as the watches told.",
        );
        for (kind, counter) in &self.watched {
            if counter.value() > 0 {
                family.sample(&[("kind", kind.as_str())], counter.value());
            }
        }
        out.family(
            "portcullis_reconcile_queue",
            Family::Gauge,
            "News that wait for the reconcile loop.",
        )
        .sample(&[], queue);
        out.family(
            "portcullis_translation_duration_seconds",
            Family::Histogram,
            "Translations of all objects.",
        )
        .histogram(&[], &self.translations);
        out.family(
            "portcullis_publishes_total",
            Family::Counter,
            "Snapshots that differed from those before, handed to the streams.",
        )
        .sample(&[], self.publishes.value());
        out.family(
            "portcullis_change_to_ack_seconds",
            Family::Histogram,
            "From the news of a change to the ack of a data plane.",
        )
        .histogram(&[], &self.change_to_ack);
    }

    fn writes(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_status_writes_total",
            Family::Counter,
            "Writes of statuses, by kind and outcome.",
        );
        for (kind, outcomes) in &self.status_writes {
            for (outcome, counter) in outcomes.iter().filter(|(_, counter)| counter.value() > 0) {
                let labels = [("kind", kind.as_str()), ("outcome", outcome.as_str())];
                family.sample(&labels, counter.value());
            }
        }
    }
}

/// Whatever takes longer is no delay of ours: a pod that was not there.
const LONGEST: Duration = Duration::from_mins(1);

/// What a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It writes and serves.
    Leader,
    /// It watches and translates.
    Follower,
}
