//! The rules of a schema (`x-kubernetes-validations`).

use serde_json::Value as Json;

use super::fault::{Fault, Violation};
use super::model::Schema;
use crate::field_path::FieldPath;

/// The rules that do not hold, all through a value.
pub(super) fn check(schema: &Schema, value: &Json, path: &FieldPath) -> Vec<Violation> {
    let mut found = Vec::new();
    check_into(schema, value, path, &mut found);
    found
}

fn check_into(schema: &Schema, value: &Json, path: &FieldPath, found: &mut Vec<Violation>) {
    for rule in schema.rules.iter().filter(|rule| !rule.is_transition()) {
        let outcome = rule.program().map_or_else(
            |error| Err(error.to_owned()),
            |program| program.holds(value),
        );
        let message = match outcome {
            Ok(true) => continue,
            Ok(false) => rule.message.clone(),
            Err(error) => format!("{} ({error})", rule.message),
        };
        let path = path.clone();
        let fault = Fault::Rule { message };
        found.push(Violation { path, fault });
    }
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                let property = schema.properties.get(name).map(AsRef::as_ref);
                if let Some(schema) = property.or(schema.additional_properties.as_deref()) {
                    check_into(schema, value, &path.key(name), found);
                }
            }
        }
        Json::Array(items) => {
            if let Some(schema) = &schema.items {
                for (i, item) in items.iter().enumerate() {
                    check_into(schema, item, &path.index(i), found);
                }
            }
        }
        _ => {}
    }
}
