//! What the controller is told when it starts.

use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The settings of one controller process, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// GatewayClasses that name it are ours, such as `portcullis.dev/gateway-controller`.
    pub controller_name: String,
    /// The namespace the controller runs in: of its Lease and of its Secret.
    pub namespace: String,
    /// The name of its pod; tells one replica from another in the Lease.
    pub pod_name: String,
    /// The image that data-plane pods run.
    pub data_plane_image: String,
    /// Where data planes get their snapshots (gRPC over TLS).
    pub serve: SocketAddr,
    /// Where health, metrics and what is known are shown (plain HTTP, no secrets).
    pub admin: SocketAddr,
    /// Whose objects are looked at.
    pub namespaces: Namespaces,
}

/// A choice of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// All there are and will be.
    #[default]
    All,
    /// These only; namespaced watches, so that Roles suffice. Cluster-scoped kinds are watched all
    /// the same.
    Only(BTreeSet<String>),
}
