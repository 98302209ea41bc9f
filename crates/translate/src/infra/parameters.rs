//! GatewayParameters: found, merged and checked.

use k8s_openapi::api::core::v1::{
    Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint,
};
use portcullis_api::gateway::Gateway;
use portcullis_api::parameters::{GatewayParametersSpec, Overlays};
use portcullis_api::route::Target;
use portcullis_api::shape::{self, Misfit};
use portcullis_api::status::ConditionReason;
use portcullis_api::{FieldPath, GatewayClass, GatewayParameters, Kind, ObjectKey};
use serde::Serialize;
use serde_json::Value as Json;

use super::{RESERVED_LABELS, overlay};
use crate::problem::{Problem, joined};
use crate::world::World;

/// What the parameters of a Gateway and of its class come to, checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Parameters {
    /// The Gateway's before the class's, field by field. Without overlays.
    pub values: GatewayParametersSpec,
    /// The patches, in the order in which they are laid on: the class's first.
    pub overlays: Vec<Overlays>,
}

/// The parameters of a class.
///
/// "If the referent cannot be found, refers to an unsupported kind, or when the data within that
/// resource is malformed, the GatewayClass SHOULD be rejected with the "Accepted" status condition
/// set to "False" and an "InvalidParameters" reason." (`GatewayClassSpec.ParametersRef`)
pub(crate) fn of_class<'a>(
    class: &GatewayClass,
    world: &World<'a>,
) -> Result<Option<&'a GatewayParametersSpec>, Problem> {
    let Some(reference) = &class.spec.parameters_ref else {
        return Ok(None);
    };
    let invalid = |message: String| invalid(&format!("spec.parametersRef: {message}"));
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let found = find(reference.target(), namespace, world).map_err(invalid)?;
    check(&found.spec).map_err(|faults| invalid(format!("{}: {faults}", found.key())))?;
    Ok(Some(&found.spec))
}

/// The parameters of a Gateway over those of its class.
///
/// "When both are specified, the merging behavior is implementation specific. It is generally
/// recommended that GatewayClass provides defaults that can be overridden by a Gateway."
/// (`GatewayInfrastructure.ParametersRef`)
pub(crate) fn of_gateway(
    gateway: &Gateway,
    of_class: Option<&GatewayParametersSpec>,
    world: &World<'_>,
) -> Result<Parameters, Problem> {
    let infrastructure = gateway.spec.infrastructure.as_ref();
    let Some(reference) = infrastructure.and_then(|i| i.parameters_ref.as_ref()) else {
        return Ok(stacked(of_class, None));
    };
    let invalid =
        |message: String| invalid(&format!("spec.infrastructure.parametersRef: {message}"));
    let namespace = gateway.key().namespace;
    let found = find(reference.target(), &namespace, world).map_err(invalid)?;
    check(&found.spec).map_err(|faults| invalid(format!("{}: {faults}", found.key())))?;
    Ok(stacked(of_class, Some(&found.spec)))
}

fn invalid(message: &str) -> Problem {
    Problem::new(ConditionReason::InvalidParameters, message)
}

fn find<'a>(
    target: Target<'_>,
    namespace: &str,
    world: &World<'a>,
) -> Result<&'a GatewayParameters, String> {
    let Target {
        group,
        kind,
        namespace: _,
        name,
    } = target;
    if Kind::find(group, kind) != Some(Kind::GatewayParameters) {
        return Err(format!(
            "{kind} of group {group:?} is not supported; use {} of group {:?}",
            Kind::GatewayParameters,
            Kind::GatewayParameters.group()
        ));
    }
    if namespace.is_empty() {
        return Err(format!("{kind} {name} needs a namespace; set namespace"));
    }
    let key = ObjectKey::new(namespace, name);
    let found = world.gateway_parameters(&key);
    found.map(|found| &**found).ok_or_else(|| {
        format!("there is no {kind} {key}; create it, or take the reference to it away")
    })
}

