//! Whether a plain value has the shape of a type, field by field.

mod reader;

use std::cell::RefCell;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use self::reader::{Place, Reader};
use crate::field_path::FieldPath;

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
    let unknown = RefCell::default();
    let value = read_noting(json, Some(&unknown))?;
    Ok((value, unknown.into_inner()))
}

/// The value as a `T`, whatever else it holds.
///
/// # Errors
/// As [`read`].
pub fn known<T: DeserializeOwned>(json: &Json) -> Result<T, Misfit> {
    read_noting(json, None)
}

fn read_noting<T: DeserializeOwned>(
    json: &Json,
    unknown: Option<&RefCell<Vec<FieldPath>>>,
) -> Result<T, Misfit> {
    let reader = Reader {
        json,
        place: &Place::Root,
        unknown,
    };
    T::deserialize(reader).map_err(reader::Wrong::misfit)
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
