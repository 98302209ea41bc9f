//! What is known of every Gateway's data planes: the pods, and what each said.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::{ObjectKey, PortKey};
use portcullis_translate::{ObservedDataPlane, ObservedGateway, PortFailure};

use crate::infra::{Observed, Readiness};
use crate::serve::{Report, StreamState};

/// Whether news changed what there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Unchanged,
    Changed,
}

/// The data planes of all Gateways.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    gateways: BTreeMap<ObjectKey, DataPlanes>,
}

/// The data planes of one Gateway.
#[derive(Clone, Debug, Default)]
struct DataPlanes {
    observed: Observed,
    streams: BTreeMap<Arc<str>, Stream>,
}

/// What a pod said. It serves on what it had when its stream ends, so this outlives the stream.
#[derive(Clone, Debug, Default)]
struct Stream {
    is_open: bool,
    /// The newest generation that it serves without exception.
    generation: Option<i64>,
    port_failures: BTreeMap<PortKey, PortFailure>,
    /// What it refused since, and why.
    refusal: Option<String>,
    /// Whether it has said since it came what it serves.
    has_reported: bool,
}

impl Fleet {
    /// There is this in the cluster for a Gateway.
    pub(super) fn observe(&mut self, gateway: &ObjectKey, observed: Observed) -> Effect {
        self.change(gateway, |planes| {
            let before = &planes.observed.gateway_uid;
            if !before.is_empty() && *before != observed.gateway_uid {
                // Of the data planes of an earlier Gateway of the name.
                planes.streams.retain(|_, stream| !stream.has_reported);
            }
            planes.observed = observed;
            planes.forget_strangers();
        })
    }

    /// A data plane said something.
    pub(super) fn report(&mut self, report: Report) -> Effect {
        let Report {
            gateway,
            pod,
            state,
        } = report;
        self.change(&gateway, |planes| {
            planes.streams.entry(pod).or_default().take(state);
            planes.forget_strangers();
        })
    }

    /// Every Gateway with what is known of it. What is known of one that had the name before, by
    /// its uid, is left out.
    pub(super) fn facts<'a>(
        &self,
        uid: impl Fn(&ObjectKey) -> Option<&'a str>,
    ) -> BTreeMap<ObjectKey, ObservedGateway> {
        let gateways = self.gateways.iter();
        gateways
            .filter(|(key, planes)| uid(key) == Some(&*planes.observed.gateway_uid))
            .map(|(key, planes)| (key.clone(), planes.facts()))
            .collect()
    }

    /// Whether every ready data plane of a Gateway has said what it serves.
    pub(super) fn has_reported(&self, gateway: &ObjectKey) -> bool {
        let Some(planes) = self.gateways.get(gateway) else {
            return true; // there is none
        };
        let mut ready = planes.ready();
        ready.all(|(_, stream)| stream.is_some_and(|stream| stream.has_reported))
    }

    fn change(&mut self, gateway: &ObjectKey, change: impl FnOnce(&mut DataPlanes)) -> Effect {
        let planes = self.gateways.entry(gateway.clone()).or_default();
        let before = planes.state();
        change(planes);
        let after = planes.state();
        if planes.observed == Observed::default() && planes.streams.is_empty() {
            self.gateways.remove(gateway);
        }
        if before == after {
            Effect::Unchanged
        } else {
            Effect::Changed
        }
    }
}

impl DataPlanes {
    fn ready(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Stream>)> {
        let pods = self.observed.pods.iter();
        pods.filter(|(_, pod)| pod.readiness == Readiness::Ready)
            .map(|(name, _)| (name, self.streams.get(name)))
    }

    /// All that anything can follow from.
    fn state(&self) -> (Arc<str>, ObservedGateway, bool) {
        let uid = Arc::clone(&self.observed.gateway_uid);
        (uid, self.facts(), self.is_waited_for())
    }

    fn is_waited_for(&self) -> bool {
        self.ready()
            .any(|(_, stream)| stream.is_none_or(|stream| !stream.has_reported))
    }

    /// What a pod said goes when its stream has ended and the pod is gone as well.
    fn forget_strangers(&mut self) {
        let pods = &self.observed.pods;
        self.streams
            .retain(|name, stream| stream.is_open || pods.contains_key(name));
    }

    /// Ready pods count. While there is none, one that could not bind its ports, and will not
    /// become ready for that, tells why.
    fn facts(&self) -> ObservedGateway {
        let Observed {
            gateway_uid: _,
            addresses,
            pods: _,
            infra,
        } = &self.observed;
        let mut data_planes: Vec<_> = self
            .ready()
            .map(|(name, stream)| data_plane(name, stream))
            .collect();
        if data_planes.is_empty() {
            let failing = self.streams.iter();
            data_planes = failing
                .filter(|(_, stream)| stream.is_open && stream.is_failing())
                .map(|(name, stream)| data_plane(name, Some(stream)))
                .collect();
        }
        ObservedGateway {
            addresses: addresses.clone(),
            data_planes,
            infra: Some(infra.clone()),
        }
    }
}

fn data_plane(pod: &str, stream: Option<&Stream>) -> ObservedDataPlane {
    let Some(stream) = stream else {
        return ObservedDataPlane::default();
    };
    ObservedDataPlane {
        applied_generation: stream.generation,
        port_failures: stream.port_failures.clone(),
        refusal: stream.refusal.as_ref().map(|why| format!("{pod} {why}")),
    }
}

impl Stream {
    fn take(&mut self, state: StreamState) {
        match state {
            StreamState::Connected => self.is_open = true,
            StreamState::Acked {
                version: _,
                generation,
                port_failures,
                refused,
            } => {
                self.is_open = true;
                self.has_reported = true;
                self.port_failures = port_failures;
                if refused.is_empty() {
                    self.generation = Some(generation);
                    self.refusal = None;
                } else {
                    let refused = refused.join("; ");
                    self.refusal = Some(format!("cannot use all of it: {refused}"));
                }
            }
            StreamState::Nacked { version, reason } => {
                self.is_open = true;
                self.has_reported = true;
                self.refusal = Some(format!("refused version {version}: {reason}"));
            }
            StreamState::Gone => {
                self.is_open = false;
                self.has_reported = false;
            }
        }
    }

    fn is_failing(&self) -> bool {
        !self.port_failures.is_empty() || self.refusal.is_some()
    }
}
