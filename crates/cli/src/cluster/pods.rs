//! Pods: which there are, whether they are ready, and what they hold.

use portcullis_api::ObjectKey;
use portcullis_api::meta::Time;
use serde_json::Value;

use super::sessions::Sessions;
use crate::status::columns::{Columns, duration};

/// What infrastructure of ours says of itself.
const OURS: &str = "app.kubernetes.io/managed-by=portcullis";
/// GEP-1762.
const GATEWAY_LABEL: &str = "gateway.networking.k8s.io/gateway-name";

/// A pod, as far as it is of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pod {
    pub(super) key: ObjectKey,
    /// The value of the label that GEP-1762 asks for; a long name is cut off there.
    pub(super) gateway_label: String,
    pub(super) readiness: Readiness,
    /// Seconds of the epoch.
    pub(super) created: Option<i64>,
}

/// Whether a pod serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Not, with its phase or what its container waits for, such as `ImagePullBackOff`.
    NotReady(String),
    Terminating,
}

impl Pod {
    /// The pod that the API server describes.
    pub(super) fn read(item: &Value) -> Option<Self> {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace")?;
        let label = item.pointer("/metadata/labels")?.get(GATEWAY_LABEL);
        let created = item.pointer("/metadata/creationTimestamp").cloned();
        let created = created.and_then(|created| serde_json::from_value::<Time>(created).ok());
        Some(Self {
            key: ObjectKey::new(namespace, text("/metadata/name")?),
            gateway_label: label.and_then(Value::as_str).unwrap_or_default().to_owned(),
            readiness: readiness(item),
            created: created.map(|created| created.0.as_second()),
        })
    }

    /// `web-7f9 (Pending)`
    pub(super) fn described(&self) -> String {
        format!("{} ({})", self.key.name, self.readiness.word())
    }
}

impl Readiness {
    fn word(&self) -> &str {
        match self {
            Self::Ready => "Ready",
            Self::NotReady(why) => why,
            Self::Terminating => "Terminating",
        }
    }
}

fn readiness(item: &Value) -> Readiness {
    if item.pointer("/metadata/deletionTimestamp").is_some() {
        return Readiness::Terminating;
    }
    let list = |pointer: &str| item.pointer(pointer).and_then(Value::as_array);
    let mut conditions = list("/status/conditions").into_iter().flatten();
    let is_ready = conditions.any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("Ready")
            && condition.get("status").and_then(Value::as_str) == Some("True")
    });
    if is_ready {
        return Readiness::Ready;
    }
    let mut containers = list("/status/containerStatuses").into_iter().flatten();
    let waits_for = containers.find_map(|container| {
        container
            .pointer("/state/waiting/reason")
            .and_then(Value::as_str)
    });
    let phase = item.pointer("/status/phase").and_then(Value::as_str);
    let why = match (waits_for, phase) {
        (Some(reason), _) => reason,
        (None, Some("Running") | None) => "NotReady",
        (None, Some(phase)) => phase,
    };
    Readiness::NotReady(why.to_owned())
}

/// Where the pods of ours are, in a namespace or in all.
pub(super) fn path(namespace: Option<&str>) -> String {
    let place = namespace.map(|namespace| format!("/namespaces/{namespace}"));
    let place = place.unwrap_or_default();
    format!("/api/v1{place}/pods?labelSelector={OURS}")
}

/// Where the pods of one Gateway are; `label` is its name as a label's value.
pub(super) fn path_of(namespace: &str, label: &str) -> String {
    format!("{},{GATEWAY_LABEL}={label}", path(Some(namespace)))
}

/// A table of data planes.
pub(super) fn table(pods: &[Pod], sessions: Option<&Sessions>, now: i64) -> Columns {
    let mut columns = Columns::new(&[
        "NAMESPACE",
        "POD",
        "GATEWAY",
        "STATE",
        "STREAM",
        "GENERATION",
        "VERSION",
        "AGE",
    ]);
    for pod in pods {
        let Pod {
            key,
            gateway_label,
            readiness,
            created,
        } = pod;
        let session = sessions.and_then(|sessions| sessions.get(key));
        let stream = match (sessions, session) {
            (None, _) => "Unknown",
            (_, None) => "None",
            (_, Some(session)) if session.problems.is_empty() => "Connected",
            (_, Some(_)) => "Refusing",
        };
        columns.row([
            key.namespace.to_string(),
            key.name.to_string(),
            session.map_or_else(|| gateway_label.clone(), |session| session.gateway.clone()),
            readiness.word().to_owned(),
            stream.to_owned(),
            said(session.and_then(|session| session.generation)),
            said(session.and_then(|session| session.version.as_ref())),
            created.map_or_else(String::new, |created| duration(now - created)),
        ]);
    }
    columns
}

/// What data planes refuse, a line each.
pub(super) fn problems(pods: &[Pod], sessions: &Sessions) -> String {
    let of = |pod: &Pod| {
        let session = sessions.get(&pod.key);
        let problems = session.map_or(&[][..], |session| &session.problems);
        let line = |problem: &String| format!("  pod {}: {problem}\n", pod.key);
        problems.iter().map(line).collect::<String>()
    };
    pods.iter().map(of).collect()
}

fn said(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests;
