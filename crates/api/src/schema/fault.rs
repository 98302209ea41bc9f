//! What can be wrong with a field.

use std::fmt;

use serde_json::Value as Json;
use thiserror::Error;

use crate::field_path::FieldPath;

/// A field that is not as the schema wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which field.
    pub path: FieldPath,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, fault } = self;
        if path.is_root() {
            write!(f, "{fault}")
        } else {
            write!(f, "{path}: {fault}")
        }
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// There is no such field.
    #[error("unknown field{}", did_you_mean(.suggestion.as_deref()))]
    UnknownField {
        /// A field of a similar name that there is.
        suggestion: Option<String>,
    },
    /// The field is required and not there.
    #[error("is required")]
    Missing,
    /// The value is of another type.
    #[error("must be {expected}, is {found}{hint}", hint = quote_hint(.expected, .found))]
    WrongType {
        /// The type it must have, with its article.
        expected: &'static str,
        /// The type it has, with its article, and the value if it is short.
        found: String,
    },
    /// The value is not one of those allowed.
    #[error("must be one of {}, is {found}", .allowed.join(", "))]
    NotAllowed {
        /// The value.
        found: String,
        /// Those allowed.
        allowed: Vec<String>,
    },
    /// The text does not match.
    #[error("{found:?} does not match {pattern}")]
    Pattern {
        /// The text.
        found: String,
        /// The regular expression.
        pattern: String,
    },
    /// The text is not of the format.
    #[error("{found:?} is not of the format {format}")]
    Format {
        /// The text.
        found: String,
        /// The format's name.
        format: String,
    },
    /// A number, length or count is too small.
    #[error("must {}, {}", .measure.bound("at least", *.least), .measure.found(*.found))]
    TooSmall {
        /// What is measured.
        measure: Measure,
        /// What it measures.
        found: i64,
        /// What it must measure at least.
        least: i64,
    },
    /// A number, length or count is too large.
    #[error("must {}, {}", .measure.bound("at most", *.most), .measure.found(*.found))]
    TooLarge {
        /// What is measured.
        measure: Measure,
        /// What it measures.
        found: i64,
        /// What it may measure at most.
        most: i64,
    },
    /// Another item of the list has the same key.
    #[error("is a duplicate: {key} is there before")]
    Duplicate {
        /// The fields that must differ, with their values.
        key: String,
    },
    /// The value fits none of several alternatives, or more than it may.
    #[error("{} of its alternatives: {alternatives}", if *.fitting == 0 { "fits none" } else { "fits too many" })]
    Alternatives {
        /// How many it fits.
        fitting: usize,
        /// What is wrong by each.
        alternatives: String,
    },
    /// A rule of the schema does not hold.
    #[error("{message}")]
    Rule {
        /// The rule in words.
        message: String,
    },
}

/// What a bound is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The number itself.
    Value,
    /// The characters of a text.
    Characters,
    /// The items of a list.
    Items,
    /// The keys of a map.
    Keys,
}

impl Fault {
    /// The fault of a value of another type than expected.
    pub(crate) fn wrong_type(expected: &'static str, value: &Json) -> Self {
        Self::WrongType {
            expected,
            found: describe(value),
        }
    }
}

impl Measure {
    fn bound(self, word: &str, bound: i64) -> String {
        match self {
            Self::Value => format!("be {word} {bound}"),
            Self::Characters => format!("have {word} {}", count(bound, "character")),
            Self::Items => format!("have {word} {}", count(bound, "item")),
            Self::Keys => format!("have {word} {}", count(bound, "key")),
        }
    }

    fn found(self, found: i64) -> String {
        match self {
            Self::Value => format!("is {found}"),
            Self::Characters | Self::Items | Self::Keys => format!("has {found}"),
        }
    }
}

fn count(n: i64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// What unquoted words of YAML turn into is a common surprise.
fn quote_hint(expected: &str, found: &str) -> &'static str {
    let scalar = found == "a number"
        || found == "a boolean"
        || found.starts_with("the number")
        || found.starts_with("the boolean");
    if expected == "a text" && scalar {
        "; put it in quotes"
    } else {
        ""
    }
}

/// A value's type with its article, and the value if it is a number or boolean.
fn describe(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::Bool(value) => format!("the boolean {value}"),
        Json::Number(value) => format!("the number {value}"),
        Json::String(value) if value.chars().count() <= 40 => format!("the text {value:?}"),
        Json::String(_) => "a text".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a map".to_owned(),
    }
}
