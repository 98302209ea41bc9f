//! The one place that decides whether a reference may cross a namespace border.

use std::collections::BTreeMap;

use portcullis_api::grant::{ReferenceGrantFrom, ReferenceGrantTo};
use portcullis_api::kind::GATEWAY_GROUP;
use portcullis_api::route::Target;
use portcullis_api::{Kind, Objects};

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

/// The ReferenceGrants, by the namespace they are in, and the kind and namespace they are for.
#[derive(Debug)]
pub(crate) struct Grants<'a>(BTreeMap<(&'a str, &'a str, &'a str), Vec<&'a [ReferenceGrantTo]>>);

impl<'a> Grants<'a> {
    pub(crate) fn new(objects: &'a Objects) -> Self {
        let mut grants: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, grant) in &objects.reference_grants {
            for from in &grant.spec.from {
                let ReferenceGrantFrom {
                    group,
                    kind,
                    namespace,
                } = from;
                if group == GATEWAY_GROUP {
                    let place = (&*key.namespace, kind.as_str(), namespace.as_str());
                    grants.entry(place).or_default().push(&*grant.spec.to);
                }
            }
        }
        Self(grants)
    }

    /// Whether `from` may refer to `to`.
    ///
    /// "References to a resource in different namespace are invalid UNLESS there is a
    /// ReferenceGrant in the target namespace that allows" it. (`SecretObjectReference`,
    /// `BackendObjectReference`, …)
    pub(crate) fn permission(&self, from: Referrer<'_>, to: Target<'_>) -> Permission {
        let namespace = to.namespace.unwrap_or(from.namespace);
        if namespace == from.namespace {
            return Permission::Permitted;
        }
        let place = (namespace, from.kind.as_str(), from.namespace);
        let mut entries = self.0.get(&place).into_iter().flatten().copied().flatten();
        if entries.any(|entry| is_to(entry, to)) {
            Permission::Permitted
        } else {
            Permission::NotPermitted
        }
    }
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
