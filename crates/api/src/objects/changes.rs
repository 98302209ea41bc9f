//! What changed between two states of the store.

use std::sync::Arc;

use portcullis_shared::{Change, SharedMap};

use super::AnyObject;
use crate::kind::Kind;
use crate::meta::ObjectKey;

/// An object that was put in, taken out, or replaced by another of its name.
#[derive(Clone, Debug)]
pub struct ObjectChange {
    /// Its kind.
    pub kind: Kind,
    /// Its key.
    pub key: ObjectKey,
    /// As it was; `None` if it was not there.
    pub before: Option<AnyObject>,
    /// As it is; `None` if it is gone.
    pub after: Option<AnyObject>,
}

/// The changes from one state of a kind to another.
pub(super) fn between<'a, T>(
    before: &'a SharedMap<ObjectKey, Arc<T>>,
    after: &'a SharedMap<ObjectKey, Arc<T>>,
    kind: Kind,
    any: fn(Arc<T>) -> AnyObject,
) -> impl Iterator<Item = ObjectChange> + use<'a, T> {
    let changes = after.replacements_since(before, Arc::ptr_eq);
    changes.map(move |change| {
        let Change { key, before, after } = change;
        ObjectChange {
            kind,
            key: key.clone(),
            before: before.cloned().map(any),
            after: after.cloned().map(any),
        }
    })
}
