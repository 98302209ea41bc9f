//! What the API server does to an object before it checks it.

use serde_json::Value as Json;

use super::model::Schema;

/// Drops fields that are null and fills in defaults, all through the object.
///
/// The default of `status` itself stays out: it is what a controller finds, not what a user says.
pub(super) fn fill(schema: &Schema, object: &mut Json) {
    let Json::Object(fields) = object else { return };
    for part in ["spec", "status"] {
        if let (Some(schema), Some(value)) = (schema.properties.get(part), fields.get_mut(part)) {
            fill_value(schema, value);
        }
    }
}

fn fill_value(schema: &Schema, value: &mut Json) {
    match value {
        Json::Object(fields) => {
            // "null values for fields that … don't have the nullable flag … will be pruned before
            // defaulting happens" (Kubernetes, CustomResourceDefinition defaulting).
            fields.retain(|name, value| !value.is_null() || !schema.properties.contains_key(name));
            for (name, property) in &schema.properties {
                if let Some(default) = &property.default {
                    let absent = !fields.contains_key(name);
                    absent.then(|| fields.insert(name.clone(), default.clone()));
                }
                if let Some(value) = fields.get_mut(name) {
                    fill_value(property, value);
                }
            }
        }
        Json::Array(items) => {
            if let Some(schema) = &schema.items {
                for item in items {
                    fill_value(schema, item);
                }
            }
        }
        _ => {}
    }
}
