//! YAML text to objects, with every mistake located.
//!
//! One text holds any number of documents; each is an object, a list of objects, or nothing. A
//! mistake in one does not hide the others. What the API server would refuse is refused here, by
//! the same schemas ([`crate::schema`]); what it would default is defaulted. Objects of kinds that
//! Portcullis has no use for (a Deployment beside its Service) are passed over with a notice.

mod decode;
mod document;
mod error;
#[cfg(test)]
mod tests;

pub use self::error::{ManifestError, Notice, Problem, Subject};

use serde_json::Value as Json;

use crate::objects::AnyObject;
use crate::yaml;

/// What a text holds.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The objects, in the order of the text.
    pub objects: Vec<Located>,
    /// What is wrong, in the order of the text. An object with an error is not in `objects`.
    pub errors: Vec<ManifestError>,
    /// What was passed over.
    pub notices: Vec<Notice>,
}

/// An object and where it starts.
#[derive(Clone, Debug)]
pub struct Located {
    /// The object.
    pub object: AnyObject,
    /// The line of its first key, from 1.
    pub line: usize,
}

/// Reads a text.
pub fn parse(text: &str) -> Manifest {
    let mut manifest = Manifest::default();
    for document in yaml::documents(text) {
        match document {
            Ok(node) => document::read(&node, &mut manifest),
            Err(error) => manifest.errors.push(error.into()),
        }
    }
    manifest
}

/// The documents of a text as plain values, whatever they are about.
pub fn values(text: &str) -> Result<Vec<Json>, ManifestError> {
    yaml::documents(text)
        .into_iter()
        .map(|document| Ok(document.map(|node| node.to_json())?))
        .collect()
}
