//! What `translate` is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::gateway::GatewayAddress;
use portcullis_api::parameters::ServiceType;
use portcullis_api::{Kind, Objects};
use portcullis_ir::PortKey;

/// Everything that the answer depends on.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The users' objects.
    pub objects: &'a Objects,
    /// What is known of each Gateway's data planes; a Gateway that is absent has none.
    pub observed: &'a BTreeMap<portcullis_ir::ObjectKey, ObservedGateway>,
    /// The time, in seconds since the Unix epoch. Certificates are valid or not by it.
    pub now: i64,
}

/// What the caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// GatewayClasses of this controller are ours, such as `portcullis.dev/gateway-controller`.
    pub controller_name: String,
    /// Which Gateway API it works with.
    pub installed: Installed,
    /// Kinds beside the Gateway API's that the cluster does not have, of those that not every
    /// cluster has.
    pub absent: BTreeSet<Kind>,
}

/// The Gateway API that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Installed {
    /// The one that this crate is made for, as in a folder.
    #[default]
    Own,
    /// A cluster's: its CRDs by name, each with its `bundle-version` annotation, if it has one.
    Crds(Arc<BTreeMap<String, Option<String>>>),
}

impl Options {
    /// Those of a controller, with the Gateway API that this crate is made for.
    pub fn new(controller_name: impl Into<String>) -> Self {
        Self {
            controller_name: controller_name.into(),
            installed: Installed::Own,
            absent: BTreeSet::new(),
        }
    }
}

/// Facts about one Gateway's data planes, from which Programmed is computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedGateway {
    /// Where clients reach it.
    pub addresses: Vec<GatewayAddress>,
    /// Every data plane that should serve it.
    pub data_planes: Vec<ObservedDataPlane>,
    /// What there is around them; `None` where nothing is, in standalone mode.
    pub infra: Option<ObservedInfra>,
}

/// Facts about what a cluster has around a Gateway's data planes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedInfra {
    /// The type of its Service; `None`: there is no Service (yet).
    pub service_type: Option<ServiceType>,
    /// The ports of its Service.
    pub service_ports: BTreeSet<PortKey>,
    /// What keeps the infrastructure from being as it is wanted.
    pub trouble: Option<InfraTrouble>,
    /// Why there is no ready pod, in words, as far as the cluster says.
    pub hint: Option<String>,
}

/// Why infrastructure is not as it is wanted, each with the reason and what to do, in words. None of
/// them goes away by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InfraTrouble {
    /// Something of it cannot be had: a name is taken, a quota used up, a permission missing.
    NoResources(String),
    /// An address that was asked for cannot be had.
    AddressNotUsable(String),
}

/// Facts about one data plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedDataPlane {
    /// The newest `metadata.generation` of the Gateway that it has applied.
    pub applied_generation: Option<i64>,
    /// The ports it could not bind.
    pub port_failures: BTreeMap<PortKey, PortFailure>,
    /// That it refused the newest configuration, or a part of it, and why, in words that follow
    /// a semicolon.
    pub refusal: Option<String>,
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
pub fn ir_key(key: &portcullis_api::ObjectKey) -> portcullis_ir::ObjectKey {
    let portcullis_api::ObjectKey { namespace, name } = key;
    portcullis_ir::ObjectKey {
        namespace: namespace.clone(),
        name: name.clone(),
    }
}
