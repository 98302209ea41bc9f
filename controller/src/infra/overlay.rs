//! Strategic merge: patches that know which items of a list are the same thing.
//!
//! Merged by key are the lists below. Every other list is replaced as a whole, as in the API server,
//! where Kubernetes does not say otherwise. `null` takes a field away. `$patch: delete` takes away
//! the item or the map it stands in, `$patch: replace` puts the map it stands in, or the list one of
//! whose items it is, in the place of what was there.

use serde_json::{Map, Value as Json, json};

/// The keys by which items of the list in a field are told apart; the first set whose first key the
/// items have. `protocol` is `TCP` where it is absent.
const MERGE_KEYS: &[(&str, &[&[&str]])] = &[
    ("containers", &[&["name"]]),
    ("initContainers", &[&["name"]]),
    ("volumes", &[&["name"]]),
    ("volumeMounts", &[&["mountPath"]]),
    ("volumeDevices", &[&["devicePath"]]),
    ("env", &[&["name"]]),
    (
        "ports",
        &[&["containerPort", "protocol"], &["port", "protocol"]],
    ),
    ("imagePullSecrets", &[&["name"]]),
    ("secrets", &[&["name"]]),
    ("hostAliases", &[&["ip"]]),
    (
        "topologySpreadConstraints",
        &[&["topologyKey", "whenUnsatisfiable"]],
    ),
    ("ownerReferences", &[&["uid"]]),
];
/// What a map can say about itself in a patch.
const DIRECTIVE: &str = "$patch";

/// Lays a patch over a value.
pub fn merge(base: &mut Json, patch: &Json) {
    match (base, patch) {
        (Json::Object(base), Json::Object(patch)) => merge_maps(base, patch),
        (base, patch) => *base = without_directives(patch),
    }
}

fn merge_maps(base: &mut Map<String, Json>, patch: &Map<String, Json>) {
    if directive(patch) == Some("replace") {
        base.clear();
    }
    for (key, value) in patch {
        if key == DIRECTIVE {
            continue;
        }
        let is_deleted = value
            .as_object()
            .is_some_and(|map| directive(map) == Some("delete"));
        if value.is_null() || is_deleted {
            base.remove(key);
            continue;
        }
        match (base.get_mut(key), value) {
            (Some(Json::Array(items)), Json::Array(patches)) => merge_lists(key, items, patches),
            (Some(there), value) => merge(there, value),
            (None, Json::Array(patches)) => {
                let mut items = Vec::new();
                merge_lists(key, &mut items, patches);
                base.insert(key.clone(), items.into());
            }
            (None, value) => {
                base.insert(key.clone(), without_directives(value));
            }
        }
    }
}

fn merge_lists(field: &str, items: &mut Vec<Json>, patches: &[Json]) {
    let said = |patch: &Json| patch.as_object().and_then(directive).map(ToOwned::to_owned);
    if patches
        .iter()
        .any(|patch| said(patch).as_deref() == Some("replace"))
    {
        items.clear();
    }
    let Some(_) = patches
        .first()
        .or(items.first())
        .and_then(|item| key_of(field, item))
    else {
        // A list without keys: what is given is all of it.
        let given = patches.iter().filter(|patch| said(patch).is_none());
        *items = given.map(without_directives).collect();
        return;
    };
    for patch in patches {
        let key = key_of(field, patch);
        let place = items
            .iter()
            .position(|item| key.is_some() && key_of(field, item) == key);
        match (place, said(patch).as_deref()) {
            (Some(place), Some("delete")) => {
                items.remove(place);
            }
            (None, Some("delete")) => {}
            // It says no more than that the list is replaced.
            (None, Some("replace")) if key.is_none() => {}
            (Some(place), _) => {
                if let Some(item) = items.get_mut(place) {
                    merge(item, patch);
                }
            }
            (None, _) => items.push(without_directives(patch)),
        }
    }
}

