//! Every manifest of the upstream conformance suite, its examples, and its invalid examples.
//!
//! They are read from the Go modules pinned in `conformance/go.mod`, where Go keeps them; nothing
//! of them is committed.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests fail where a file is not as it should be"
)]

mod corpus;

use std::path::{Path, PathBuf};
use std::process::Command;

use corpus::{CONTROLLER, NOW, folder, observe_all, read_unchecked, text};
use portcullis_api::core::{ConfigMap, Secret};
use portcullis_api::status::Condition;
use portcullis_api::{AnyObject, ObjectKey, ObjectMeta, Objects};
use portcullis_translate::{Inputs, Options, Output, translate};

const INFRA: &str = "gateway-conformance-infra";

#[test]
fn every_manifest_is_translated_alone_and_beside_the_base() {
    let base = base();
    let mut files = 0;
    for path in manifests() {
        let objects = read(&path);
        let alone: Objects = objects.iter().cloned().collect();
        check(&path, &translated(&alone));
        let mut beside = base.clone();
        beside.extend(objects);
        check(&path, &translated(&beside));
        files += 1;
    }
    assert!(files > 200, "only {files} manifests found");
}

#[test]
fn all_manifests_together_are_translated() {
    let all: Objects = manifests().iter().flat_map(|path| read(path)).collect();
    check(Path::new("all"), &translated(&all));
}

/// What a test of the suite expects of a status.
struct Expected {
    manifest: &'static str,
    object: &'static str,
    /// A listener of the object, or empty for the object itself.
    listener: &'static str,
    condition: &'static str,
    status: &'static str,
    /// Empty for any.
    reason: &'static str,
}

