//! What is to be done about one object: the wanted one beside the one there is.
//!
//! We write only to what is provably ours, see [`ownership`]; and only if the object is not what we
//! made of it, as far as we have to say, see [`Memory`].

use portcullis_translate::infra::{MANAGED_BY, MANAGED_BY_LABEL};
use serde_json::{Map, Value as Json, json};

use super::overlay;
use super::render::{Rendered, seal};
use super::resource::ResourceKind;

/// By which name the API server knows what is ours in an object.
pub const FIELD_MANAGER: &str = "portcullis";

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Made by us for the Gateway with this uid.
    Ours,
    /// Made by us for a Gateway that had the same name; the garbage collector takes it.
    OfEarlierGateway,
    /// Somebody else's, or ours no longer.
    Foreign,
}

/// Whether an object is ours: it has our label, and its controlling owner is this very Gateway.
pub fn ownership(live: &Json, gateway: &str, uid: &str) -> Ownership {
    match owner(live) {
        Some((_, owner_uid)) if owner_uid == uid => Ownership::Ours,
        Some((name, _)) if name == gateway => Ownership::OfEarlierGateway,
        _ => Ownership::Foreign,
    }
}

/// Name and uid of the Gateway that an object was made for, if we made it for one.
pub fn owner(live: &Json) -> Option<(&str, &str)> {
    let metadata = &live["metadata"];
    if metadata["labels"][MANAGED_BY_LABEL] != MANAGED_BY {
        return None;
    }
    let mut owners = metadata["ownerReferences"].as_array()?.iter();
    let owner = owners.find(|owner| owner["controller"] == true && owner["kind"] == "Gateway")?;
    Some((owner["name"].as_str()?, owner["uid"].as_str()?))
}

/// What became of our last write to an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// What was sent.
    object: Json,
    /// What the API server made of it: units in their normal form, and the like.
    stored: Json,
}

impl Memory {
    /// The API server answered `response` to `object`.
    pub fn of(mut object: Json, response: &Json) -> Self {
        if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
            metadata.remove("uid");
        }
        let stored = projected(response, &object);
        Self { object, stored }
    }
}

/// What is to be done about one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It is as it is to be.
    Nothing,
    /// It is not there.
    Create(Json),
    /// It is ours, and not as it is to be.
    Apply {
        /// What we have to say.
        object: Json,
        /// To be merged into the object before: gives up fields that are no longer ours, so that
        /// they keep their values.
        before: Option<Json>,
    },
    /// It is not ours; left alone.
    Leave(Ownership),
}

/// Decides. `gateway` and `uid` are of the Gateway that the object is for.
pub fn action(
    rendered: &Rendered,
    live: Option<&Json>,
    memory: Option<&Memory>,
    gateway: &str,
    uid: &str,
) -> Action {
    let mut object = rendered.object.clone();
    seal(&mut object);
    let Some(live) = live else {
        return Action::Create(object);
    };
    match ownership(live, gateway, uid) {
        Ownership::Ours => {}
        other => return Action::Leave(other),
    }
    yield_to_cluster(rendered.id.kind, &mut object, live);
    let there = projected(live, &object);
    let wanted = match memory {
        Some(memory) if memory.object == object => &memory.stored,
        _ => &object,
    };
    if there == *wanted {
        return Action::Nothing;
    }
    let before = relinquished(&object, live);
    // The server refuses to apply to another object than this one.
    object["metadata"]["uid"] = live["metadata"]["uid"].clone();
    Action::Apply { object, before }
}

/// Takes out of an object what, now that it is there, is no longer ours to say.
fn yield_to_cluster(kind: ResourceKind, object: &mut Json, live: &Json) {
    let is_scaled = is_scaled_by_others(live);
    let live = &live["spec"];
    let Some(spec) = object.get_mut("spec").and_then(Json::as_object_mut) else {
        return;
    };
    match kind {
        ResourceKind::Service => {
            // Nobody can change these of a Service that is there.
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
            if live["type"] == "LoadBalancer" && spec.get("type") == Some(&live["type"]) {
                match live.get("loadBalancerClass") {
                    Some(class) => spec.insert("loadBalancerClass".to_owned(), class.clone()),
                    None => spec.remove("loadBalancerClass"),
                };
            }
        }
        ResourceKind::Deployment if is_scaled => {
            spec.remove("replicas");
        }
        ResourceKind::Deployment
        | ResourceKind::ServiceAccount
        | ResourceKind::ConfigMap
        | ResourceKind::PodDisruptionBudget => {}
    }
}

