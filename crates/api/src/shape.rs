//! Whether a plain value has the shape of a type, field by field.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::field_path::{FieldPath, Segment};

/// A field that the type cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which field.
    pub path: FieldPath,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, message } = self;
        if path.is_root() {
            write!(f, "{message}")
        } else {
            write!(f, "{path}: {message}")
        }
    }
}

/// The value as a `T`, and the fields that are none of `T`'s.
///
/// # Errors
/// The first field that holds something else than the type's field does.
pub fn read<T: DeserializeOwned>(json: &Json) -> Result<(T, Vec<FieldPath>), Misfit> {
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(ignored_path(&path));
    let deserializer = serde_ignored::Deserializer::new(json, &mut note);
    match serde_path_to_error::deserialize(deserializer) {
        Ok(object) => Ok((object, unknown)),
        Err(error) => Err(Misfit {
            path: error_path(error.path()),
            message: error.inner().to_string(),
        }),
    }
}

/// What keeps the value from being a `T`, nothing more and nothing else.
pub fn misfits<T: DeserializeOwned>(json: &Json) -> Vec<Misfit> {
    match read::<T>(json) {
        Ok((_, unknown)) => unknown
            .into_iter()
            .map(|path| Misfit {
                path,
                message: "unknown field".to_owned(),
            })
            .collect(),
        Err(misfit) => vec![misfit],
    }
}

fn ignored_path(path: &serde_ignored::Path<'_>) -> FieldPath {
    use serde_ignored::Path;
    match path {
        Path::Root => FieldPath::root(),
        Path::Seq { parent, index } => ignored_path(parent).index(*index),
        Path::Map { parent, key } => ignored_path(parent).key(key),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => ignored_path(parent),
    }
}

fn error_path(path: &serde_path_to_error::Path) -> FieldPath {
    path.iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(Segment::Index(*index)),
            serde_path_to_error::Segment::Map { key } => Some(Segment::Key(key.clone())),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => {
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Toleration;
    use serde_json::json;

    use super::misfits;

    #[test]
    fn what_does_not_fit_is_named_with_its_field() {
        let said = |json| -> Vec<String> {
            let misfits = misfits::<Vec<Toleration>>(&json);
            misfits.iter().map(ToString::to_string).collect()
        };
        assert!(said(json!([{ "key": "a", "operator": "Exists" }])).is_empty());
        assert_eq!(said(json!([{ "keys": "a" }])), ["[0].keys: unknown field"]);
        let [wrong] = &said(json!([{ "key": 7 }]))[..] else {
            panic!("one mistake")
        };
        assert!(wrong.starts_with("[0].key: invalid type"), "{wrong}");
    }
}
