//! manifests/install.yaml: the rights in it are those the controller uses, and what it runs meets the
//! restricted Pod Security Standard.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_api::{Kind, manifest};
use serde_json::{Value, json};

const READ: &[&str] = &["list", "watch"];
const FETCH: &[&str] = &["get", "list", "watch"];
const OWN: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
const PATCH: &[&str] = &["patch"];
const CREATE: &[&str] = &["create"];

/// A right: role, group, resource (with the name it is limited to) and verb.
type Right = (String, String, String, String);

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

fn objects(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let documents = manifest::values(&text).unwrap();
    documents
        .into_iter()
        .filter(|object| !object.is_null())
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

fn granted() -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for object in objects(&manifests().join("install.yaml")) {
        let kind = object["kind"].as_str().unwrap();
        if !kind.ends_with("Role") {
            continue;
        }
        let role = format!("{kind} {}", object["metadata"]["name"].as_str().unwrap());
        for rule in object["rules"].as_array().unwrap() {
            let names = strings(&rule["resourceNames"]).join(",");
            for group in strings(&rule["apiGroups"]) {
                for resource in strings(&rule["resources"]) {
                    let resource = format!("{resource} {names}").trim_end().to_owned();
                    for verb in strings(&rule["verbs"]) {
                        let verb = verb.to_owned();
                        rights.insert((role.clone(), group.to_owned(), resource.clone(), verb));
                    }
                }
            }
        }
    }
    rights
}

const CLUSTER: &str = "ClusterRole portcullis-controller";
const NAMESPACED: &str = "ClusterRole portcullis-controller-namespaced";
const OWN_NAMESPACE: &str = "Role portcullis-controller";

/// What each kind that is watched needs, for `watch` and for `status`.
fn of_kind(kind: Kind) -> (&'static str, &'static [&'static str], bool) {
    match kind {
        Kind::GatewayClass => (CLUSTER, FETCH, true),
        Kind::Gateway
        | Kind::ListenerSet
        | Kind::HttpRoute
        | Kind::GrpcRoute
        | Kind::TlsRoute
        | Kind::TcpRoute
        | Kind::UdpRoute
        | Kind::BackendTlsPolicy => (NAMESPACED, FETCH, true),
        Kind::Namespace | Kind::ClusterTrustBundle => (CLUSTER, READ, false),
        Kind::Secret => (NAMESPACED, FETCH, false),
        // Also what a Gateway's infrastructure is made of.
        Kind::Service | Kind::ConfigMap => (NAMESPACED, OWN, false),
        Kind::ReferenceGrant | Kind::EndpointSlice | Kind::GatewayParameters => {
            (NAMESPACED, READ, false)
        }
    }
}

fn used() -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let mut add = |role: &str, group: &str, resource: &str, verbs: &[&str]| {
        rights.extend(verbs.iter().map(|verb| {
            (
                role.to_owned(),
                group.to_owned(),
                resource.to_owned(),
                (*verb).to_owned(),
            )
        }));
    };
    for kind in Kind::ALL {
        let (role, verbs, has_status) = of_kind(kind);
        add(role, kind.group(), kind.plural(), verbs);
        if has_status {
            add(
                role,
                kind.group(),
                &format!("{}/status", kind.plural()),
                PATCH,
            );
        }
    }
    // watch::crds
    add(
        CLUSTER,
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        FETCH,
    );
    // serve::identity
    add(CLUSTER, "authentication.k8s.io", "tokenreviews", CREATE);
    // infra
    add(
        NAMESPACED,
        Kind::Gateway.group(),
        "gateways/finalizers",
        &["update"],
    );
    add(NAMESPACED, "", "pods", READ);
    add(NAMESPACED, "", "serviceaccounts", OWN);
    add(NAMESPACED, "apps", "deployments", OWN);
    add(NAMESPACED, "policy", "poddisruptionbudgets", OWN);
    // leader
    add(OWN_NAMESPACE, "coordination.k8s.io", "leases", CREATE);
    let lease = format!("leases {}", portcullis_controller::leader::LEASE);
    add(
        OWN_NAMESPACE,
        "coordination.k8s.io",
        &lease,
        &["get", "update"],
    );
    // serve::authority
    add(OWN_NAMESPACE, "", "secrets", CREATE);
    add(
        OWN_NAMESPACE,
        "",
        "secrets portcullis-authority",
        &["get", "update"],
    );
    rights
}

#[test]
fn the_controller_has_the_rights_it_uses_and_no_others() {
    let (granted, used) = (granted(), used());
    let missing: Vec<_> = used.difference(&granted).collect();
    let needless: Vec<_> = granted.difference(&used).collect();
    assert!(missing.is_empty(), "not granted: {missing:#?}");
    assert!(needless.is_empty(), "granted for nothing: {needless:#?}");
}

#[test]
fn every_right_is_explained() {
    let directory = manifests().join("chart/objects");
    for file in ["cluster-role", "cluster-role-namespaced", "role"] {
        let text = fs::read_to_string(directory.join(format!("{file}.yaml"))).unwrap();
        let mut before = "";
        for line in text.lines() {
            if line.starts_with("- apiGroups:") {
                assert!(before.starts_with('#'), "{file}: no comment above {line}");
            }
            before = line;
        }
    }
}

/// "The Restricted policy is aimed at enforcing current Pod hardening best practices"
#[test]
fn what_we_install_and_the_samples_are_restricted() {
    let samples = manifests().join("samples/kubernetes");
    let files = fs::read_dir(samples)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut checked = 0;
    for file in files.chain([manifests().join("install.yaml")]) {
        for object in objects(&file) {
            if let Some(pod) = object.pointer("/spec/template/spec") {
                checked += 1;
                check_restricted(&object["metadata"]["name"], pod);
            }
        }
    }
    assert_eq!(checked, 3);
}

fn check_restricted(name: &Value, pod: &Value) {
    assert_eq!(
        pod.pointer("/securityContext/runAsNonRoot"),
        Some(&json!(true)),
        "{name}"
    );
    assert_eq!(
        pod.pointer("/securityContext/seccompProfile/type"),
        Some(&json!("RuntimeDefault")),
        "{name}"
    );
    for absent in ["hostNetwork", "hostPID", "hostIPC", "volumes"] {
        assert_eq!(pod.get(absent), None, "{name}: {absent}");
    }
    for container in pod["containers"].as_array().unwrap() {
        assert_eq!(
            container["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            }),
            "{name}"
        );
    }
}

#[test]
fn our_namespace_refuses_what_is_not_restricted() {
    let all = objects(&manifests().join("install.yaml"));
    let namespace = all
        .iter()
        .find(|object| object["kind"] == "Namespace")
        .unwrap();
    let labels = &namespace["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
}

/// "The Gateway API CRDs are never installed or touched", nor does anything stand in the way of
/// the API server.
#[test]
fn nothing_else_is_installed() {
    let all = objects(&manifests().join("install.yaml"));
    for object in &all {
        let kind = object["kind"].as_str().unwrap();
        assert!(!kind.contains("Webhook") && kind != "Job", "{kind}");
        if kind == "CustomResourceDefinition" {
            assert_eq!(object["spec"]["group"], "portcullis.dev");
        }
    }
}
