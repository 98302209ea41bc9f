//! What each Gateway's pods are to serve.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use portcullis_ir::{ObjectKey, Snapshot, Version};
use portcullis_wire::Update;
use prost::Message;
use tokio::sync::watch;
use tokio::task::JoinError;

use super::session::Order;

/// States of a Gateway that are kept, the newest included: a pod that comes back with one of them
/// is sent a delta. What they have in common they share.
const KEPT: usize = 4;

/// Hands snapshots to the streams of a Gateway's pods; cheap to clone.
///
/// The newest snapshot of each Gateway is kept for pods that come later; neither call waits.
#[derive(Clone, Debug, Default)]
pub struct Publisher {
    channels: Arc<Mutex<BTreeMap<ObjectKey, Arc<Channel>>>>,
}

impl Publisher {
    /// This is what the pods of `gateway` are to serve from now on.
    pub fn publish(&self, gateway: &ObjectKey, snapshot: Arc<Snapshot>) {
        self.channel(gateway).publish(snapshot);
    }

    /// `gateway` is no longer ours: its streams end, and what it was to serve is forgotten.
    pub fn withdraw(&self, gateway: &ObjectKey) {
        if let Some(channel) = self.channels.lock().remove(gateway) {
            channel.newest.send_replace(Newest::Withdrawn);
        }
    }

    /// What `gateway` is to serve, also before anything was published for it.
    pub(crate) fn channel(&self, gateway: &ObjectKey) -> Arc<Channel> {
        let mut channels = self.channels.lock();
        match channels.get(gateway) {
            Some(channel) => Arc::clone(channel),
            None => Arc::clone(channels.entry(gateway.clone()).or_default()),
        }
    }
}

/// A snapshot with its version, which is costly to tell.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) version: Version,
    pub(crate) snapshot: Arc<Snapshot>,
}

impl State {
    pub(crate) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self {
            version: snapshot.version(),
            snapshot,
        }
    }
}

/// What a Gateway's pods are to serve now.
#[derive(Clone, Debug, Default)]
pub(crate) enum Newest {
    /// Not known yet.
    #[default]
    Nothing,
    /// This.
    State(Arc<State>),
    /// The Gateway is no longer ours.
    Withdrawn,
}

/// One Gateway's states.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    newest: watch::Sender<Newest>,
    /// The newest last.
    kept: Mutex<VecDeque<Arc<State>>>,
    /// The last update that was encoded: several pods mostly hold the same.
    encoded: tokio::sync::Mutex<Option<Encoded>>,
}

#[derive(Debug)]
struct Encoded {
    from: Option<Version>,
    to: Version,
    parts: Arc<[Bytes]>,
}

impl Channel {
    fn publish(&self, snapshot: Arc<Snapshot>) {
        let mut kept = self.kept.lock();
        let is_known = kept
            .back()
            .is_some_and(|newest| Arc::ptr_eq(&newest.snapshot, &snapshot));
        if is_known {
            return;
        }
        let state = Arc::new(State::new(snapshot));
        if kept
            .back()
            .is_some_and(|newest| newest.version == state.version)
        {
            return;
        }
        kept.retain(|older| older.version != state.version);
        kept.push_back(Arc::clone(&state));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        self.newest.send_replace(Newest::State(state));
    }

    /// Told of every change; several at once are one.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Newest> {
        self.newest.subscribe()
    }

    /// The state of that version, if it is still kept.
    pub(crate) fn state(&self, version: Version) -> Option<Arc<State>> {
        let kept = self.kept.lock();
        kept.iter().find(|state| state.version == version).cloned()
    }

    /// The messages that carry an order out. Fails if encoding panicked or the process ends.
    pub(crate) async fn encode(&self, order: Order) -> Result<Arc<[Bytes]>, JoinError> {
        // Held while encoding, so that the others wait for this one instead of doing the same.
        let mut last = self.encoded.lock().await;
        let (from, to) = (
            order.from.as_ref().map(|from| from.version),
            order.to.version,
        );
        if let Some(encoded) = &*last
            && (encoded.from, encoded.to) == (from, to)
        {
            return Ok(Arc::clone(&encoded.parts));
        }
        let parts = tokio::task::spawn_blocking(move || encode(&order)).await?;
        let kept = Arc::clone(&parts);
        *last = Some(Encoded { from, to, parts });
        Ok(kept)
    }
}

fn encode(order: &Order) -> Arc<[Bytes]> {
    let Order { from, to } = order;
    let from = from.as_ref().map(|from| (&*from.snapshot, from.version));
    let update = Update::of(from, (&to.snapshot, to.version));
    let parts = update.parts().map(|part| part.encode_to_vec().into());
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> ObjectKey {
        ObjectKey::new("default", "g")
    }

    fn snapshot(generation: i64) -> Arc<Snapshot> {
        Arc::new(Snapshot::empty(gateway(), generation))
    }

    #[test]
    fn an_equal_snapshot_is_not_told_again() {
        let publisher = Publisher::default();
        publisher.publish(&gateway(), snapshot(1));
        let mut newest = publisher.channel(&gateway()).subscribe();
        newest.mark_unchanged();
        publisher.publish(&gateway(), snapshot(1));
        assert!(!newest.has_changed().unwrap());
        publisher.publish(&gateway(), snapshot(2));
        assert!(newest.has_changed().unwrap());
    }

    #[test]
    fn the_last_states_are_kept_for_those_who_come_back() {
        let publisher = Publisher::default();
        for generation in 1..=10 {
            publisher.publish(&gateway(), snapshot(generation));
        }
        let channel = publisher.channel(&gateway());
        let is_kept = |generation| channel.state(snapshot(generation).version()).is_some();
        let kept: Vec<_> = (1..=10).filter(|generation| is_kept(*generation)).collect();
        assert_eq!(kept, [7, 8, 9, 10]);
    }

    #[tokio::test]
    async fn the_same_update_is_encoded_once() {
        let publisher = Publisher::default();
        publisher.publish(&gateway(), snapshot(1));
        let channel = publisher.channel(&gateway());
        let order = |from: Option<i64>, to| Order {
            from: from.map(|from| Arc::new(State::new(snapshot(from)))),
            to: Arc::new(State::new(snapshot(to))),
        };
        let first = channel.encode(order(Some(1), 2)).await.unwrap();
        let second = channel.encode(order(Some(1), 2)).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let full = channel.encode(order(None, 2)).await.unwrap();
        assert_ne!(first, full);
    }

    #[test]
    fn a_withdrawn_gateway_ends_its_streams() {
        let publisher = Publisher::default();
        publisher.publish(&gateway(), snapshot(1));
        let newest = publisher.channel(&gateway()).subscribe();
        publisher.withdraw(&gateway());
        assert!(matches!(*newest.borrow(), Newest::Withdrawn));
        assert!(matches!(
            *publisher.channel(&gateway()).subscribe().borrow(),
            Newest::Nothing
        ));
    }
}