/// What is wrong with parameters beyond what their schema says.
fn check(spec: &GatewayParametersSpec) -> Result<(), String> {
    let GatewayParametersSpec {
        replicas: _,
        image: _,
        image_pull_policy: _,
        image_pull_secrets: _,
        resources,
        node_selector: _,
        tolerations,
        affinity,
        topology_spread_constraints,
        priority_class_name: _,
        pod_labels,
        pod_annotations: _,
        log_level: _,
        workers: _,
        drain: _,
        service: _,
        overlays,
    } = spec;
    let mut faults = Vec::new();
    let mut note = |field: &str, misfits: &dyn Fn(&Json) -> Vec<Misfit>, value: &Option<Json>| {
        let misfits = value.as_ref().map(misfits).unwrap_or_default();
        faults.extend(misfits.into_iter().map(|misfit| in_field(field, &misfit)));
    };
    note(
        "resources",
        &shape::misfits::<ResourceRequirements>,
        resources,
    );
    note("resources", &misquantified, resources);
    note("affinity", &shape::misfits::<Affinity>, affinity);
    note(
        "tolerations",
        &shape::misfits::<Vec<Toleration>>,
        tolerations,
    );
    note(
        "topologySpreadConstraints",
        &shape::misfits::<Vec<TopologySpreadConstraint>>,
        topology_spread_constraints,
    );
    let labels = pod_labels.iter().flatten().map(|(key, _)| key.as_str());
    for key in labels.filter(|key| RESERVED_LABELS.contains(key)) {
        faults.push(format!(
            "spec.podLabels: {key} has its value from the Gateway"
        ));
    }
    if let Some(overlays) = overlays {
        faults.extend(overlay::faults(overlays));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(joined(faults.iter().map(String::as_str)))
}

/// Quantities that are none: the type takes any text.
fn misquantified(resources: &Json) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    for part in ["limits", "requests"] {
        let quantities = resources.get(part).and_then(Json::as_object);
        for (name, quantity) in quantities.into_iter().flatten() {
            if quantity.as_str().is_some_and(|text| !is_quantity(text)) {
                misfits.push(Misfit {
                    path: FieldPath::root().key(part).key(name),
                    message: format!("{quantity} is no quantity; write it like 100m or 64Mi"),
                });
            }
        }
    }
    misfits
}

/// "quantities must match the regular expression
/// `^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$`" (Kubernetes)
fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let suffix = rest.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let exponent = suffix.strip_prefix(['+', '-']).unwrap_or(suffix);
    rest.len() < text.len() && exponent.chars().all(|c| c.is_ascii_digit())
}

/// `spec.FIELD`, the path below it, and what is wrong there.
pub(super) fn in_field(field: &str, misfit: &Misfit) -> String {
    let Misfit { path, message } = misfit;
    match path.to_string() {
        path if path.is_empty() => format!("spec.{field}: {message}"),
        path if path.starts_with('[') => format!("spec.{field}{path}: {message}"),
        path => format!("spec.{field}.{path}: {message}"),
    }
}

/// The second over the first: maps are merged key by key, down to the leaves; anything else of the
/// second takes the place of the first's.
fn stacked(
    below: Option<&GatewayParametersSpec>,
    above: Option<&GatewayParametersSpec>,
) -> Parameters {
    let layers = || below.into_iter().chain(above);
    let overlays = layers().filter_map(|layer| layer.overlays.clone());
    let overlays = overlays.collect();
    let mut all = Json::Object(serde_json::Map::new());
    for layer in layers() {
        merge(&mut all, serde_json::to_value(layer).unwrap_or_default());
    }
    // Both layers were read as this type, so their merge can be.
    let mut values: GatewayParametersSpec = serde_json::from_value(all).unwrap_or_default();
    values.overlays = None;
    Parameters { values, overlays }
}

fn merge(below: &mut Json, above: Json) {
    match (below, above) {
        (Json::Object(below), Json::Object(above)) => {
            for (key, value) in above {
                merge(below.entry(key).or_insert(Json::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}
