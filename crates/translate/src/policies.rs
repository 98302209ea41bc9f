//! BackendTLSPolicies: what each is about, which is in force where, and what becomes of it.
//!
//! Any number of targetRefs is honoured, each on its own. Targets other than Services are passed
//! over. A policy is in force for requests and for streams that the gateway has the plain text of;
//! TLS that is passed on is the client's, and datagrams have none.

mod target;
mod users;
mod validation;
mod verdict;

use portcullis_api::core::ServicePort;
use portcullis_api::{BackendTlsPolicy, ObjectKey};

pub(crate) use self::target::{Section, services};
pub(crate) use self::users::Users;
pub(crate) use self::validation::{Bundles, Reading, read};
pub(crate) use self::verdict::status;
use crate::world::World;

/// The policy in force at a port of a Service, if any: one that names the port, or else one about
/// the whole Service.
///
/// "this config applies to the entire referenced resource by default, but this default may change
/// in the future to provide a more granular application of the policy."
/// (`BackendTLSPolicySpec.TargetRefs`)
pub(crate) fn in_force<'a>(
    world: &World<'a>,
    service: &ObjectKey,
    port: Option<&ServicePort>,
) -> Option<(&'a ObjectKey, &'a BackendTlsPolicy)> {
    let name = port.and_then(|port| port.name.as_deref());
    let named = name.filter(|name| !name.is_empty()).map(Section::Port);
    let mut sections = named.into_iter().chain([Section::Whole]);
    let policies = world.policies(service);
    sections.find_map(|section| target::first(&policies, service, section))
}
