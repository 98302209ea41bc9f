//! Checks objects of the Gateway API as the API server does: by the schemas of the v1.7.0
//! custom resource definitions (experimental channel, a superset of the standard one), their
//! defaults and their rules. Objects of our own kind are checked by its definition.
//!
//! The schemas are in `schemas/`, made by `hack/update-schemas`. What is not checked: rules that
//! compare with the object as it was (`oldSelf`), and formats other than IP addresses.

mod cel;
mod fault;
mod model;
mod prepare;
mod rules;
mod structure;
#[cfg(test)]
mod tests;

pub use self::fault::{Fault, Violation};

use std::sync::LazyLock;

use serde_json::Value as Json;

use self::model::{KindSchemas, Schema};
use crate::field_path::FieldPath;
use crate::kind::Kind;

/// Declares the embedded schemas, each parsed when it is first asked for.
macro_rules! embedded {
    ($($kind:ident: $file:literal,)+) => {
        fn schemas(kind: Kind) -> Option<&'static KindSchemas> {
            match kind {
                $(Kind::$kind => {
                    static SCHEMAS: LazyLock<Option<KindSchemas>> = LazyLock::new(|| {
                        serde_json::from_str(include_str!(concat!("../schemas/", $file, ".json"))).ok()
                    });
                    SCHEMAS.as_ref()
                })+
                Kind::Namespace | Kind::Service | Kind::EndpointSlice | Kind::Secret
                | Kind::ConfigMap | Kind::ClusterTrustBundle => None,
            }
        }

        /// Whether objects of a kind are checked here.
        pub(crate) fn has_schema(kind: Kind) -> bool {
            matches!(kind, $(Kind::$kind)|+)
        }
    };
}

embedded! {
    GatewayClass: "gatewayclasses",
    Gateway: "gateways",
    ListenerSet: "listenersets",
    HttpRoute: "httproutes",
    GrpcRoute: "grpcroutes",
    TlsRoute: "tlsroutes",
    TcpRoute: "tcproutes",
    UdpRoute: "udproutes",
    ReferenceGrant: "referencegrants",
    BackendTlsPolicy: "backendtlspolicies",
    GatewayParameters: "gatewayparameters",
}

/// Fills in an object's defaults, as the API server does when it stores one, and says what is
/// wrong with it.
///
/// `metadata` is not looked at. Core kinds are left alone. As in the API
/// server, rules are checked only when the structure is right.
pub fn admit(kind: Kind, version: &str, object: &mut Json) -> Vec<Violation> {
    let Some(schema) = schema(kind, version) else {
        return Vec::new();
    };
    prepare::fill(schema, object);
    let root = FieldPath::root();
    let found = structure::check(schema, object, &root);
    if found.is_empty() {
        rules::check(schema, object, &root)
    } else {
        found
    }
}

fn schema(kind: Kind, version: &str) -> Option<&'static Schema> {
    schemas(kind)?.version(version)
}
