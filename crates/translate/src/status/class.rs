//! GatewayClass.

use portcullis_api::gateway::{GatewayClassStatus, SupportedFeature};
use portcullis_api::status::{ConditionReason, ConditionType};

use super::{fails, holds};
use crate::class::Class;
use crate::features;

/// The status of a class of ours.
pub(crate) fn status(class: &Class<'_>) -> GatewayClassStatus {
    let generation = class.object.generation();
    let accepted = match &class.refused {
        Some(problem) => fails(ConditionType::Accepted, problem, generation),
        None => holds(
            ConditionType::Accepted,
            ConditionReason::Accepted,
            "Portcullis serves Gateways of this class",
            generation,
        ),
    };
    // Who reads CRDs from a cluster knows their version; a folder has the one we are built for.
    let version = holds(
        ConditionType::SupportedVersion,
        ConditionReason::SupportedVersion,
        "Gateway API v1.7.0 is supported",
        generation,
    );
    let features = features::SUPPORTED.iter().map(|feature| SupportedFeature {
        name: feature.name.to_owned(),
    });
    GatewayClassStatus {
        conditions: vec![accepted, version],
        supported_features: features.collect(),
    }
}