/// Of a live object, what `shape` has something to say about; null where there is nothing. Items of
/// lists are found by their keys, where lists have keys, so that others may add theirs.
fn projected(live: &Json, shape: &Json) -> Json {
    match (live, shape) {
        (Json::Object(live), Json::Object(shape)) => {
            let field = |(key, shape): (&String, &Json)| {
                let live = live.get(key).unwrap_or(&Json::Null);
                let projected = match (live, shape) {
                    (Json::Array(live), Json::Array(shape)) => projected_list(key, live, shape),
                    (live, shape) => projected(live, shape),
                };
                (key.clone(), projected)
            };
            shape.iter().map(field).collect::<Map<_, _>>().into()
        }
        (live, _) => live.clone(),
    }
}

fn projected_list(field: &str, live: &[Json], shape: &[Json]) -> Json {
    let is_keyed = |item: &Json| overlay::key_of(field, item).is_some();
    if !shape.is_empty() && shape.iter().all(is_keyed) {
        let find = |shape: &Json| {
            let key = overlay::key_of(field, shape);
            let mut live = live.iter();
            let found = live.find(|live| overlay::key_of(field, live) == key);
            found.map_or(Json::Null, |live| projected(live, shape))
        };
        let found: Vec<Json> = shape.iter().map(find).collect();
        // A port that is not wanted any more is in nobody's shape.
        if field == "ports" && live.len() != shape.len() {
            return Json::Null;
        }
        return found.into();
    }
    if live.len() == shape.len() {
        let items = live.iter().zip(shape);
        return items.map(|(live, shape)| projected(live, shape)).collect();
    }
    live.to_vec().into()
}

/// What must be merged into an object before `object` is applied to it.
///
/// An object that we created is ours as "Update", what we apply is ours as "Apply"; if the first
/// were left, nothing that we no longer apply would ever go. And a field that we stop applying falls
/// back to its default, unless it is given up first: for `spec.replicas` that would be an outage.
fn relinquished(object: &Json, live: &Json) -> Option<Json> {
    let fields = live["metadata"]["managedFields"].as_array()?;
    let keeps_replicas = object["spec"].get("replicas").is_some();
    let has_applied = fields.iter().any(|entry| is_ours(entry, "Apply"));
    let mut changed = Vec::new();
    for entry in fields {
        let mut entry = entry.clone();
        if is_ours(&entry, "Update") {
            if has_applied {
                continue;
            }
            entry["operation"] = json!("Apply");
        }
        if is_ours(&entry, "Apply")
            && !keeps_replicas
            && let Some(spec) = entry
                .pointer_mut("/fieldsV1/f:spec")
                .and_then(Json::as_object_mut)
        {
            spec.remove("f:replicas");
        }
        changed.push(entry);
    }
    if changed == *fields {
        return None;
    }
    Some(json!({ "metadata": {
        "uid": live["metadata"]["uid"],
        "resourceVersion": live["metadata"]["resourceVersion"],
        "managedFields": changed,
    } }))
}

fn is_ours(entry: &Json, operation: &str) -> bool {
    let subresource = entry["subresource"].as_str().unwrap_or_default();
    entry["manager"] == FIELD_MANAGER && entry["operation"] == operation && subresource.is_empty()
}

/// Whether somebody has set the number of pods by way of scaling: an autoscaler, `kubectl scale`.
/// From then on it is theirs.
fn is_scaled_by_others(live: &Json) -> bool {
    let fields = live["metadata"]["managedFields"].as_array();
    fields.into_iter().flatten().any(|entry| {
        entry["subresource"] == "scale" && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    })
}

#[cfg(test)]
mod tests;
