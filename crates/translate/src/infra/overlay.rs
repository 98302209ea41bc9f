//! Which overlays are taken.
//!
//! They may change anything but what makes an object the one it is: its name, its owner, and which
//! pods belong to which Gateway.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use portcullis_api::FieldPath;
use portcullis_api::parameters::Overlays;
use portcullis_api::shape::{Misfit, misfits};
use serde_json::Value as Json;

use super::RESERVED_LABELS;
use super::parameters::in_field;

/// The word of a strategic merge patch that is no field.
const DIRECTIVE: &str = "$patch";
/// What it can say.
const DIRECTIVES: [&str; 3] = ["delete", "merge", "replace"];
/// What an overlay may say of an object's metadata.
const METADATA: [&str; 2] = ["annotations", "labels"];

/// Fields that an overlay must leave alone, by the kind it is for. Of the pods, the account is how
/// the controller knows whose pod it is.
const FIXED: [(&str, &[&[&str]]); 4] = [
    (
        "deployment",
        &[
            &["status"],
            &["spec", "selector"],
            &["spec", "template", "spec", "serviceAccount"],
            &["spec", "template", "spec", "serviceAccountName"],
        ],
    ),
    (
        "service",
        &[
            &["status"],
            &["spec", "selector"],
            &["spec", "clusterIP"],
            &["spec", "clusterIPs"],
        ],
    ),
    ("serviceAccount", &[]),
    ("podDisruptionBudget", &[&["status"], &["spec", "selector"]]),
];

/// What is wrong with overlays.
pub(super) fn faults(overlays: &Overlays) -> Vec<String> {
    let Overlays {
        deployment,
        service,
        service_account,
        pod_disruption_budget,
    } = overlays;
    let mut faults = Vec::new();
    let mut check = |field: &str, overlay: &Option<Json>, shape: fn(&Json) -> Vec<Misfit>| {
        let Some(overlay) = overlay else { return };
        let mut plain = overlay.clone();
        let mut found = take_directives(&mut plain, &FieldPath::root());
        found.extend(fixed_fields(field, &plain));
        found.extend(shape(&plain));
        let place = format!("overlays.{field}");
        faults.extend(found.iter().map(|misfit| in_field(&place, misfit)));
    };
    check("deployment", deployment, misfits::<Deployment>);
    check("service", service, misfits::<Service>);
    check("serviceAccount", service_account, misfits::<ServiceAccount>);
    check(
        "podDisruptionBudget",
        pod_disruption_budget,
        misfits::<PodDisruptionBudget>,
    );
    faults
}

/// Takes out what steers the merge, so that an object is left, and returns what of it is unknown.
fn take_directives(value: &mut Json, path: &FieldPath) -> Vec<Misfit> {
    let mut unknown = Vec::new();
    match value {
        Json::Object(fields) => {
            fields.retain(|key, value| {
                if !key.starts_with('$') {
                    unknown.extend(take_directives(value, &path.key(key)));
                    return true;
                }
                let known = value
                    .as_str()
                    .is_some_and(|word| DIRECTIVES.contains(&word));
                if key != DIRECTIVE || !known {
                    unknown.push(misfit(
                        &path.key(key),
                        "only $patch with delete, merge or replace is understood",
                    ));
                }
                false
            });
        }
        Json::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                unknown.extend(take_directives(item, &path.index(i)));
            }
        }
        _ => {}
    }
    unknown
}

fn fixed_fields(field: &str, overlay: &Json) -> Vec<Misfit> {
    let fixed = FIXED.iter().find(|(name, _)| *name == field);
    let mut paths: Vec<Vec<&str>> = fixed
        .into_iter()
        .flat_map(|(_, paths)| paths.iter().map(|path| path.to_vec()))
        .collect();
    for place in [&["metadata"][..], &["spec", "template", "metadata"]] {
        let metadata = place.iter().try_fold(overlay, |value, key| value.get(key));
        let keys = metadata.and_then(Json::as_object).into_iter().flatten();
        for (key, _) in keys.filter(|(key, _)| !METADATA.contains(&key.as_str())) {
            paths.push([place, &[key]].concat());
        }
        for label in RESERVED_LABELS {
            paths.push([place, &["labels", label]].concat());
        }
    }
    let is_there = |path: &Vec<&str>| {
        let found = path.iter().try_fold(overlay, |value, key| value.get(key));
        found.is_some()
    };
    let found = paths.into_iter().filter(is_there);
    found
        .map(|path| {
            let path = path.iter().fold(FieldPath::root(), |p, key| p.key(key));
            misfit(&path, "cannot be changed by an overlay")
        })
        .collect()
}

fn misfit(path: &FieldPath, message: &str) -> Misfit {
    Misfit {
        path: path.clone(),
        message: message.to_owned(),
    }
}
