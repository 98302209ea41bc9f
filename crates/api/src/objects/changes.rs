//! What changed between two states of the store.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Makes `held` what `wanted` is; says what changed. An object is taken to be the same if it is the
/// same in memory, and then to be under the same key, for its key is its own.
pub(super) fn follow<T>(
    held: &mut BTreeMap<ObjectKey, Arc<T>>,
    wanted: &BTreeMap<ObjectKey, Arc<T>>,
    kind: Kind,
    any: fn(Arc<T>) -> AnyObject,
    changes: &mut Vec<ObjectChange>,
) {
    let start = changes.len();
    let changed = differences(held, wanted).map(|(key, before, after)| ObjectChange {
        kind,
        key: key.clone(),
        before: before.cloned().map(any),
        after: after.cloned().map(any),
    });
    changes.extend(changed);
    for ObjectChange { key, .. } in changes.iter().skip(start) {
        match wanted.get(key) {
            Some(object) => held.insert(key.clone(), Arc::clone(object)),
            None => held.remove(key),
        };
    }
}

type Difference<'a, T> = (&'a ObjectKey, Option<&'a Arc<T>>, Option<&'a Arc<T>>);

fn differences<'a, T>(
    held: &'a BTreeMap<ObjectKey, Arc<T>>,
    wanted: &'a BTreeMap<ObjectKey, Arc<T>>,
) -> impl Iterator<Item = Difference<'a, T>> {
    let (mut held, mut wanted) = (held.iter().peekable(), wanted.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let order = match (held.peek(), wanted.peek()) {
                (Some((_, old)), Some((_, new))) if Arc::ptr_eq(old, new) => {
                    held.next();
                    wanted.next();
                    continue;
                }
                (Some((old, _)), Some((new, _))) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let before = held.next_if(|_| order.is_le());
            let after = wanted.next_if(|_| order.is_ge());
            let (key, _) = before.or(after)?;
            return Some((key, before.map(|(_, o)| o), after.map(|(_, o)| o)));
        }
    })
}
