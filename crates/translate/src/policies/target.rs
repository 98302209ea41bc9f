//! What a policy is about.

use portcullis_api::{BackendTlsPolicy, Kind, ObjectKey};

/// A part of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section<'a> {
    /// All of its ports that no other policy names.
    Whole,
    /// "Service: Port name" (`LocalPolicyTargetReferenceWithSectionName.SectionName`)
    Port(&'a str),
}

/// What one targetRef leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) service: ObjectKey,
    pub(super) section: Section<'a>,
}

/// The Services and parts of Services that a policy is about.
pub(super) fn targets<'a>(
    key: &'a ObjectKey,
    policy: &'a BackendTlsPolicy,
) -> impl Iterator<Item = Target<'a>> {
    let references = policy.spec.target_refs.iter();
    let of_services =
        references.filter(|target| Kind::find(&target.group, &target.kind) == Some(Kind::Service));
    of_services.map(|target| Target {
        service: ObjectKey::new(key.namespace.clone(), target.name.as_str()),
        section: match target.section_name.as_deref() {
            None | Some("") => Section::Whole,
            Some(name) => Section::Port(name),
        },
    })
}

/// The Services that a policy is about.
pub(crate) fn services<'a>(
    key: &'a ObjectKey,
    policy: &'a BackendTlsPolicy,
) -> impl Iterator<Item = ObjectKey> {
    targets(key, policy).map(|target| target.service)
}

/// The first of these policies that is about that very part of a Service.
pub(super) fn first<'a>(
    policies: &[(&'a ObjectKey, &'a BackendTlsPolicy)],
    service: &ObjectKey,
    section: Section<'_>,
) -> Option<(&'a ObjectKey, &'a BackendTlsPolicy)> {
    let is_about = |(key, policy): &&(&ObjectKey, &BackendTlsPolicy)| {
        targets(key, policy).any(|it| it.service == *service && it.section == section)
    };
    policies.iter().find(is_about).copied()
}
