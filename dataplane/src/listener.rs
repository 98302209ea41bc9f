//! The sockets: which are bound, what is accepted on them, and how TLS ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use portcullis_ir::PortKey;

pub(crate) mod accept;
pub(crate) mod bind;
pub(crate) mod connection;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod linger;
pub(crate) mod sni;
pub(crate) mod tls;
pub(crate) mod waiting;

pub use bind::{BindFailure, RealPort};

/// What became of each wanted port: its real addresses, or why it is not bound.
pub type PortStates = BTreeMap<PortKey, Result<Vec<SocketAddr>, BindFailure>>;

/// How a port treats its clients; only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Accepts, and keeps connections alive.
    Open,
    /// Accepts, but asks clients to leave: `Connection: close`, GOAWAY.
    Leaving,
    /// Accepts no more and closes idle connections; those in use end with their request.
    Closed,
}
