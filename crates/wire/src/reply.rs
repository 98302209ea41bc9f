//! What a data plane says.

use std::collections::BTreeMap;

use portcullis_ir::{ObjectKey, PortKey, Version};

use crate::resource::ResourceId;

/// A message of a data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// First on every stream.
    Hello(Hello),
    /// It serves an update.
    Ack(Ack),
    /// It does not serve an update.
    Nack(Nack),
}

/// Who a data plane is and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The Gateway it serves.
    pub gateway: ObjectKey,
    /// What it still serves from an earlier stream.
    pub holds: Option<Version>,
    /// Its build, for logs.
    pub build: String,
}

/// A data plane serves an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The update's version.
    pub version: Version,
    /// Its generation.
    pub generation: i64,
    /// Ports that could not be bound, and why in words; all others are.
    pub port_failures: BTreeMap<PortKey, String>,
    /// Resources that were refused; what was held under their ids is still served.
    pub refused: Vec<RefusedResource>,
}

/// A resource that a data plane could not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedResource {
    /// Its name; `None` if that could not be read either.
    pub id: Option<ResourceId>,
    /// The field, as `rules[2].filters[0]`.
    pub field: String,
    /// Why, in words.
    pub reason: String,
}

/// A data plane does not serve an update; it serves on what it held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack {
    /// The update's version.
    pub version: Version,
    /// Why, in words.
    pub reason: String,
}
