//! Gateway API v1.7.0 and core Kubernetes types as Portcullis uses them.
//!
//! The Gateway API kinds are hand-written and share their parts: one [`route::ParentReference`],
//! one [`route::BackendRef`], one [`route::RouteFilter`] for every kind that has one, so that code
//! over kinds is written once. They cover the experimental channel, which is a superset of the
//! standard one. Core kinds are those of `k8s_openapi`. One kind is our own ([`parameters`]).
//!
//! [`Objects`] holds what was read, typed and in a fixed order; [`manifest`] reads it from YAML
//! text and says where a mistake is. The crate is pure: no files, no clock, no cluster.

/// The version of the Gateway API whose types and schemas these are.
pub const GATEWAY_API_VERSION: &str = "v1.7.0";

pub mod backend_tls;
pub mod core;
pub mod field_path;
pub mod gateway;
pub mod grant;
pub mod grpc_route;
pub mod http_route;
mod keyword;
pub mod kind;
pub mod listener_set;
pub mod manifest;
pub mod meta;
mod names;
pub mod objects;
pub mod one_line;
pub mod parameters;
pub mod route;
pub mod schema;
pub mod shape;
pub mod status;
mod suggest;
pub mod tcp_route;
pub mod tls_route;
pub mod trust_bundle;
pub mod udp_route;
mod yaml;

pub use crate::backend_tls::BackendTlsPolicy;
pub use crate::field_path::FieldPath;
pub use crate::gateway::{Gateway, GatewayClass};
pub use crate::grant::ReferenceGrant;
pub use crate::grpc_route::GrpcRoute;
pub use crate::http_route::HttpRoute;
pub use crate::kind::Kind;
pub use crate::listener_set::ListenerSet;
pub use crate::meta::{Object, ObjectKey, ObjectMeta};
pub use crate::objects::{AnyObject, ObjectChange, Objects};
pub use crate::one_line::OneLine;
pub use crate::parameters::GatewayParameters;
pub use crate::tcp_route::TcpRoute;
pub use crate::tls_route::TlsRoute;
pub use crate::trust_bundle::ClusterTrustBundle;
pub use crate::udp_route::UdpRoute;
pub use crate::yaml::to_yaml;
