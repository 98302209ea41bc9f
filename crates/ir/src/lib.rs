//! What a data plane must know, and nothing more.
//!
//! A [`Snapshot`] is the whole configuration of one Gateway's data plane: flat maps keyed by stable
//! ids, in which children name their parents. `translate` makes it, `wire` carries it, `table`
//! compiles it. Every field holds a parsed type, so that nothing is parsed again per request.
//!
//! Invariant: equal snapshots are equal bytes. All maps are ordered, no field holds a time of
//! making, and [`Snapshot::version`] depends on the content alone. Snapshots that follow each other
//! share what did not change ([`SharedMap`]).

#[cfg(feature = "proptest")]
pub mod arbitrary;
pub mod backend;
pub mod filter;
pub mod hostname;
pub mod ident;
pub mod listener;
pub mod matcher;
pub mod order;
pub mod origin;
pub mod route;
pub mod snapshot;
pub mod tls;

mod text;

pub use backend::{Backend, BackendProtocol, Endpoint, EndpointHost, WeightedBackend};
pub use hostname::HostPattern;
pub use ident::{BackendId, CertificateId, ListenerId, ObjectKey, RouteId, TrustBundleId, Version};
pub use listener::{Listener, ListenerProtocol, PortKey, Transport};
pub use portcullis_shared::{self as shared, SharedMap};
pub use route::{Attachment, HttpRoute, HttpRule, L4Route, RouteHost, RouteOrigin};
pub use snapshot::Snapshot;
