//! What the tests over manifests share.
#![expect(
    clippy::disallowed_methods,
    reason = "tests read their files; the crate does not"
)]
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod worlds;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_api::gateway::{AddressType, GatewayAddress};
use portcullis_api::{AnyObject, Kind, Objects, manifest};
use portcullis_translate::{ObservedDataPlane, ObservedGateway};
use serde_json::Value;

/// The controller of the tests' GatewayClass.
pub(crate) const CONTROLLER: &str = "portcullis.dev/gateway-controller";

/// 2030-01-01T00:00:00Z
pub(crate) const NOW: i64 = 1_893_456_000;

/// A folder of this crate's tests.
pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// The text of a file.
pub(crate) fn text(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Objects that must be valid by their schemas.
pub(crate) fn read_checked(name: &str, text: &str) -> Objects {
    let read = manifest::parse(text);
    let errors: Vec<String> = read.errors.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{name}: {}", errors.join("\n"));
    read.objects
        .into_iter()
        .map(|located| located.object)
        .collect()
}

/// Objects as far as their types can hold them, valid or not.
pub(crate) fn read_unchecked(text: &str) -> Vec<AnyObject> {
    let values = manifest::values(text).unwrap_or_default();
    values.into_iter().filter_map(decode).collect()
}

fn decode(value: Value) -> Option<AnyObject> {
    let version = value["apiVersion"].as_str()?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let kind = Kind::find(group, value["kind"].as_str()?)?;
    Some(match kind {
        Kind::GatewayClass => AnyObject::GatewayClass(object(value)?),
        Kind::Gateway => AnyObject::Gateway(object(value)?),
        Kind::ListenerSet => AnyObject::ListenerSet(object(value)?),
        Kind::HttpRoute => AnyObject::HttpRoute(object(value)?),
        Kind::GrpcRoute => AnyObject::GrpcRoute(object(value)?),
        Kind::TlsRoute => AnyObject::TlsRoute(object(value)?),
        Kind::TcpRoute => AnyObject::TcpRoute(object(value)?),
        Kind::UdpRoute => AnyObject::UdpRoute(object(value)?),
        Kind::ReferenceGrant => AnyObject::ReferenceGrant(object(value)?),
        Kind::BackendTlsPolicy => AnyObject::BackendTlsPolicy(object(value)?),
        Kind::Namespace => AnyObject::Namespace(object(value)?),
        Kind::Service => AnyObject::Service(object(value)?),
        Kind::EndpointSlice => AnyObject::EndpointSlice(object(value)?),
        Kind::Secret => AnyObject::Secret(object(value)?),
        Kind::ConfigMap => AnyObject::ConfigMap(object(value)?),
        Kind::GatewayParameters => AnyObject::GatewayParameters(object(value)?),
        Kind::ClusterTrustBundle => AnyObject::ClusterTrustBundle(object(value)?),
    })
}

/// One data plane per Gateway that serves its generation at 192.0.2.1.
pub(crate) fn observe_all(
    objects: &Objects,
) -> BTreeMap<portcullis_ir::ObjectKey, ObservedGateway> {
    let gateways = objects.gateways.iter();
    gateways
        .map(|(key, gateway)| {
            let plane = ObservedDataPlane {
                applied_generation: Some(gateway.generation()),
                port_failures: BTreeMap::new(),
                refusal: None,
            };
            let address = GatewayAddress {
                address_type: Some(AddressType::IpAddress),
                value: Some("192.0.2.1".to_owned()),
                routability: None,
            };
            let seen = ObservedGateway {
                addresses: vec![address],
                data_planes: vec![plane],
                infra: None,
            };
            (
                portcullis_ir::ObjectKey::new(key.namespace.clone(), key.name.clone()),
                seen,
            )
        })
        .collect()
}

fn object<T: serde::de::DeserializeOwned>(value: Value) -> Option<Arc<T>> {
    serde_json::from_value(value).ok().map(Arc::new)
}
