//! What is wrong with a manifest, and where.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::field_path::FieldPath;
use crate::kind::Kind;
use crate::one_line::OneLine;
use crate::schema::Fault;
use crate::yaml::SyntaxError;

/// A mistake in a manifest. Displays as `12:5: HTTPRoute default/httpbin: spec.rules: …`, in one
/// line whatever the manifest holds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ManifestError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The object, as far as it says what it is.
    pub subject: Option<Arc<Subject>>,
    /// The field; the root if the whole document is meant.
    pub path: FieldPath,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            subject,
            path,
            problem,
        } = self;
        write!(f, "{line}:{column}: ")?;
        if let Some(subject) = subject {
            write!(f, "{subject}: ")?;
        }
        if !path.is_root() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{}", OneLine(problem))
    }
}

impl From<SyntaxError> for ManifestError {
    fn from(error: SyntaxError) -> Self {
        let SyntaxError { at, message } = error;
        Self {
            line: at.line,
            column: at.column,
            subject: None,
            path: FieldPath::root(),
            problem: Problem::Syntax { message },
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The document is no YAML.
    #[error("not valid YAML: {message}")]
    Syntax {
        /// Why, in words.
        message: String,
    },
    /// The document is no map.
    #[error("an object must be a map with apiVersion, kind and metadata")]
    NoObject,
    /// No kind of this name is read.
    #[error("unknown kind {kind} of {api_version}; {}", known_kinds(.suggestion.as_ref()))]
    UnknownKind {
        /// The `apiVersion`.
        api_version: String,
        /// The `kind`.
        kind: String,
        /// What may have been meant, with its `apiVersion`.
        suggestion: Option<String>,
    },
    /// The kind is read, but not in this version.
    #[error("version {version} of {kind} is not read; use {}", .kind.versions().join(" or "))]
    UnknownVersion {
        /// The kind.
        kind: Kind,
        /// The version.
        version: String,
    },
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] Fault),
    /// A value cannot be read.
    #[error("cannot be read: {message}")]
    Value {
        /// Why, in words.
        message: String,
    },
}

fn known_kinds(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(
        || format!("known are {}", Kind::ALL.map(Kind::as_str).join(", ")),
        |kind| format!("did you mean {kind}?"),
    )
}

/// What an object says it is. Displays as `HTTPRoute default/httpbin`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The `kind`, as written.
    pub kind: String,
    /// The namespace, as written.
    pub namespace: Option<String>,
    /// The name, as written.
    pub name: Option<String>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
        } = self;
        write!(f, "{}", OneLine(kind))?;
        match (namespace, name) {
            (Some(namespace), Some(name)) => {
                write!(f, " {}/{}", OneLine(namespace), OneLine(name))
            }
            (None, Some(name)) => write!(f, " {}", OneLine(name)),
            (_, None) => Ok(()),
        }
    }
}

/// An object that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The line of its first key, from 1.
    pub line: usize,
    /// The object.
    pub subject: Arc<Subject>,
    /// Its `apiVersion`.
    pub api_version: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            subject,
            api_version,
        } = self;
        write!(
            f,
            "{line}:1: {subject}: {} is not used by Portcullis, ignored",
            OneLine(api_version)
        )
    }
}
