use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::parse;
use crate::kind::Kind;
use crate::meta::ObjectKey;
use crate::objects::{AnyObject, Objects};
use crate::yaml::to_yaml;

/// What is said about a text, a line each.
fn said(text: &str) -> String {
    let manifest = parse(text);
    let mut said = String::new();
    for located in &manifest.objects {
        let (kind, key) = (located.object.kind(), located.object.key());
        writeln!(said, "{}: {kind} {key}", located.line).expect("is a string");
    }
    for error in &manifest.errors {
        writeln!(said, "error {error}").expect("is a string");
    }
    for notice in &manifest.notices {
        writeln!(said, "notice {notice}").expect("is a string");
    }
    said
}

const ROUTE: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: httpbin
  namespace: apps
spec:
  parentRefs:
  - name: gateway
  hostnames: [\"httpbin.example.com\"]
  rules:
  - matches:
    - path:
        type: PathPrefix
        value: /status
    backendRefs:
    - name: httpbin
      port: 8000
";

const GATEWAY: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: gateway
spec:
  gatewayClassName: portcullis
  listeners:
  - name: http
    port: 80
    protocol: HTTP
";

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata:
  name: credential
type: kubernetes.io/tls
data:
  tls.crt: YQ==
stringData:
  tls.key: b
";

/// A name, a text without mistakes, and what is replaced in it by what.
#[rustfmt::skip]
const EDITS: [(&str, &str, &str, &str); 36] = [
    ("unknown field", ROUTE, "hostnames:", "hostname:"),
    ("unknown nested field", ROUTE, "backendRefs:", "backendRef:"),
    ("unknown field, far from any", ROUTE, "hostnames:", "colour:"),
    ("unknown metadata field", ROUTE, "namespace:", "nmespace:"),
    ("text for a number", ROUTE, "port: 8000", "port: http"),
    ("quoted number", ROUTE, "port: 8000", "port: \"8000\""),
    ("number out of range", ROUTE, "port: 8000", "port: 70000"),
    ("number for a text", ROUTE, "value: /status", "value: 200"),
    ("word that YAML takes for a boolean", ROUTE, "name: gateway", "name: on"),
    ("map for a list", ROUTE, "- name: gateway", "  name: gateway"),
    ("unknown value", ROUTE, "type: PathPrefix", "type: Prefix"),
    ("rule that does not hold", ROUTE, "value: /status", "value: status"),
    ("missing field", ROUTE, "    - name: httpbin\n      port", "    - port"),
    ("missing name", ROUTE, "  name: httpbin\n", ""),
    ("bad name", ROUTE, "name: httpbin\n", "name: Http_Bin\n"),
    ("bad namespace", ROUTE, "namespace: apps", "namespace: a.b"),
    ("missing apiVersion", ROUTE, "apiVersion: gateway.networking.k8s.io/v1\n", ""),
    ("missing kind", ROUTE, "kind: HTTPRoute\n", ""),
    ("kind is no text", ROUTE, "kind: HTTPRoute", "kind: [HTTPRoute]"),
    ("mistyped kind", ROUTE, "HTTPRoute", "HttpRoutes"),
    ("unknown kind of the Gateway API", ROUTE, "HTTPRoute", "MeshRoute"),
    ("mistyped group", ROUTE, "gateway.networking.k8s.io", "gateway.network.k8s.io"),
    ("version that is not read", ROUTE, "k8s.io/v1", "k8s.io/v1alpha2"),
    ("same key twice", ROUTE, "  hostnames:", "  rules: []\n  hostnames:"),
    ("half-written", ROUTE, "\"]\n  rules:", ""),
    ("tab", ROUTE, "      port", "\t  port"),
    ("empty list", GATEWAY, "\n  - name: http\n    port: 80\n    protocol: HTTP\n", " []\n"),
    ("same listener name twice", GATEWAY, "  listeners:\n", "  listeners:\n  - {name: http, port: 81, protocol: HTTP}\n"),
    ("mistyped core kind", SECRET, "kind: Secret", "kind: Secrets"),
    ("unknown field of a core kind", SECRET, "stringData", "stringdata"),
    ("bad base64", SECRET, "YQ==", "x"),
    ("text that is not base64", SECRET, "YQ==", "-----BEGIN CERTIFICATE-----"),
    ("text for a map of texts", SECRET, "stringData:\n  tls.key: b", "stringData: text"),
    ("number in a map of texts", SECRET, "tls.key: b", "tls.key: 1"),
    ("value in place of its key", SECRET, "tls.key: b", "? -----BEGIN PRIVATE KEY-----"),
    ("list in the metadata of a Secret", SECRET, "name: credential", "name: credential\n  labels: [a]"),
];

#[test]
fn mistakes_are_named_with_place_object_and_field() {
    let mut all = String::new();
    for (name, text, from, to) in EDITS {
        assert!(text.contains(from), "{name}");
        writeln!(all, "# {name}\n{}", said(&text.replacen(from, to, 1))).expect("is a string");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_folder_of_everyday_manifests_is_read() {
    let text = format!(
        "# only a comment\n---\n---\n{ROUTE}---\n{GATEWAY}---\n{SECRET}---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: httpbin}}\n---\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: httpbin, namespace: apps}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: old}}\n---\n\
         apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XBackend\nmetadata: {{name: x}}\n---\n\
         apiVersion: v1\nkind: List\nitems:\n\
         - apiVersion: v1\n  kind: Namespace\n  metadata: {{name: apps, namespace: ignored}}\n\
         - apiVersion: v1\n  kind: Service\n  metadata: {{name: s}}\n  spec: {{ports: [{{port: http}}]}}\n---\n\
         just text\n---\n[1, 2]\n"
    );
    insta::assert_snapshot!(said(&text));
    assert_eq!(said(&text.replace('\n', "\r\n")), said(&text));
    assert_eq!(said(&format!("\u{feff}{text}")), said(&text));
}

#[test]
fn an_error_in_one_document_leaves_the_others() {
    let text = format!("{ROUTE}---\na: [\n---\n{GATEWAY}");
    let expected = "1: HTTPRoute apps/httpbin\n\
                    21: Gateway default/gateway\n\
                    error 19:4: not valid YAML: unclosed bracket '['\n";
    assert_eq!(said(&text), expected);
}

#[test]
fn string_data_is_merged_into_data() {
    let mut objects: Objects = parse(SECRET)
        .objects
        .into_iter()
        .map(|l| l.object)
        .collect();
    let key = ObjectKey::new("default", "credential");
    let secret = objects.secrets.get(&key).expect("the secret is there");
    let data = secret.data.as_ref().expect("it has data");
    let texts: Vec<(&str, &[u8])> = data
        .iter()
        .map(|(key, value)| (key.as_str(), value.0.as_slice()))
        .collect();
    assert_eq!(texts, [("tls.crt", &b"a"[..]), ("tls.key", &b"b"[..])]);
    assert_eq!(secret.string_data, None);
    assert!(objects.remove(Kind::Secret, &key).is_some());
    assert!(objects.is_empty());
}

#[test]
fn what_is_written_reads_back() {
    for text in [ROUTE, GATEWAY, SECRET] {
        let first = parse(text).objects.remove(0).object;
        let yaml = to_yaml(&first).expect("is serializable");
        let second = parse(&yaml).objects.remove(0).object;
        assert_eq!(first, second, "{yaml}");
    }
}

#[test]
fn private_keys_do_not_show_when_printed() {
    let secret = parse(SECRET).objects.remove(0).object;
    assert!(matches!(secret, AnyObject::Secret(_)));
    assert_eq!(format!("{secret:?}"), "Secret(default/credential)");
}

#[test]
fn what_is_said_about_a_secret_holds_nothing_of_its_values() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{line}\n{line}\n");
    let (pem, pin) = (pem.as_str(), 80_472_365);
    let contents = [
        json!({ "data": pem }),
        json!({ "stringData": pem }),
        json!({ "stringData": [pem] }),
        json!({ "data": { "tls.key": pem } }),
        json!({ "data": { "tls.key": [pem] } }),
        json!({ "data": { "tls.key": { "k": pem } } }),
        json!({ "stringData": { "pin": pin } }),
        json!({ "stringData": { pem: null } }),
        json!({ "stringData": { line: null } }),
        json!({ "stringData": [pin] }),
        json!({ "type": [pem] }),
        json!({ "immutable": pem }),
        json!({ "metadata": pem }),
        json!({ "metadata": { "name": "s", "annotations": pem } }),
        json!({ "metadata": { "name": "s", "labels": { "a": [pem] } } }),
        json!({ "metadata": { "name": "s", "creationTimestamp": pem } }),
        json!({ "metadata": { "name": "s", "generation": pem } }),
        json!({ pem: 1 }),
        json!({ line: 1 }),
    ];
    for extra in contents {
        let mut secret =
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" } });
        let fields = extra.as_object().expect("is a map").clone();
        secret.as_object_mut().expect("is a map").extend(fields);
        let errors = parse(&secret.to_string()).errors;
        assert!(!errors.is_empty(), "{extra}");
        let said = format!("{errors:?} {}", errors[0]);
        for part in ["BEGIN", "MIIE", "8047"] {
            assert!(!said.contains(part), "{extra}: {said}");
        }
    }
    let twice = format!("{SECRET}  ? \"{pem}\"\n  : 1\n  ? \"{pem}\"\n  : 2\n");
    assert_eq!(said(&twice).matches("MIIE").count(), 0, "{}", said(&twice));
}

#[test]
fn wrapped_base64_is_read() {
    let text =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  k: |\n    aGVs\n    bG8=\n";
    let wrapped = [
        text.to_owned(),
        text.replace('\n', "\r\n"),
        text.replace("kind: Secret", "kind: ConfigMap")
            .replace("\ndata", "\nbinaryData"),
    ];
    for text in wrapped {
        let manifest = parse(&text);
        assert_eq!(manifest.errors, []);
        let value = match &manifest.objects[0].object {
            AnyObject::Secret(secret) => secret.data.as_ref(),
            AnyObject::ConfigMap(map) => map.binary_data.as_ref(),
            other => panic!("{other:?}"),
        };
        assert_eq!(value.expect("it has data")["k"].0, b"hello", "{text}");
    }
}

#[test]
fn what_is_said_is_one_line_without_control_characters() {
    let forged = r"x\n2026 ERROR forged\u001b[31m\u009b\u2028";
    let quoted = format!("\"{forged}\"");
    let edits = [
        (ROUTE, "hostnames:", format!("{quoted}:")),
        (ROUTE, "kind: HTTPRoute", format!("kind: {quoted}")),
        (
            ROUTE,
            "gateway.networking.k8s.io/v1",
            format!("\"gateway.networking.k8s.io/{forged}\""),
        ),
        (ROUTE, "name: httpbin\n", format!("name: {quoted}\n")),
        (ROUTE, "namespace: apps", format!("namespace: {quoted}")),
        (ROUTE, "type: PathPrefix", format!("type: {quoted}")),
        (
            ROUTE,
            "hostnames:",
            format!("{quoted}: 1\n  {quoted}: 2\n  hostnames:"),
        ),
        (GATEWAY, "name: http\n", format!("name: {quoted}\n")),
        (SECRET, "tls.key: b", format!("{quoted}: 1")),
        (
            SECRET,
            "v1\nkind: Secret",
            format!("{quoted}\nkind: {quoted}"),
        ),
    ];
    for (text, from, to) in edits {
        let said = said(&text.replacen(from, &to, 1));
        assert_eq!(said.lines().count(), 1, "{said}");
        let controls: Vec<_> = said.trim_end().chars().filter(|c| c.is_control()).collect();
        assert_eq!(controls, [], "{said}");
        assert!(!said.contains('\u{2028}'), "{said}");
    }
}

#[test]
fn older_versions_are_read() {
    for version in ["v1", "v1alpha3", "v1alpha2"] {
        let text = format!(
            "apiVersion: gateway.networking.k8s.io/{version}\nkind: TLSRoute\nmetadata: {{name: a}}\n\
             spec: {{hostnames: [a.example], rules: [{{backendRefs: [{{name: s, port: 1}}]}}]}}\n"
        );
        assert_eq!(said(&text), "1: TLSRoute default/a\n");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn any_mutation_is_parsed_without_panic(
        at in 0..ROUTE.len(),
        cut in 0_usize..12,
        put in "[ \\n\\t:{}\\[\\]\"'&*!|>a-z0-9-]{0,6}",
    ) {
        let text = format!("{ROUTE}---\n{GATEWAY}---\n{SECRET}");
        let end = (at + cut).min(text.len());
        let mutated = format!("{}{put}{}", &text[..at], &text[end..]);
        let _ = said(&mutated);
    }
}
