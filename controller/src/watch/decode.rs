//! From JSON to the object of a kind, with what nobody reads left out.

#[cfg(test)]
mod tests;

use k8s_openapi::api::core::v1::ServiceSpec;
use portcullis_api::core::{ConfigMap, Endpoint, EndpointSlice, Namespace, Secret, Service};
use portcullis_api::{AnyObject, Kind};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why an object cannot be read: our types are of another version than what is installed, or the
/// installed schema lets through what upstream's does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub(super) struct Unreadable {
    /// Where, from the object's root: `spec.rules[0].matches`.
    pub(super) field: String,
    /// What is wrong there.
    pub(super) reason: String,
}

impl Unreadable {
    /// The reason may quote what was found.
    fn confidential(self) -> Self {
        let Self { field, reason: _ } = self;
        Self {
            field,
            reason: "cannot be read".to_owned(),
        }
    }
}

/// The object of a kind.
pub(super) fn object(kind: Kind, json: &Value) -> Result<AnyObject, Unreadable> {
    Ok(match kind {
        Kind::GatewayClass => AnyObject::GatewayClass(typed(json)?),
        Kind::Gateway => AnyObject::Gateway(typed(json)?),
        Kind::ListenerSet => AnyObject::ListenerSet(typed(json)?),
        Kind::HttpRoute => AnyObject::HttpRoute(typed(json)?),
        Kind::GrpcRoute => AnyObject::GrpcRoute(typed(json)?),
        Kind::TlsRoute => AnyObject::TlsRoute(typed(json)?),
        Kind::TcpRoute => AnyObject::TcpRoute(typed(json)?),
        Kind::UdpRoute => AnyObject::UdpRoute(typed(json)?),
        Kind::ReferenceGrant => AnyObject::ReferenceGrant(typed(json)?),
        Kind::BackendTlsPolicy => AnyObject::BackendTlsPolicy(typed(json)?),
        Kind::GatewayParameters => AnyObject::GatewayParameters(typed(json)?),
        Kind::ClusterTrustBundle => AnyObject::ClusterTrustBundle(typed(json)?),
        Kind::Namespace => without_spec(typed(json)?).into(),
        Kind::Service => trimmed_service(typed(json)?).into(),
        Kind::EndpointSlice => trimmed_slice(typed(json)?).into(),
        Kind::Secret => typed::<Secret>(json)
            .map_err(Unreadable::confidential)?
            .into(),
        Kind::ConfigMap => typed::<ConfigMap>(json)?.into(),
    })
}

fn typed<T: DeserializeOwned>(json: &Value) -> Result<T, Unreadable> {
    serde_path_to_error::deserialize(json).map_err(|error| Unreadable {
        field: error.path().to_string(),
        reason: error.inner().to_string(),
    })
}

fn without_spec(namespace: Namespace) -> Namespace {
    let Namespace {
        metadata,
        spec: _,
        status: _,
    } = namespace;
    Namespace {
        metadata,
        spec: None,
        status: None,
    }
}

/// What translation reads of a Service: its ports, and where they lead if not to endpoints.
fn trimmed_service(service: Service) -> Service {
    let Service {
        metadata,
        spec,
        status: _,
    } = service;
    let spec = spec.map(|spec| ServiceSpec {
        type_: spec.type_,
        ports: spec.ports,
        external_name: spec.external_name,
        cluster_ip: spec.cluster_ip,
        ..ServiceSpec::default()
    });
    Service {
        metadata,
        spec,
        status: None,
    }
}

/// What translation reads of an EndpointSlice: addresses, conditions, ports.
fn trimmed_slice(mut slice: EndpointSlice) -> EndpointSlice {
    for endpoint in &mut slice.endpoints {
        let Endpoint {
            addresses,
            conditions,
            ..
        } = std::mem::take(endpoint);
        *endpoint = Endpoint {
            addresses,
            conditions,
            ..Endpoint::default()
        };
    }
    slice
}