const fn expect(
    manifest: &'static str,
    object: &'static str,
    listener: &'static str,
    [condition, status, reason]: [&'static str; 3],
) -> Expected {
    Expected {
        manifest,
        object,
        listener,
        condition,
        status,
        reason,
    }
}

#[rustfmt::skip]
const EXPECTED: &[Expected] = &[
    expect("gateway-invalid-route-kind", "gateway-only-invalid-route-kind", "http", ["ResolvedRefs", "False", "InvalidRouteKinds"]),
    expect("gateway-invalid-route-kind", "gateway-supported-and-invalid-route-kind", "http", ["ResolvedRefs", "False", "InvalidRouteKinds"]),
    expect("gateway-invalid-tls-configuration", "gateway-certificate-nonexistent-secret", "https", ["ResolvedRefs", "False", "InvalidCertificateRef"]),
    expect("gateway-invalid-tls-configuration", "gateway-certificate-unsupported-group", "https", ["ResolvedRefs", "False", "InvalidCertificateRef"]),
    expect("gateway-invalid-tls-configuration", "gateway-certificate-unsupported-kind", "https", ["ResolvedRefs", "False", "InvalidCertificateRef"]),
    expect("gateway-invalid-tls-configuration", "gateway-certificate-malformed-secret", "https", ["ResolvedRefs", "False", "InvalidCertificateRef"]),
    expect("gateway-secret-invalid-reference-grant", "gateway-secret-invalid-reference-grant", "https", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("gateway-secret-missing-reference-grant", "gateway-secret-missing-reference-grant", "https", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("gateway-secret-reference-grant-all-in-namespace", "gateway-secret-reference-grant-all-in-namespace", "https", ["ResolvedRefs", "True", ""]),
    expect("gateway-secret-reference-grant-specific", "gateway-secret-reference-grant-specific", "https", ["Programmed", "True", ""]),
    expect("gateway-invalid-listeners-unsupported-protocol", "gateway-only-unsupported-protocols", "", ["Accepted", "False", "ListenersNotValid"]),
    expect("gateway-invalid-listeners-unsupported-protocol", "gateway-only-unsupported-protocols", "invalid", ["Accepted", "False", "UnsupportedProtocol"]),
    expect("gateway-invalid-listeners-unsupported-protocol", "gateway-supported-and-unsupported-protocols", "", ["Accepted", "True", "ListenersNotValid"]),
    expect("gateway-invalid-listeners-unsupported-protocol", "gateway-supported-and-unsupported-protocols", "", ["Programmed", "True", ""]),
    expect("gateway-with-attached-routes", "unresolved-gateway-with-one-attached-unresolved-route", "tls", ["Programmed", "False", ""]),
    expect("gateway-with-attached-routes", "http-route-not-accepted", "", ["Accepted", "False", "NoMatchingListenerHostname"]),
    expect("gateway-with-attached-routes", "http-route-4", "", ["ResolvedRefs", "False", ""]),
    expect("gateway-with-invalid-clientcertificate-validation", "gateway-with-invalid-client-cert-validation", "https", ["Programmed", "True", ""]),
    expect("gateway-with-invalid-clientcertificate-validation", "gateway-with-invalid-client-cert-validation", "https-unresolved", ["ResolvedRefs", "False", "InvalidCACertificateRef"]),
    expect("gateway-with-invalid-clientcertificate-validation", "gateway-with-invalid-client-cert-validation", "https-unresolved", ["Accepted", "False", "NoValidCACertificate"]),
    expect("gateway-with-invalid-clientcertificate-validation", "gateway-with-invalid-client-cert-validation", "https-invalid-kind", ["ResolvedRefs", "False", "InvalidCACertificateKind"]),
    expect("gateway-with-invalid-clientcertificate-validation", "gateway-with-invalid-client-cert-validation", "https-grant-missing", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("gateway-with-invalid-clientcertificate-validation", "gateway-with-invalid-client-cert-validation", "https-grant-missing", ["Programmed", "False", ""]),
    expect("gateway-invalid-default-frontend-client-certificate-validation", "invalid-default-client-validation-config", "http", ["Programmed", "True", ""]),
    expect("gateway-invalid-default-frontend-client-certificate-validation", "invalid-default-client-validation-config", "https", ["Accepted", "False", "NoValidCACertificate"]),
    expect("gateway-invalid-default-frontend-client-certificate-validation", "invalid-default-client-validation-config", "", ["Programmed", "True", ""]),
    expect("gateway-with-clientcertificate-validation-insecure-fallback", "client-validation-insecure-fallback", "", ["InsecureFrontendValidationMode", "True", "ConfigurationChanged"]),
    expect("gateway-invalid-tls-backend-configuration", "gateway-client-certificate-malformed-secret", "", ["ResolvedRefs", "False", "InvalidClientCertificateRef"]),
    expect("gateway-invalid-tls-backend-configuration", "gateway-client-certificate-missing-reference-grant", "", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("gateway-invalid-tls-backend-configuration", "gateway-client-certificate-unsupported-kind", "", ["Accepted", "True", "Accepted"]),
    expect("httproute-disallowed-kind", "disallowed-kind", "", ["Accepted", "False", "NotAllowedByListeners"]),
    expect("httproute-invalid-cross-namespace-parent-ref", "invalid-cross-namespace-parent-ref", "", ["Accepted", "False", "NotAllowedByListeners"]),
    expect("httproute-invalid-cross-namespace-parent-ref", "invalid-cross-namespace-parent-ref", "", ["ResolvedRefs", "True", ""]),
    expect("httproute-invalid-cross-namespace-backend-ref", "invalid-cross-namespace-backend-ref", "", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("httproute-invalid-nonexistent-backendref", "invalid-nonexistent-backend-ref", "", ["ResolvedRefs", "False", "BackendNotFound"]),
    expect("httproute-invalid-backendref-unknown-kind", "invalid-backend-ref-unknown-kind", "", ["ResolvedRefs", "False", "InvalidKind"]),
    expect("httproute-invalid-parentref-not-matching-section-name", "httproute-listener-not-matching-section-name", "", ["Accepted", "False", "NoMatchingParent"]),
    expect("httproute-invalid-parentref-not-matching-listener-port", "httproute-listener-not-matching-route-port", "", ["Accepted", "False", "NoMatchingParent"]),
    expect("httproute-invalid-parentref-section-name-not-matching-port", "httproute-listener-section-name-not-matching-port", "", ["Accepted", "False", "NoMatchingParent"]),
    expect("httproute-invalid-reference-grant", "reference-grant", "", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("httproute-partially-invalid-via-invalid-reference-grant", "invalid-reference-grant", "", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("httproute-hostname-intersection", "no-intersecting-hosts", "", ["Accepted", "False", "NoMatchingListenerHostname"]),
    expect("listenerset-default-not-allowed", "listenerset-default-not-allowed", "", ["Accepted", "False", "NotAllowed"]),
    expect("listenerset-hostname-conflict", "listenerset-with-hostname-conflict-with-gateway-1", "", ["Accepted", "True", ""]),
    expect("listenerset-hostname-conflict", "listenerset-with-hostname-conflict-with-gateway-1", "hostname-conflict-with-gateway-listener", ["Programmed", "False", "HostnameConflict"]),
    expect("listenerset-hostname-conflict", "listenerset-with-hostname-conflict-with-gateway-2", "", ["Programmed", "False", "ListenersNotValid"]),
    expect("listenerset-hostname-conflict", "listenerset-with-hostname-conflict-with-listener-set-2", "", ["Accepted", "False", "ListenersNotValid"]),
    expect("listenerset-gateway-parent-section-name-not-found", "route-via-gateway", "", ["Accepted", "False", "NoMatchingParent"]),
    expect("listenerset-gateway-parent-section-name-not-found", "route-via-listenerset", "", ["Accepted", "True", ""]),
    expect("tlsroute-hostname-intersection", "tlsroute-more-specific-wc-hostname-x-1", "", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-hostname-intersection", "tlsroute-exact-hostname-x-2", "", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-hostname-intersection", "tlsroute-less-specific-wc-hostname-x-2", "", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-hostname-intersection", "tlsroute-less-specific-wc-hostname-x-4", "", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-hostname-intersection", "gw-tlsroute-empty-hostname-x-4", "", ["Programmed", "True", ""]),
    expect("tlsroute-invalid-backendref-nonexistent", "invalid-backend-ref-nonexistent", "", ["ResolvedRefs", "False", "BackendNotFound"]),
    expect("tlsroute-invalid-backendref-nonexistent", "invalid-backend-ref-nonexistent", "", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-invalid-backendref-unknown-kind", "invalid-backend-ref-unknown-kind", "", ["ResolvedRefs", "False", "InvalidKind"]),
    expect("tlsroute-invalid-no-matching-listener-hostname", "tlsroute-hostname-mismatch-1", "", ["Accepted", "False", "NoMatchingListenerHostname"]),
    expect("tlsroute-invalid-no-matching-listener-hostname", "tlsroute-hostname-mismatch-2", "", ["Accepted", "False", "NoMatchingListenerHostname"]),
    expect("tlsroute-invalid-no-matching-listener", "tlsroute-not-allowed-protocol-http", "", ["Accepted", "False", "NotAllowedByListeners"]),
    expect("tlsroute-invalid-no-matching-listener", "tlsroute-not-allowed-protocol-https", "", ["Accepted", "False", "NotAllowedByListeners"]),
    expect("tlsroute-invalid-no-matching-listener", "tlsroute-no-matching-section-name", "", ["Accepted", "False", "NoMatchingParent"]),
    expect("tlsroute-invalid-reference-grant", "gateway-conformance-infra-test", "", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("tlsroute-listener-passthrough-supported-kinds", "gateway-tlsroute-passthrough-supported-kind", "tls-passthrough", ["ResolvedRefs", "False", "InvalidRouteKinds"]),
    expect("tlsroute-listener-terminate-supported-kinds", "gateway-tlsroute-terminate-supported", "tls-terminate", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-mixed-termination-same-namespace", "gateway-tlsroute-mixed-termination", "tls-terminate", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-mixed-termination-same-namespace", "gateway-tlsroute-mixed-termination", "tls-passthrough", ["Accepted", "True", "Accepted"]),
    expect("tlsroute-mixed-termination-same-namespace", "gateway-conformance-mixed-terminateroute", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tlsroute-mixed-termination-same-namespace", "gateway-conformance-mixed-passthroughroute", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tlsroute-simple-same-namespace", "gateway-conformance-infra-test", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tlsroute-terminate-simple-same-namespace", "tlsroute-terminated-test", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tcproute-invalid-backendref-nonexistent", "tcp-route-invalid-backend-ref-nonexistent", "", ["ResolvedRefs", "False", "BackendNotFound"]),
    expect("tcproute-invalid-cross-namespace-backend-ref", "tcp-invalid-cross-namespace-backend-ref", "", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("tcproute-invalid-non-tcp-listener", "tcp-route", "", ["Accepted", "False", "NotAllowedByListeners"]),
    expect("tcproute-multiple-routes-attachment", "tcproute-attach-older", "", ["Accepted", "True", "Accepted"]),
    expect("tcproute-parentref-attach-all", "tcp-route-attach-all", "", ["Accepted", "True", "Accepted"]),
    expect("tcproute-parentref-port-and-section-name", "tcp-route-by-port", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tcproute-parentref-port-and-section-name", "tcp-route-by-section", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tcproute-parentref-port-and-section-name", "tcp-route-by-section-and-port", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tcproute-reference-grant", "tcp-reference-grant", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("tcproute-weighted-routing", "tcp-weighted-gateway", "tcp", ["Programmed", "True", "Programmed"]),
    expect("udproute-invalid-backendref-nonexistent", "udp-route-invalid-backend-ref-nonexistent", "", ["ResolvedRefs", "False", "BackendNotFound"]),
    expect("udproute-invalid-cross-namespace-backend-ref", "udp-route-invalid-cross-namespace-backend-ref", "", ["ResolvedRefs", "False", "RefNotPermitted"]),
    expect("udproute-multiple-routes-attachment", "udproute-attach-older", "", ["Accepted", "True", "Accepted"]),
    expect("udproute-not-allowed-by-listeners", "udproute-not-allowed-by-listeners", "", ["Accepted", "False", "NotAllowedByListeners"]),
    expect("udproute-parentref-attach-all-listeners", "udp-attach-all-listeners-gateway", "udp-3", ["ResolvedRefs", "True", ""]),
    expect("udproute-parentref-port-and-section-name", "udp-route-by-port", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("udproute-parentref-port-and-section-name", "udp-route-by-section", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("udproute-parentref-port-and-section-name", "udp-route-by-section-and-port", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("udproute-reference-grant", "udp-route-reference-grant", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("udproute-simple", "udp-route", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
    expect("udproute-weighted-routing", "udp-weighted-route", "", ["ResolvedRefs", "True", "ResolvedRefs"]),
];

#[test]
fn statuses_are_what_the_suite_expects() {
    let mut wrong = Vec::new();
    for expected in EXPECTED {
        let path = conformance().join(format!("tests/{}.yaml", expected.manifest));
        let mut objects = base();
        objects.extend(read(&path));
        let output = translated(&objects);
        let found = conditions(&output, expected);
        let holds = found.iter().any(|condition| {
            condition.r#type.as_str() == expected.condition
                && condition.status.as_str() == expected.status
                && (expected.reason.is_empty() || condition.reason.as_str() == expected.reason)
        });
        if !holds {
            let Expected {
                manifest,
                object,
                listener,
                condition,
                ..
            } = expected;
            wrong.push(format!(
                "{manifest}: {object} {listener} {condition}: {found:#?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn conditions(output: &Output, expected: &Expected) -> Vec<Condition> {
    let named = |key: &ObjectKey| *key.name == *expected.object;
    let statuses = &output.statuses;
    let gateways = statuses
        .gateways
        .iter()
        .map(|(key, s)| (key, &s.conditions, &s.listeners));
    let sets = statuses.listener_sets.iter();
    let sets = sets.map(|(key, s)| (key, &s.conditions, &s.listeners));
    let mut found = Vec::new();
    for (_, own, listeners) in gateways.chain(sets).filter(|(key, ..)| named(key)) {
        if expected.listener.is_empty() {
            found.extend(own.clone());
        }
        let named = listeners.iter().filter(|l| l.name == expected.listener);
        found.extend(named.flat_map(|l| l.conditions.clone()));
    }
    let routes = statuses.routes().into_iter().flat_map(|(_, routes)| routes);
    let routes = routes.filter(|(key, _)| named(key));
    let parents = routes.flat_map(|(_, status)| &status.parents);
    found.extend(parents.flat_map(|parent| parent.conditions.clone()));
    found
}

/// What must hold of every status.
fn check(path: &Path, output: &Output) {
    let path = path.display();
    let statuses = &output.statuses;
    let gateways = statuses.gateways.values();
    let listeners = gateways
        .clone()
        .flat_map(|s| &s.listeners)
        .map(|l| &l.conditions);
    let routes = statuses
        .routes()
        .into_iter()
        .flat_map(|(_, routes)| routes.values());
    let routes = routes.flat_map(|s| &s.parents);
    let all = gateways
        .map(|s| &s.conditions)
        .chain(listeners)
        .chain(routes.map(|parent| &parent.conditions));
    for condition in all.flatten() {
        assert!(condition.message.len() < 16 * 1024, "{path}: {condition:?}");
        assert!(condition.observed_generation.is_some(), "{path}");
        let needs_words =
            condition.status.as_str() == "False" && condition.reason.as_str() != "NoConflicts";
        assert!(
            !needs_words || !condition.message.is_empty(),
            "{path}: {condition:?}"
        );
    }
    for gateway in output.gateways.values() {
        let http = gateway.snapshot.http_routes.values();
        let l4 = gateway.snapshot.l4_routes.values();
        let http = http.map(|route| &route.attachments);
        for attachments in http.chain(l4.map(|route| &route.attachments)) {
            for attachment in attachments {
                assert!(!attachment.hosts.is_empty(), "{path}");
                assert!(
                    gateway
                        .snapshot
                        .listeners
                        .contains_key(&attachment.listener),
                    "{path}"
                );
            }
        }
    }
}

fn translated(objects: &Objects) -> Output {
    let inputs = Inputs {
        objects,
        observed: &observe_all(objects),
        now: NOW,
    };
    translate(&inputs, &Options::new(CONTROLLER))
}

fn read(path: &Path) -> Vec<AnyObject> {
    read_unchecked(&text(path).replace("{GATEWAY_CLASS_NAME}", "portcullis"))
}

/// The suite's base manifests, our GatewayClass, and the Secrets and ConfigMaps that the suite
/// makes when it runs.
fn base() -> Objects {
    let class = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n\
        metadata: {name: portcullis}\nspec: {controllerName: portcullis.dev/gateway-controller}\n";
    let mut objects: Objects = read_unchecked(class).into_iter().collect();
    for path in yaml_files(&conformance().join("base")) {
        objects.extend(read(&path));
    }
    let fixture = |name: &str| text(&folder("fixtures").join("tls").join(name));
    for (namespace, name) in [
        (INFRA, "tls-validity-checks-certificate"),
        ("gateway-conformance-web-backend", "certificate"),
    ] {
        let entries = [("tls.crt", "p256.crt"), ("tls.key", "p256.key")];
        objects.insert(Secret {
            metadata: metadata(namespace, name),
            string_data: Some(
                entries
                    .map(|(key, file)| (key.to_owned(), fixture(file)))
                    .into(),
            ),
            ..Secret::default()
        });
    }
    for name in [
        "tls-validity-checks-ca-certificate",
        "tls-validity-checks-per-port-ca-certificate",
    ] {
        objects.insert(ConfigMap {
            metadata: metadata(INFRA, name),
            data: Some([("ca.crt".to_owned(), fixture("root-ca.crt"))].into()),
            ..ConfigMap::default()
        });
    }
    objects
}

fn metadata(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

fn manifests() -> Vec<PathBuf> {
    let api = module("sigs.k8s.io/gateway-api");
    let folders = [
        conformance().join("base"),
        conformance().join("tests"),
        api.join("examples"),
        api.join("hack/invalid-examples"),
    ];
    folders
        .iter()
        .flat_map(|folder| yaml_files(folder))
        .collect()
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn conformance() -> PathBuf {
    module("sigs.k8s.io/gateway-api/conformance")
}

/// Where Go keeps a module at the version that `conformance/go.mod` pins.
fn module(name: &str) -> PathBuf {
    let go_mod = folder("../../..").join("conformance/go.mod");
    let pinned = text(&go_mod);
    let version = pinned.lines().find_map(|line| {
        let mut words = line
            .trim()
            .trim_start_matches("require ")
            .split_whitespace();
        (words.next() == Some(name)).then(|| words.next())?
    });
    let version = version.unwrap_or_else(|| panic!("{} does not name {name}", go_mod.display()));
    let cache = Command::new("go").args(["env", "GOMODCACHE"]).output();
    let cache = cache.expect("the upstream manifests need Go: install it, then run `make deps`");
    let cache = String::from_utf8(cache.stdout).unwrap();
    let path = Path::new(cache.trim()).join(format!("{name}@{version}"));
    assert!(
        path.exists(),
        "{name} {version} is not in Go's module cache: run `make deps`, or `go mod download` in conformance/"
    );
    path
}
