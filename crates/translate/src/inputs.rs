//! What `translate` is given.

use std::collections::BTreeMap;

use portcullis_api::Objects;
use portcullis_api::gateway::GatewayAddress;
use portcullis_ir::PortKey;

/// Everything that the answer depends on.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The users' objects.
    pub objects: Objects,
    /// What is known of each Gateway's data planes; a Gateway that is absent has none.
    pub observed: BTreeMap<portcullis_ir::ObjectKey, ObservedGateway>,
    /// The time, in seconds since the Unix epoch. Certificates are valid or not by it.
    pub now: i64,
}

/// What the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// GatewayClasses of this controller are ours, such as `portcullis.dev/gateway-controller`.
    pub controller_name: String,
}

/// Facts about one Gateway's data planes, from which Programmed is computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedGateway {
    /// Where clients reach it.
    pub addresses: Vec<GatewayAddress>,
    /// Every data plane that should serve it.
    pub data_planes: Vec<ObservedDataPlane>,
}

/// Facts about one data plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedDataPlane {
    /// The newest `metadata.generation` of the Gateway that it has applied.
    pub applied_generation: Option<i64>,
    /// The ports it could not bind.
    pub port_failures: BTreeMap<PortKey, PortFailure>,
}

/// Why a data plane could not bind a port, each with the reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortFailure {
    /// The port cannot be had: it is in use, or not permitted.
    PortUnavailable(String),
    /// The address cannot be had, whatever the port: it is none of the data plane's.
    AddressNotUsable(String),
}

/// The name of an object as the IR has it.
pub(crate) fn ir_key(key: &portcullis_api::ObjectKey) -> portcullis_ir::ObjectKey {
    let portcullis_api::ObjectKey { namespace, name } = key;
    portcullis_ir::ObjectKey {
        namespace: namespace.clone(),
        name: name.clone(),
    }
}
