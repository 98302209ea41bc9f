//! The embedded schemas are those of the pinned Gateway API, and of our own definition.

mod upstream;

use std::path::Path;

use serde_json::{Map, Value as Json, json};

/// What a schema says for readers, not for checks.
const PROSE: [&str; 2] = ["description", "title"];

#[test]
fn embedded_schemas_are_those_of_the_experimental_channel() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let definitions = upstream::definitions("experimental");
    assert_eq!(definitions.len(), 10);
    for definition in &definitions {
        let plural = definition["spec"]["names"]["plural"]
            .as_str()
            .expect("is a text");
        let text = format!("{:#}\n", embedded(definition));
        upstream::assert_committed(&dir.join(format!("{plural}.json")), &text);
    }
}

#[test]
fn the_schema_of_our_own_kind_is_that_of_its_definition() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = format!("{:#}\n", embedded(&upstream::own_definition()));
    upstream::assert_committed(&dir.join("schemas/gatewayparameters.json"), &text);
}

/// The schemas of a kind; versions of equal schemas share one.
fn embedded(definition: &Json) -> Json {
    let mut schemas: Vec<(Vec<Json>, Json)> = Vec::new();
    for version in definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        if version["served"] != true {
            continue;
        }
        let schema = without_prose(&version["schema"]["openAPIV3Schema"]);
        let name = version["name"].clone();
        match schemas.iter_mut().find(|(_, known)| *known == schema) {
            Some((names, _)) => names.push(name),
            None => schemas.push((vec![name], schema)),
        }
    }
    schemas
        .into_iter()
        .map(|(versions, schema)| json!({ "versions": versions, "schema": schema }))
        .collect()
}

fn without_prose(schema: &Json) -> Json {
    match schema {
        Json::Object(fields) => fields
            .iter()
            .filter(|(key, value)| !(PROSE.contains(&key.as_str()) && value.is_string()))
            .map(|(key, value)| (key.clone(), without_prose(value)))
            .collect::<Map<_, _>>()
            .into(),
        Json::Array(items) => items.iter().map(without_prose).collect(),
        scalar => scalar.clone(),
    }
}
