//! The streams that are open: one per pod, and not too many.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::serve::identity::Pod;

/// Every open stream by its pod.
#[derive(Debug)]
pub(super) struct Registry {
    room: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    streams: BTreeMap<Pod, Entry>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Dropped to end the stream.
    _displaced: oneshot::Sender<()>,
}

/// A place for a stream.
#[derive(Debug)]
pub(super) struct Seat {
    /// Later streams have greater numbers.
    pub(super) number: u64,
    /// Resolves when the same pod has come on another stream.
    pub(super) displaced: oneshot::Receiver<()>,
}

impl Registry {
    pub(super) fn new(room: usize) -> Self {
        Self {
            room,
            open: Mutex::default(),
        }
    }

    /// A seat for `pod`, whose earlier stream loses its own; `None` if there is no room.
    pub(super) fn enter(&self, pod: &Pod) -> Option<Seat> {
        let mut open = self.open.lock();
        if open.streams.len() >= self.room && !open.streams.contains_key(pod) {
            return None;
        }
        open.last += 1;
        let number = open.last;
        let (sender, displaced) = oneshot::channel();
        let entry = Entry {
            number,
            _displaced: sender,
        };
        open.streams.insert(pod.clone(), entry);
        Some(Seat { number, displaced })
    }

    /// Gives a seat back.
    pub(super) fn leave(&self, pod: &Pod, number: u64) {
        let streams = &mut self.open.lock().streams;
        if streams.get(pod).is_some_and(|entry| entry.number == number) {
            streams.remove(pod);
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_ir::ObjectKey;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    fn pod(name: &str) -> Pod {
        Pod {
            gateway: ObjectKey::new("default", "g"),
            name: name.into(),
            uid: name.into(),
        }
    }

    #[test]
    fn a_pods_new_stream_displaces_its_old_one_and_no_other() {
        let registry = Registry::new(2);
        let mut first = registry.enter(&pod("a")).unwrap();
        let mut other = registry.enter(&pod("b")).unwrap();
        let mut second = registry.enter(&pod("a")).unwrap();
        assert_eq!(first.displaced.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(other.displaced.try_recv(), Err(TryRecvError::Empty));
        registry.leave(&pod("a"), first.number);
        assert_eq!(second.displaced.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn there_is_room_for_so_many() {
        let registry = Registry::new(1);
        let seat = registry.enter(&pod("a")).unwrap();
        assert!(registry.enter(&pod("b")).is_none());
        registry.leave(&pod("a"), seat.number);
        assert!(registry.enter(&pod("b")).is_some());
    }
}
