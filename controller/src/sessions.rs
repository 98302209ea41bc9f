//! What the data planes' pods hold, for people: the admin port's `/sessions`, which
//! `portcullis status` reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portcullis_ir::ObjectKey;
use portcullis_translate::PortFailure;
use serde::{Deserialize, Serialize};

use crate::serve::{Report, StreamState};

type ByPod = BTreeMap<(ObjectKey, Arc<str>), Session>;

/// What every pod said last; cheap to clone, and all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// By Gateway and name of the pod.
    all: Arc<Mutex<ByPod>>,
}

/// The answer of `/sessions`. A field that is added must be safe to ignore: the command line may be
/// of another release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Whether this controller leads: only the leader has sessions.
    pub leader: bool,
    /// The controller's pod.
    pub controller: String,
    /// One for each pod that is connected.
    pub sessions: Vec<Session>,
}

/// A pod that is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The namespace of the Gateway, and of the pod.
    pub namespace: String,
    /// The Gateway's name.
    pub gateway: String,
    /// The pod's name.
    pub pod: String,
    /// The version of the snapshot that it serves, if it said so already.
    pub version: Option<String>,
    /// The Gateway's generation that this snapshot was made from.
    pub generation: Option<i64>,
    /// What it could not use, and ports that it could not bind.
    pub problems: Vec<String>,
}

impl Sessions {
    /// Remembers what a pod said.
    pub fn note(&self, report: &Report) {
        let Report {
            gateway,
            pod,
            state,
        } = report;
        let mut all = self.all.lock();
        let key = (gateway.clone(), Arc::clone(pod));
        if *state == StreamState::Gone {
            all.remove(&key);
            return;
        }
        let session = all.entry(key).or_insert_with(|| Session {
            namespace: gateway.namespace.to_string(),
            gateway: gateway.name.to_string(),
            pod: pod.to_string(),
            ..Session::default()
        });
        session.hear(state);
    }

    /// All of them, for the answer of a controller that leads or not.
    pub fn listing(&self, controller: &str, leader: bool) -> Listing {
        Listing {
            leader,
            controller: controller.to_owned(),
            sessions: self.all.lock().values().cloned().collect(),
        }
    }
}

impl Session {
    fn hear(&mut self, state: &StreamState) {
        match state {
            StreamState::Connected | StreamState::Gone => {}
            StreamState::Acked {
                version,
                generation,
                port_failures,
                refused,
            } => {
                self.version = Some(version.to_string());
                self.generation = Some(*generation);
                let ports = port_failures.iter().map(|(port, failure)| {
                    let (PortFailure::PortUnavailable(why) | PortFailure::AddressNotUsable(why)) =
                        failure;
                    format!("port {}: {why}", port.port)
                });
                self.problems = ports.chain(refused.iter().cloned()).collect();
            }
            StreamState::Nacked { version, reason } => {
                self.problems = vec![format!("version {version}: {reason}")];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_ir::Version;

    use super::*;

    fn report(state: StreamState) -> Report {
        Report {
            gateway: ObjectKey::new("shop", "web"),
            pod: "web-1".into(),
            state,
        }
    }

    fn acked(version: u64) -> StreamState {
        StreamState::Acked {
            version: Version(version),
            generation: 3,
            port_failures: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    #[test]
    fn what_a_pod_said_last_is_listed_while_it_is_connected() {
        let sessions = Sessions::default();
        sessions.note(&report(StreamState::Connected));
        let listed = || sessions.listing("controller-0", true).sessions;
        assert_eq!(listed()[0].version, None);

        sessions.note(&report(acked(1)));
        let nack = StreamState::Nacked {
            version: Version(2),
            reason: "no".into(),
        };
        sessions.note(&report(nack));
        let [session] = &listed()[..] else { panic!() };
        assert_eq!(session.version.as_deref(), Some("0000000000000001"));
        assert_eq!(session.problems, ["version 0000000000000002: no"]);

        sessions.note(&report(acked(3)));
        assert!(listed()[0].problems.is_empty());

        sessions.note(&report(StreamState::Gone));
        assert!(listed().is_empty());
    }
}
