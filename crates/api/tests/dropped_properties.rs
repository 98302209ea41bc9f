//! No property of the Gateway API's schemas is lost on the way through our types.
//!
//! For each kind, version and channel, an object that has every property of the schema is made,
//! read and written. `dropped_properties.txt` lists what did not come back.

mod upstream;

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_api::meta::{Object, Spec};
use portcullis_api::{
    BackendTlsPolicy, Gateway, GatewayClass, GatewayParameters, GrpcRoute, HttpRoute, ListenerSet,
    ReferenceGrant, TcpRoute, TlsRoute, UdpRoute,
};
use serde_json::{Map, Value as Json, json};

#[test]
fn nothing_is_dropped_but_what_is_listed() {
    let mut dropped =
        "# Properties of the Gateway API that our types drop (channel kind/version path):\n"
            .to_owned();
    let mut kept = 0;
    for channel in upstream::CHANNELS {
        for definition in upstream::definitions(channel) {
            let kind = definition["spec"]["names"]["kind"]
                .as_str()
                .unwrap_or_default();
            for version in definition["spec"]["versions"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let full = full_object(kind, &version["schema"]["openAPIV3Schema"]);
                let there = paths(&full);
                let back = paths(&round_trip(kind, full));
                kept += back.len();
                for path in there.difference(&back) {
                    let name = version["name"].as_str().unwrap_or_default();
                    dropped += &[channel, " ", kind, "/", name, " ", path, "\n"].concat();
                }
            }
        }
    }
    assert!(kept > 1700, "{kept}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dropped_properties.txt");
    upstream::assert_committed(&file, &dropped);
}

#[test]
fn nothing_of_our_own_kind_is_dropped() {
    let definition = upstream::own_definition();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut full = full_object("GatewayParameters", schema);
    full["apiVersion"] = json!("portcullis.dev/v1alpha1");
    assert_eq!(paths(&full), paths(&through::<GatewayParameters>(full)));
}

fn full_object(kind: &str, schema: &Json) -> Json {
    let mut object = instance(schema);
    object["apiVersion"] = json!("gateway.networking.k8s.io/v1");
    object["kind"] = json!(kind);
    object["metadata"] = json!({ "name": "full", "namespace": "default" });
    object
}

/// A value that has every property of the schema once. It need not be valid, only well-typed.
fn instance(schema: &Json) -> Json {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let mut object: Map<String, Json> = properties
                .map(|(name, schema)| (name.clone(), instance(schema)))
                .collect();
            if schema["additionalProperties"].is_object() {
                object.insert("any".to_owned(), instance(&schema["additionalProperties"]));
            }
            object.into()
        }
        Some("array") => json!([instance(&schema["items"])]),
        Some("boolean") => json!(true),
        Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(7)),
        Some("string") if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        Some("string") => json!("10s"),
        other => panic!("a type the test does not know: {other:?}"),
    }
}

fn round_trip(kind: &str, object: Json) -> Json {
    match kind {
        "GatewayClass" => through::<GatewayClass>(object),
        "Gateway" => through::<Gateway>(object),
        "ListenerSet" => through::<ListenerSet>(object),
        "HTTPRoute" => through::<HttpRoute>(object),
        "GRPCRoute" => through::<GrpcRoute>(object),
        "TLSRoute" => through::<TlsRoute>(object),
        "TCPRoute" => through::<TcpRoute>(object),
        "UDPRoute" => through::<UdpRoute>(object),
        "ReferenceGrant" => through::<ReferenceGrant>(object),
        "BackendTLSPolicy" => through::<BackendTlsPolicy>(object),
        other => panic!("a kind that we do not read: {other}"),
    }
}

fn through<T: RoundTrip>(object: Json) -> Json {
    T::round_trip(object).unwrap_or_else(|error| panic!("{error}"))
}

trait RoundTrip {
    fn round_trip(object: Json) -> Result<Json, serde_json::Error>;
}

impl<S: Spec> RoundTrip for Object<S> {
    fn round_trip(object: Json) -> Result<Json, serde_json::Error> {
        serde_json::to_value(serde_json::from_value::<Self>(object)?)
    }
}

/// The path and value of every leaf, such as `.spec.rules[].name = "10s"`.
fn paths(value: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

fn collect(value: &Json, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Json::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                collect(value, &format!("{path}.{name}"), found);
            }
        }
        Json::Array(items) => {
            for item in items {
                collect(item, &format!("{path}[]"), found);
            }
        }
        leaf => {
            found.insert(format!("{path} = {leaf}"));
        }
    }
}
