//! The data-plane pods.

use std::collections::BTreeMap;

use portcullis_api::parameters::{DrainParameters, GatewayParametersSpec};
use serde_json::{Map, Value as Json, json};

use super::Subject;

/// The container; overlays name it.
const CONTAINER: &str = "portcullis";
/// Where the pod's token and the controller's CA are mounted.
const CREDENTIALS: &str = "/var/run/portcullis";
/// What the token is for; the controller takes no other.
const AUDIENCE: &str = "portcullis";
/// How long a token is good, in seconds; the kubelet renews it long before.
const TOKEN_SECONDS: u32 = 3600;
/// The port of health and metrics, on all addresses of whatever family, which is what data planes
/// have if nothing else is said. No listener's, whatever a user asks for: data planes refuse it.
const HEALTH_PORT: u16 = 15021;
/// The user that the image has no other than.
const USER: u32 = 65532;
/// How long a pod takes connections on after it is told to end, in seconds: until the news of it
/// has come to every node.
const DRAIN_DELAY: u32 = 5;
/// How long requests in flight may then take, in seconds.
const DRAIN_TIMEOUT: u32 = 30;
/// What the pod needs beyond its drain before the kubelet kills it, in seconds.
const MARGIN: u32 = 5;

/// All of a Deployment but its metadata.
///
/// Nothing here depends on the listeners: a changed Gateway must not restart its pods.
pub(super) fn body(subject: &Subject<'_>) -> Json {
    let replicas = subject.parameters.values.replicas;
    let mut body = json!({
        "spec": {
            "selector": { "matchLabels": subject.infra.selector() },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0 } },
            "template": {
                "metadata": pod_metadata(subject),
                "spec": pod(subject),
            },
        },
    });
    // Absent, the number of pods is not ours: whoever scales is not undone.
    if let (Some(replicas), Some(spec)) = (replicas, body["spec"].as_object_mut()) {
        spec.insert("replicas".to_owned(), json!(replicas));
    }
    body
}

fn pod_metadata(subject: &Subject<'_>) -> Json {
    let GatewayParametersSpec {
        pod_labels,
        pod_annotations,
        ..
    } = &subject.parameters.values;
    let merged = |all: &BTreeMap<String, String>, own: &Option<BTreeMap<String, String>>| {
        let own = own.clone().unwrap_or_default();
        all.clone().into_iter().chain(own).collect()
    };
    let labels: BTreeMap<_, _> = merged(&subject.infra.labels, pod_labels);
    let annotations: BTreeMap<_, _> = merged(&subject.infra.annotations, pod_annotations);
    let mut metadata = json!({ "labels": labels });
    if let (false, Some(metadata)) = (annotations.is_empty(), metadata.as_object_mut()) {
        metadata.insert("annotations".to_owned(), json!(annotations));
    }
    metadata
}

fn pod(subject: &Subject<'_>) -> Json {
    let (delay, timeout) = drain(subject);
    let mut pod = json!({
        "serviceAccountName": subject.infra.name,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": delay + timeout + MARGIN,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": { "type": "RuntimeDefault" },
            // Listeners below port 1024, without any privilege.
            "sysctls": [{ "name": "net.ipv4.ip_unprivileged_port_start", "value": "0" }],
        },
        "containers": [container(subject)],
        "volumes": [{
            "name": "credentials",
            "projected": { "sources": [
                { "serviceAccountToken": {
                    "path": "token",
                    "audience": AUDIENCE,
                    "expirationSeconds": TOKEN_SECONDS,
                } },
                { "configMap": {
                    "name": subject.infra.name,
                    "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                } },
            ] },
        }],
    });
    if let Some(pod) = pod.as_object_mut() {
        pod.extend(placement(&subject.parameters.values));
    }
    pod
}

/// Where pods run, and by what right.
fn placement(parameters: &GatewayParametersSpec) -> Map<String, Json> {
    let GatewayParametersSpec {
        image_pull_secrets,
        node_selector,
        tolerations,
        affinity,
        topology_spread_constraints,
        priority_class_name,
        ..
    } = parameters;
    let fields = [
        ("imagePullSecrets", json!(image_pull_secrets)),
        ("nodeSelector", json!(node_selector)),
        ("tolerations", json!(tolerations)),
        ("affinity", json!(affinity)),
        (
            "topologySpreadConstraints",
            json!(topology_spread_constraints),
        ),
        ("priorityClassName", json!(priority_class_name)),
    ];
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    given
        .map(|(field, value)| (field.to_owned(), value))
        .collect()
}

fn container(subject: &Subject<'_>) -> Json {
    let GatewayParametersSpec {
        image,
        image_pull_policy,
        resources,
        ..
    } = &subject.parameters.values;
    let policy = image_pull_policy.as_deref().unwrap_or("IfNotPresent");
    let requests = json!({ "requests": { "cpu": "10m", "memory": "32Mi" } });
    json!({
        "name": CONTAINER,
        "image": image.as_ref().unwrap_or(&subject.settings.image),
        "imagePullPolicy": policy,
        "args": arguments(subject),
        "ports": [{ "name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP" }],
        "readinessProbe": {
            "httpGet": { "path": "/readyz", "port": "health" },
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": { "path": "/healthz", "port": "health" },
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": resources.as_ref().unwrap_or(&requests),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": [{ "name": "credentials", "mountPath": CREDENTIALS, "readOnly": true }],
    })
}

fn arguments(subject: &Subject<'_>) -> Vec<String> {
    let GatewayParametersSpec {
        log_level, workers, ..
    } = &subject.parameters.values;
    let (delay, timeout) = drain(subject);
    let mut arguments = vec![
        "dataplane".to_owned(),
        format!("--gateway={}", subject.gateway),
        format!("--controller={}", subject.settings.controller),
        format!("--credentials={CREDENTIALS}"),
        "--admin=127.0.0.1:15000".to_owned(),
        format!("--drain-delay={delay}s"),
        format!("--drain-timeout={timeout}s"),
        "--log-format=json".to_owned(),
    ];
    arguments.extend(log_level.as_ref().map(|level| format!("--log={level}")));
    arguments.extend(workers.map(|workers| format!("--workers={workers}")));
    arguments
}

/// Delay and timeout of the drain, in seconds.
fn drain(subject: &Subject<'_>) -> (u32, u32) {
    let default = DrainParameters::default();
    let drain = subject.parameters.values.drain.as_ref();
    let DrainParameters {
        delay_seconds,
        timeout_seconds,
    } = drain.unwrap_or(&default);
    (
        delay_seconds.unwrap_or(DRAIN_DELAY),
        timeout_seconds.unwrap_or(DRAIN_TIMEOUT),
    )
}
