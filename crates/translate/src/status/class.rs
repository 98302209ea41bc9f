//! GatewayClass.

use std::collections::BTreeSet;

use portcullis_api::gateway::{GatewayClassStatus, SupportedFeature};
use portcullis_api::status::{Condition, ConditionReason, ConditionType};
use portcullis_api::{GATEWAY_API_VERSION, Kind};

use super::{fails, holds};
use crate::class::Class;
use crate::features;
use crate::inputs::{Installed, Options};
use crate::problem::Problem;

/// The status of a class of ours.
pub(crate) fn status(class: &Class<'_>, options: &Options) -> GatewayClassStatus {
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
    // "the `ClusterTrustBundle` conformance feature MUST be advertised only when the API is present,
    // so that the reported feature set reflects the cluster, not just the binary." (GEP-5075)
    let is_there = |kind: Option<Kind>| kind.is_none_or(|kind| !options.absent.contains(&kind));
    let features = features::SUPPORTED
        .iter()
        .filter(|feature| is_there(feature.needs))
        .map(|feature| SupportedFeature {
            name: feature.name.to_owned(),
        });
    GatewayClassStatus {
        conditions: vec![accepted, version(&options.installed, generation)],
        supported_features: features.collect(),
    }
}

/// The minors of the Gateway API whose CRDs are read without loss.
const SUPPORTED_MINORS: [&str; 4] = ["v1.4", "v1.5", "v1.6", "v1.7"];

/// "If implementations detect any Gateway API CRDs that either do not have this annotation set, or
/// have it set to a version that is not recognized or supported by the implementation, this
/// condition MUST be set to false. … Implementations MAY choose to either provide "best effort"
/// support" (`GatewayClassConditionStatusSupportedVersion`), which is what we do.
///
/// "A message SHOULD be included in this condition that includes the detected CRD version(s) present
/// in the cluster and the CRD version(s) that are supported by the GatewayClass."
/// (`GatewayClassReasonUnsupportedVersion`)
fn version(installed: &Installed, generation: i64) -> Condition {
    let crds = match installed {
        Installed::Own => {
            let message = format!("Gateway API {GATEWAY_API_VERSION} is supported");
            return supported(message, generation);
        }
        Installed::Crds(crds) => crds,
    };
    let (known, unknown): (Vec<_>, Vec<_>) = crds
        .iter()
        .partition(|(_, version)| version.as_deref().is_some_and(is_supported));
    let known: BTreeSet<&str> = known
        .into_iter()
        .filter_map(|(_, v)| v.as_deref())
        .collect();
    let known = Vec::from_iter(known).join(", ");
    let first = SUPPORTED_MINORS.first().copied().unwrap_or_default();
    let last = SUPPORTED_MINORS.last().copied().unwrap_or_default();
    let range = format!("{first} to {last} are supported");
    if unknown.is_empty() {
        return supported(
            format!("Gateway API {known} is installed; {range}"),
            generation,
        );
    }
    let named = |(crd, version): (&String, &Option<String>)| match version {
        Some(version) => format!("{crd} ({version})"),
        None => format!("{crd} (no bundle-version annotation)"),
    };
    let unknown: Vec<_> = unknown.into_iter().map(named).collect();
    let mut message = format!(
        "{range}; these CRDs are of another version and served as well as may be: {}",
        unknown.join(", ")
    );
    if !known.is_empty() {
        message.push_str("; others are ");
        message.push_str(&known);
    }
    let problem = Problem::new(ConditionReason::UnsupportedVersion, message);
    fails(ConditionType::SupportedVersion, &problem, generation)
}

fn supported(message: String, generation: i64) -> Condition {
    let reason = ConditionReason::SupportedVersion;
    holds(ConditionType::SupportedVersion, reason, message, generation)
}

/// Whether a `bundle-version` is of a supported minor: `v1.7.0`, `v1.7.0-rc.1`.
fn is_supported(version: &str) -> bool {
    SUPPORTED_MINORS.iter().any(|minor| {
        let patch = version.strip_prefix(minor);
        patch.is_some_and(|patch| patch.starts_with('.'))
    })
}
