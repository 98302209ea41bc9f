//! The one place that decides whether a reference may cross a namespace border.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::grant::{ReferenceGrantFrom, ReferenceGrantTo};
use portcullis_api::route::Target;
use portcullis_api::{Kind, ObjectKey, ReferenceGrant};

/// Who refers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Referrer<'a> {
    /// A kind of the Gateway API.
    pub(crate) kind: Kind,
    pub(crate) namespace: &'a str,
}

/// Whether a reference may be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Within one namespace, or by a ReferenceGrant.
    Permitted,
    /// Across namespaces, without a ReferenceGrant.
    NotPermitted,
}

/// A way across a namespace border.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Passage {
    /// The namespace that is referred to.
    into: Arc<str>,
    /// The kind of those who refer.
    kind: Kind,
    /// Their namespace.
    from: Arc<str>,
}

impl Passage {
    /// The one that a reference takes, if it crosses a border.
    pub(crate) fn between(from: Referrer<'_>, to: Target<'_>) -> Option<Self> {
        let Referrer { kind, namespace } = from;
        let into = to.namespace.filter(|into| *into != namespace)?;
        Some(Self {
            into: into.into(),
            kind,
            from: namespace.into(),
        })
    }
}

/// The ReferenceGrants, by the passages they are for.
#[derive(Debug, Default)]
pub(crate) struct Grants(BTreeMap<Passage, BTreeMap<ObjectKey, Arc<ReferenceGrant>>>);

impl Grants {
    /// Puts a grant in. Answers the passages that it is for.
    pub(crate) fn insert(
        &mut self,
        key: &ObjectKey,
        grant: &Arc<ReferenceGrant>,
    ) -> impl Iterator<Item = Passage> + use<> {
        let passages = passages(key, grant);
        for passage in &passages {
            let grants = self.0.entry(passage.clone()).or_default();
            grants.insert(key.clone(), Arc::clone(grant));
        }
        passages.into_iter()
    }

    /// Takes a grant out. Answers the passages that it was for.
    pub(crate) fn remove(
        &mut self,
        key: &ObjectKey,
        grant: &ReferenceGrant,
    ) -> impl Iterator<Item = Passage> + use<> {
        let passages = passages(key, grant);
        for passage in &passages {
            if let Some(grants) = self.0.get_mut(passage) {
                grants.remove(key);
                if grants.is_empty() {
                    self.0.remove(passage);
                }
            }
        }
        passages.into_iter()
    }

    /// Whether a passage to `to` is open.
    pub(crate) fn permission(&self, passage: &Passage, to: Target<'_>) -> Permission {
        let grants = self.0.get(passage).into_iter().flat_map(BTreeMap::values);
        let mut entries = grants.flat_map(|grant| &grant.spec.to);
        if entries.any(|entry| is_to(entry, to)) {
            Permission::Permitted
        } else {
            Permission::NotPermitted
        }
    }
}

fn passages(key: &ObjectKey, grant: &ReferenceGrant) -> BTreeSet<Passage> {
    let passage = |from: &ReferenceGrantFrom| {
        let ReferenceGrantFrom {
            group,
            kind,
            namespace,
        } = from;
        Some(Passage {
            into: key.namespace.clone(),
            kind: Kind::find(group, kind)?,
            from: namespace.as_str().into(),
        })
    };
    grant.spec.from.iter().filter_map(passage).collect()
}

/// What to tell the user who needs a grant.
pub(crate) fn missing_grant(from: Referrer<'_>, to: Target<'_>) -> String {
    let namespace = to.namespace.unwrap_or(from.namespace);
    format!(
        "no ReferenceGrant in namespace {namespace} allows {}s of namespace {} to refer to {} {}",
        from.kind, from.namespace, to.kind, to.name
    )
}

/// "When [name is] unspecified, this policy refers to all resources of the specified Group and
/// Kind in the local namespace." (`ReferenceGrantTo.Name`)
fn is_to(entry: &ReferenceGrantTo, to: Target<'_>) -> bool {
    let ReferenceGrantTo { group, kind, name } = entry;
    let any_name = name.as_deref().is_none_or(str::is_empty);
    group == to.group && kind == to.kind && (any_name || name.as_deref() == Some(to.name))
}
