//! What was reported of each pod, so that only news is.
//!
//! Streams break and come back within moments: when a token is to be shown anew, when a network
//! blinks. A pod serves on meanwhile, so it is [`StreamState::Gone`] only if it stays away.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Report, StreamState};
use crate::serve::identity::Pod;

/// How long a pod may be away before that is news: longer than its longest pause between attempts
/// to connect.
const GRACE: Duration = Duration::from_secs(10);

/// Something that a stream has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) pod: Pod,
    /// Tells this stream from others of the same pod; later ones are greater.
    pub(crate) stream: u64,
    pub(crate) what: What,
}

/// What a stream has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It begins.
    Opened,
    /// The pod answered.
    Said(StreamState),
    /// It ended.
    Closed,
}

/// Every pod that has a stream, or had one a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    pods: BTreeMap<Pod, Entry>,
}

#[derive(Debug)]
struct Entry {
    stream: u64,
    told: StreamState,
    /// When its absence becomes news.
    gone_at: Option<Instant>,
}

impl Roster {
    /// Takes a note; answers what is to be reported.
    pub(crate) fn take(&mut self, note: Note, now: Instant) -> Option<Report> {
        let Note { pod, stream, what } = note;
        match what {
            What::Opened => self.open(pod, stream),
            What::Said(state) => {
                let entry = self.pods.get_mut(&pod)?;
                if entry.stream != stream || entry.told == state {
                    return None;
                }
                entry.told = state.clone();
                Some(report(&pod, state))
            }
            What::Closed => {
                let entry = self.pods.get_mut(&pod)?;
                if entry.stream == stream {
                    entry.gone_at = Some(now + GRACE);
                }
                None
            }
        }
    }

    fn open(&mut self, pod: Pod, stream: u64) -> Option<Report> {
        if let Some(entry) = self.pods.get_mut(&pod) {
            (entry.stream, entry.gone_at) = (stream.max(entry.stream), None);
            return None;
        }
        let told = StreamState::Connected;
        let report = report(&pod, told.clone());
        let entry = Entry {
            stream,
            told,
            gone_at: None,
        };
        self.pods.insert(pod, entry);
        Some(report)
    }

    /// All pods have another leader now, or will have: whoever comes back is news.
    pub(crate) fn dismiss(&mut self) -> Vec<Report> {
        let pods = std::mem::take(&mut self.pods).into_keys();
        pods.map(|pod| report(&pod, StreamState::Gone)).collect()
    }

    /// When [`Roster::gone`] next has something to say.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.pods.values().filter_map(|entry| entry.gone_at).min()
    }

    /// The pods that stayed away.
    pub(crate) fn gone(&mut self, now: Instant) -> Vec<Report> {
        let gone = self
            .pods
            .extract_if(.., |_, entry| entry.gone_at.is_some_and(|at| at <= now));
        gone.map(|(pod, _)| report(&pod, StreamState::Gone))
            .collect()
    }
}

fn report(pod: &Pod, state: StreamState) -> Report {
    let Pod {
        gateway,
        name,
        uid: _,
    } = pod;
    Report {
        gateway: gateway.clone(),
        pod: name.clone(),
        state,
    }
}

#[cfg(test)]
mod tests {
    use portcullis_ir::{ObjectKey, Version};

    use super::*;

    fn pod() -> Pod {
        Pod {
            gateway: ObjectKey::new("default", "g"),
            name: "g-1".into(),
            uid: "u".into(),
        }
    }

    fn note(stream: u64, what: What) -> Note {
        Note {
            pod: pod(),
            stream,
            what,
        }
    }

    fn acked(version: u64) -> StreamState {
        StreamState::Acked {
            version: Version(version),
            generation: 1,
            port_failures: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    #[test]
    fn a_pod_that_comes_back_in_time_is_no_news() {
        let mut roster = Roster::default();
        let now = Instant::now();
        assert_eq!(
            roster.take(note(1, What::Opened), now),
            Some(report(&pod(), StreamState::Connected))
        );
        let said = roster.take(note(1, What::Said(acked(1))), now);
        assert_eq!(said, Some(report(&pod(), acked(1))));
        assert_eq!(roster.take(note(1, What::Closed), now), None);
        assert_eq!(roster.gone(now), []);
        assert_eq!(roster.take(note(2, What::Opened), now), None);
        assert_eq!(roster.take(note(2, What::Said(acked(1))), now), None);
        assert_eq!(roster.wake_at(), None);
        let said = roster.take(note(2, What::Said(acked(2))), now);
        assert_eq!(said, Some(report(&pod(), acked(2))));
    }

    #[test]
    fn a_pod_that_stays_away_is_gone() {
        let mut roster = Roster::default();
        let now = Instant::now();
        roster.take(note(1, What::Opened), now);
        roster.take(note(1, What::Closed), now);
        assert_eq!(roster.wake_at(), Some(now + GRACE));
        assert_eq!(
            roster.gone(now + GRACE),
            [report(&pod(), StreamState::Gone)]
        );
        assert_eq!(roster.wake_at(), None);
        assert_eq!(
            roster.take(note(2, What::Opened), now),
            Some(report(&pod(), StreamState::Connected))
        );
    }

    /// Else who leads again within moments would wait for ever for what was not told anew.
    #[test]
    fn what_was_told_before_leadership_ended_is_told_again() {
        let mut roster = Roster::default();
        let now = Instant::now();
        roster.take(note(1, What::Opened), now);
        roster.take(note(1, What::Said(acked(1))), now);
        assert_eq!(roster.dismiss(), [report(&pod(), StreamState::Gone)]);
        assert_eq!(roster.take(note(1, What::Closed), now), None);
        assert!(roster.take(note(2, What::Opened), now).is_some());
        let said = roster.take(note(2, What::Said(acked(1))), now);
        assert_eq!(said, Some(report(&pod(), acked(1))));
    }

    #[test]
    fn what_an_older_stream_says_late_does_not_count() {
        let mut roster = Roster::default();
        let now = Instant::now();
        roster.take(note(1, What::Opened), now);
        roster.take(note(2, What::Opened), now);
        assert_eq!(roster.take(note(1, What::Said(acked(1))), now), None);
        roster.take(note(1, What::Closed), now);
        assert_eq!(roster.wake_at(), None);
    }
}
