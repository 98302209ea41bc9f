//! Types, bounds, required and unknown fields.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value as Json};

use super::fault::{Fault, Measure, Violation};
use super::model::{ListType, Schema, Type};
use crate::field_path::FieldPath;
use crate::suggest::closest;

/// What is wrong with the structure of a value.
pub(super) fn check(schema: &Schema, value: &Json, path: &FieldPath) -> Vec<Violation> {
    let mut found = Vec::new();
    check_into(schema, value, path, &mut found);
    found
}

fn check_into(schema: &Schema, value: &Json, path: &FieldPath, found: &mut Vec<Violation>) {
    if let Some(expected) = schema.r#type
        && !expected.fits(value)
    {
        let fault = Fault::wrong_type(expected.with_article(), value);
        found.push(at(path, fault));
        return;
    }
    match value {
        Json::Object(fields) => check_fields(schema, fields, path, found),
        Json::Array(items) => check_items(schema, items, path, found),
        Json::String(text) => check_text(schema, text, path, found),
        Json::Number(number) => {
            let (min, max) = (schema.minimum, schema.maximum);
            if let Some(number) = number.as_i64() {
                check_bounds(Measure::Value, number, (min, max), path, found);
            }
        }
        Json::Null | Json::Bool(_) => {}
    }
    check_enum(schema, value, path, found);
    check_alternatives(schema, value, path, found);
}

impl Type {
    fn fits(self, value: &Json) -> bool {
        match self {
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Boolean => value.is_boolean(),
        }
    }

    const fn with_article(self) -> &'static str {
        match self {
            Self::Object => "a map",
            Self::Array => "a list",
            Self::String => "a text",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
        }
    }
}

fn at(path: &FieldPath, fault: Fault) -> Violation {
    Violation {
        path: path.clone(),
        fault,
    }
}

fn check_fields(
    schema: &Schema,
    fields: &Map<String, Json>,
    path: &FieldPath,
    found: &mut Vec<Violation>,
) {
    for name in &schema.required {
        if !fields.contains_key(name) {
            found.push(at(&path.key(name), Fault::Missing));
        }
    }
    for (name, value) in fields {
        if path.is_root() && name == "metadata" {
            continue;
        }
        let property = schema.properties.get(name).map(AsRef::as_ref);
        match property.or(schema.additional_properties.as_deref()) {
            Some(schema) => check_into(schema, value, &path.key(name), found),
            None if schema.r#type.is_none() || schema.preserves_unknown => {}
            None => {
                let names = schema.properties.keys().map(String::as_str);
                let suggestion = closest(name, names).map(ToOwned::to_owned);
                found.push(at(&path.key(name), Fault::UnknownField { suggestion }));
            }
        }
    }
    let bounds = (schema.min_properties, schema.max_properties);
    check_bounds(Measure::Keys, count(fields.len()), bounds, path, found);
}

fn check_items(schema: &Schema, items: &[Json], path: &FieldPath, found: &mut Vec<Violation>) {
    let bounds = (schema.min_items, schema.max_items);
    check_bounds(Measure::Items, count(items.len()), bounds, path, found);
    let mut keys = HashSet::new();
    for (i, item) in items.iter().enumerate() {
        let path = path.index(i);
        if let Some(schema) = &schema.items {
            check_into(schema, item, &path, found);
        }
        if let Some(key) = item_key(schema, item)
            && !keys.insert(key.clone())
        {
            found.push(at(&path, Fault::Duplicate { key }));
        }
    }
}

/// What an item must not share with another one of its list.
fn item_key(schema: &Schema, item: &Json) -> Option<String> {
    match schema.list_type? {
        ListType::Atomic => None,
        ListType::Set => Some(item.to_string()),
        ListType::Map => {
            let names = schema.list_map_keys.iter();
            let values = names.map(|name| Some(format!("{name} {}", item.get(name)?)));
            Some(values.collect::<Option<Vec<_>>>()?.join(", "))
        }
    }
}

fn check_text(schema: &Schema, text: &str, path: &FieldPath, found: &mut Vec<Violation>) {
    let bounds = (schema.min_length, schema.max_length);
    let length = count(text.chars().count());
    check_bounds(Measure::Characters, length, bounds, path, found);
    if let Some(pattern) = &schema.pattern
        && !pattern.regex().is_some_and(|regex| regex.is_match(text))
    {
        let fault = Fault::Pattern {
            found: text.to_owned(),
            pattern: pattern.text().to_owned(),
        };
        found.push(at(path, fault));
    }
    if let Some(format) = &schema.format
        && !is_of_format(text, format)
    {
        let fault = Fault::Format {
            found: text.to_owned(),
            format: format.clone(),
        };
        found.push(at(path, fault));
    }
}

fn is_of_format(text: &str, format: &str) -> bool {
    match format {
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        _ => true,
    }
}

fn check_bounds(
    measure: Measure,
    found: i64,
    (least, most): (Option<i64>, Option<i64>),
    path: &FieldPath,
    violations: &mut Vec<Violation>,
) {
    if let Some(least) = least.filter(|least| found < *least) {
        let fault = Fault::TooSmall {
            measure,
            found,
            least,
        };
        violations.push(at(path, fault));
    }
    if let Some(most) = most.filter(|most| found > *most) {
        let fault = Fault::TooLarge {
            measure,
            found,
            most,
        };
        violations.push(at(path, fault));
    }
}

fn check_enum(schema: &Schema, value: &Json, path: &FieldPath, found: &mut Vec<Violation>) {
    if !schema.r#enum.is_empty() && !schema.r#enum.contains(value) {
        let text = |value: &Json| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let fault = Fault::NotAllowed {
            found: text(value),
            allowed: schema.r#enum.iter().map(text).collect(),
        };
        found.push(at(path, fault));
    }
}

fn check_alternatives(schema: &Schema, value: &Json, path: &FieldPath, found: &mut Vec<Violation>) {
    let exactly_one = |fitting| fitting == 1;
    let any = |fitting| fitting > 0;
    check_choice(&schema.one_of, exactly_one, value, path, found);
    check_choice(&schema.any_of, any, value, path, found);
    if let Some(not) = &schema.not
        && check(not, value, path).is_empty()
    {
        let message = format!("{value} is not allowed here");
        found.push(at(path, Fault::Rule { message }));
    }
}

fn check_choice(
    schemas: &[Schema],
    enough: impl Fn(usize) -> bool,
    value: &Json,
    path: &FieldPath,
    found: &mut Vec<Violation>,
) {
    if schemas.is_empty() {
        return;
    }
    // Paths in the message are relative: the violation has the path to here.
    let here = FieldPath::root();
    let faults: Vec<String> = schemas
        .iter()
        .filter_map(|schema| Some(check(schema, value, &here).first()?.to_string()))
        .collect();
    let fitting = schemas.len() - faults.len();
    if !enough(fitting) {
        let alternatives = faults.join(" / ");
        let fault = Fault::Alternatives {
            fitting,
            alternatives,
        };
        found.push(at(path, fault));
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