/// What tells an item of the list in a field from the others.
pub fn key_of(field: &str, item: &Json) -> Option<Vec<Json>> {
    let (_, sets) = MERGE_KEYS.iter().find(|(name, _)| *name == field)?;
    let is_there = |set: &&&[&str]| set.first().is_some_and(|key| item.get(key).is_some());
    let set = sets.iter().find(is_there)?;
    let value = |key: &&str| match (item.get(key), *key) {
        (Some(value), _) => value.clone(),
        (None, "protocol") => json!("TCP"),
        (None, _) => Json::Null,
    };
    Some(set.iter().map(value).collect())
}

fn directive(map: &Map<String, Json>) -> Option<&str> {
    map.get(DIRECTIVE)?.as_str()
}

/// A part of a patch that there is nothing to merge with.
fn without_directives(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let mut plain = Map::new();
            merge_maps(&mut plain, fields);
            plain.into()
        }
        Json::Array(items) => items.iter().map(without_directives).collect(),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::merge;

    struct Case {
        name: &'static str,
        base: Json,
        patch: Json,
        merged: Json,
    }

    #[test]
    fn patches_are_laid_over_as_the_api_server_does() {
        let containers = || json!({ "containers": [{ "name": "a", "image": "1", "env": [{ "name": "X", "value": "1" }] }] });
        let cases = [
            Case {
                name: "a container is found by its name, and a variable too",
                base: containers(),
                patch: json!({ "containers": [{ "name": "a", "env": [{ "name": "Y", "value": "2" }] }] }),
                merged: json!({ "containers": [{ "name": "a", "image": "1",
                    "env": [{ "name": "X", "value": "1" }, { "name": "Y", "value": "2" }] }] }),
            },
            Case {
                name: "a new container is added",
                base: containers(),
                patch: json!({ "containers": [{ "name": "b", "image": "2" }] }),
                merged: json!({ "containers": [
                    { "name": "a", "image": "1", "env": [{ "name": "X", "value": "1" }] },
                    { "name": "b", "image": "2" }] }),
            },
            Case {
                name: "an item is deleted",
                base: containers(),
                patch: json!({ "containers": [{ "name": "a", "env": [{ "name": "X", "$patch": "delete" }] }] }),
                merged: json!({ "containers": [{ "name": "a", "image": "1", "env": [] }] }),
            },
            Case {
                name: "a list is replaced",
                base: containers(),
                patch: json!({ "containers": [{ "$patch": "replace" }, { "name": "c" }] }),
                merged: json!({ "containers": [{ "name": "c" }] }),
            },
            Case {
                name: "ports of one number and two protocols are two",
                base: json!({ "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }] }),
                patch: json!({ "ports": [{ "port": 53, "nodePort": 30053 }] }),
                merged: json!({ "ports": [{ "port": 53, "protocol": "UDP" },
                    { "port": 53, "protocol": "TCP", "nodePort": 30053 }] }),
            },
            Case {
                name: "a list without keys is replaced",
                base: json!({ "args": ["a", "b"] }),
                patch: json!({ "args": ["c"] }),
                merged: json!({ "args": ["c"] }),
            },
            Case {
                name: "null takes away, and what is new has no directives left in it",
                base: json!({ "a": 1, "b": { "c": 2 } }),
                patch: json!({ "a": null, "d": { "$patch": "merge", "e": { "f": null } } }),
                merged: json!({ "b": { "c": 2 }, "d": { "e": {} } }),
            },
            Case {
                name: "maps are replaced and deleted",
                base: json!({ "a": { "b": 1 }, "c": { "d": 2 } }),
                patch: json!({ "a": { "$patch": "replace", "x": 1 }, "c": { "$patch": "delete" } }),
                merged: json!({ "a": { "x": 1 } }),
            },
        ];
        for Case {
            name,
            mut base,
            patch,
            merged,
        } in cases
        {
            merge(&mut base, &patch);
            assert_eq!(base, merged, "{name}");
        }
    }
}
