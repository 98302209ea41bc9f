//! What a refusal of the API server means for a Gateway.

use kube::core::Status;
use portcullis_translate::InfraTrouble;

use super::resource::{ResourceId, ResourceKind};

/// What the API server says of an applied object that is none of its kind.
const UNCONVERTIBLE: &str = "failed to convert new object";

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
        // A value that its type does not have, such as a quantity, is an internal error to
        // server-side apply.
        500 if !message.contains(UNCONVERTIBLE) => None,
        400 | 422 | 500 => Some(InfraTrouble::NoResources(format!(
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
