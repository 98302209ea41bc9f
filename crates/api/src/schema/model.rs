//! A structural schema as a custom resource definition has it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError};

use regex::Regex;
use serde::Deserialize;
use serde_json::Value as Json;

use super::cel::Program;

/// The schemas of one kind.
#[derive(Debug, Deserialize)]
pub(super) struct KindSchemas(pub(super) Vec<VersionSchema>);

/// The schema of versions that have the same.
#[derive(Debug, Deserialize)]
pub(super) struct VersionSchema {
    pub(super) versions: Vec<String>,
    pub(super) schema: Schema,
}

impl KindSchemas {
    pub(super) fn version(&self, version: &str) -> Option<&Schema> {
        let mut schemas = self.0.iter();
        let found = schemas.find(|schema| schema.versions.iter().any(|v| v == version))?;
        Some(&found.schema)
    }
}

/// A schema, by the words of OpenAPI v3.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Schema {
    /// None inside of `allOf` and the like, which only add conditions.
    pub(super) r#type: Option<Type>,
    /// Boxed, since a node of the map has room for eleven values, and most have few.
    pub(super) properties: BTreeMap<String, Box<Schema>>,
    pub(super) required: Vec<String>,
    pub(super) additional_properties: Option<Box<Schema>>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) default: Option<Json>,
    pub(super) r#enum: Vec<Json>,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: Option<String>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
    pub(super) min_length: Option<i64>,
    pub(super) max_length: Option<i64>,
    pub(super) min_items: Option<i64>,
    pub(super) max_items: Option<i64>,
    pub(super) min_properties: Option<i64>,
    pub(super) max_properties: Option<i64>,
    pub(super) one_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
    #[serde(rename = "x-kubernetes-list-type")]
    pub(super) list_type: Option<ListType>,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    pub(super) list_map_keys: Vec<String>,
    #[serde(rename = "x-kubernetes-map-type")]
    _map_type: Option<String>,
    /// Whether fields that are not among the properties are left as they are.
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    pub(super) preserves_unknown: bool,
    #[serde(rename = "x-kubernetes-validations")]
    pub(super) rules: Vec<Rule>,
}

/// The types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Boolean,
}

/// How items of a list are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ListType {
    Atomic,
    Map,
    Set,
}

/// A regular expression, compiled when it is first used; one for all that are the same, of which
/// there are hundreds.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern(Arc<Expression>);

#[derive(Debug)]
struct Expression {
    text: String,
    regex: OnceLock<Option<Regex>>,
}

#[expect(
    clippy::disallowed_types,
    reason = "shared memory, not state: a pattern is the same whoever put it there"
)]
impl From<String> for Pattern {
    fn from(text: String) -> Self {
        static KNOWN: std::sync::Mutex<BTreeMap<String, Pattern>> =
            std::sync::Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pattern) = known.get(&text) {
            return pattern.clone();
        }
        let pattern = Self(Arc::new(Expression {
            text: text.clone(),
            regex: OnceLock::new(),
        }));
        known.insert(text, pattern.clone());
        pattern
    }
}

impl Pattern {
    /// What it was compiled from.
    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    /// The compiled expression; `None` if it does not compile, which no test lets pass.
    pub(super) fn regex(&self) -> Option<&Regex> {
        let Expression { text, regex } = &*self.0;
        regex.get_or_init(|| Regex::new(text).ok()).as_ref()
    }
}

/// A rule in the Common Expression Language, compiled when it is first used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rule {
    #[serde(rename = "rule")]
    pub(super) text: String,
    pub(super) message: String,
    #[serde(skip)]
    program: OnceLock<Result<Program, String>>,
}

impl Rule {
    /// The compiled rule, or why it does not compile, which no test lets pass.
    pub(super) fn program(&self) -> Result<&Program, &str> {
        let program = self.program.get_or_init(|| Program::compile(&self.text));
        program.as_ref().map_err(String::as_str)
    }

    /// Whether this is about a change of the object, not about the object.
    pub(super) fn is_transition(&self) -> bool {
        self.text.contains("oldSelf")
    }
}
