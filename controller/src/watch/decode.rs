//! From JSON to the object of a kind, with what nobody reads left out.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceSpec;
use portcullis_api::core::{Endpoint, EndpointSlice, Namespace, Service};
use portcullis_api::shape::Misfit;
use portcullis_api::{AnyObject, Kind};
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
    let object = AnyObject::known(kind, json).map_err(|Misfit { path, message }| {
        let field = if path.is_root() {
            ".".to_owned()
        } else {
            path.to_string()
        };
        let unreadable = Unreadable {
            field,
            reason: message,
        };
        match kind {
            Kind::Secret => unreadable.confidential(),
            _ => unreadable,
        }
    })?;
    Ok(match object {
        AnyObject::Namespace(namespace) => without_spec(Arc::unwrap_or_clone(namespace)).into(),
        AnyObject::Service(service) => trimmed_service(Arc::unwrap_or_clone(service)).into(),
        AnyObject::EndpointSlice(slice) => trimmed_slice(Arc::unwrap_or_clone(slice)).into(),
        other => other,
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
