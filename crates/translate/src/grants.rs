//! The one place that decides whether a reference may cross a namespace border.

use portcullis_api::grant::{ReferenceGrantFrom, ReferenceGrantTo};
use portcullis_api::kind::GATEWAY_GROUP;
use portcullis_api::route::Target;
use portcullis_api::{Kind, ObjectKey, Objects};

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

/// Whether `from` may refer to `to`.
///
/// "References to a resource in different namespace are invalid UNLESS there is a ReferenceGrant
/// in the target namespace that allows" it. (`SecretObjectReference`, `BackendObjectReference`, …)
pub(crate) fn permission(objects: &Objects, from: Referrer<'_>, to: Target<'_>) -> Permission {
    let namespace = to.namespace.unwrap_or(from.namespace);
    if namespace == from.namespace {
        return Permission::Permitted;
    }
    let granted = objects
        .reference_grants
        .range(ObjectKey::new(namespace, "")..)
        .take_while(|(key, _)| *key.namespace == *namespace)
        .any(|(_, grant)| {
            grant.spec.from.iter().any(|entry| is_from(entry, from))
                && grant.spec.to.iter().any(|entry| is_to(entry, to))
        });
    if granted {
        Permission::Permitted
    } else {
        Permission::NotPermitted
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

fn is_from(entry: &ReferenceGrantFrom, from: Referrer<'_>) -> bool {
    let ReferenceGrantFrom {
        group,
        kind,
        namespace,
    } = entry;
    group == GATEWAY_GROUP && kind == from.kind.as_str() && namespace == from.namespace
}

/// "When [name is] unspecified, this policy refers to all resources of the specified Group and
/// Kind in the local namespace." (`ReferenceGrantTo.Name`)
fn is_to(entry: &ReferenceGrantTo, to: Target<'_>) -> bool {
    let ReferenceGrantTo { group, kind, name } = entry;
    let any_name = name.as_deref().is_none_or(str::is_empty);
    group == to.group && kind == to.kind && (any_name || name.as_deref() == Some(to.name))
}
