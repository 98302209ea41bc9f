//! What a refusal of the API server means for a Gateway.

use kube::core::Status;
use portcullis_translate::InfraTrouble;

use super::resource::{ResourceId, ResourceKind};

/// Reads a refusal; `None` if it will pass by itself, as conflicts and overload do.
pub(super) fn of_refusal(id: &ResourceId, verb: &str, status: &Status) -> Option<InfraTrouble> {
    let message = &status.message;
    match status.code {
        403 => Some(InfraTrouble::NoResources(format!(
            "{id} cannot be written ({verb}): {message}"
        ))),
        422 if id.kind == ResourceKind::Service && is_about_addresses(message) => Some(
            InfraTrouble::AddressNotUsable(format!("{id} is refused: {message}")),
        ),
        400 | 422 => Some(InfraTrouble::NoResources(format!(
            "{id} is refused, look at the GatewayParameters: {message}"
        ))),
        _ => None,
    }
}

/// The fields that carry `spec.addresses` of a Gateway.
fn is_about_addresses(message: &str) -> bool {
    let fields = ["spec.clusterIP", "spec.loadBalancerIP"];
    fields.iter().any(|field| message.contains(field))
}

/// Somebody has an object of the name that we need.
pub(super) fn of_taken_name(id: &ResourceId) -> InfraTrouble {
    InfraTrouble::NoResources(format!(
        "{id} exists and was not made for this Gateway, so it is left alone; delete or rename it, or \
         give the Gateway another name"
    ))
}
