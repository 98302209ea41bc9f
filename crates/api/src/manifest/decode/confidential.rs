//! What is wrong with a Secret, in words that hold nothing of its values.
//!
//! Messages get into logs and statuses. What a library says about a value that it cannot read
//! quotes the value, so no such text is used here: only the types of what was expected and found.

use serde_json::Value as Json;

use super::Refusal;
use crate::field_path::{FieldPath, Segment};
use crate::manifest::Problem;
use crate::schema::Fault;

/// The longest key that is named. A base64 line of a key file is longer.
const LONGEST_KEY: usize = 40;

/// The refusals of a Secret, told anew.
pub(super) fn refusals(refusals: Vec<Refusal>, json: &Json) -> Vec<Refusal> {
    let tell = |Refusal { path, problem }: Refusal| {
        let problem = match problem {
            Problem::Value { message: _ } => problem_at(&path, json),
            other => other,
        };
        Refusal { path, problem }
    };
    refusals.into_iter().map(tell).collect()
}

/// The path without keys that look like a value: one that was written where its key belongs.
pub(in crate::manifest) fn shown(path: &FieldPath) -> FieldPath {
    let shown = |segment: &Segment| match segment {
        Segment::Key(key) if !is_harmless(key) => Segment::Key("…".to_owned()),
        other => other.clone(),
    };
    path.segments().iter().map(shown).collect()
}

/// "Each key must consist of alphanumeric characters, '-', '_' or '.'." (`Secret.data`) A `/` is in
/// the keys of labels and annotations.
fn is_harmless(key: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    key.len() <= LONGEST_KEY && key.chars().all(is_allowed)
}

fn problem_at(path: &FieldPath, json: &Json) -> Problem {
    let found = path.segments().iter().try_fold(json, step);
    let (Some(expected), Some(found)) = (expected(path), found) else {
        let message = "not what belongs here; its value is not shown".to_owned();
        return Problem::Value { message };
    };
    if expected == TEXT && found.is_string() {
        let message = "not base64; plain text goes under stringData".to_owned();
        return Problem::Value { message };
    }
    let found = type_of(found).to_owned();
    Fault::WrongType { expected, found }.into()
}

fn step<'a>(json: &'a Json, segment: &Segment) -> Option<&'a Json> {
    match segment {
        Segment::Key(key) => json.get(key),
        Segment::Index(index) => json.get(index),
    }
}

const TEXT: &str = "a text";

/// The type of a Secret's field, with its article.
fn expected(path: &FieldPath) -> Option<&'static str> {
    let keys = path.segments().iter().map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    });
    let keys: Vec<&str> = keys.collect::<Option<_>>()?;
    match keys.as_slice() {
        ["data" | "stringData"] => Some("a map of texts"),
        ["metadata"] => Some("a map"),
        ["type"] | ["data" | "stringData", _] => Some(TEXT),
        ["immutable"] => Some("true or false"),
        _ => None,
    }
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => TEXT,
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}
