//! Policies: they are looked at only while a Service that they are about is.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_api::{BackendTlsPolicy, Kind, ObjectKey};

use super::Subject;
use super::outgoing::{self, Outgoing};
use crate::policies;

/// Every policy that there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Policies {
    named: BTreeMap<ObjectKey, Known>,
    about: BTreeMap<Subject, BTreeSet<ObjectKey>>,
}

#[derive(Clone, Debug)]
struct Known {
    services: BTreeSet<Subject>,
    outgoing: Outgoing,
}

impl Policies {
    /// A policy is so now; `None`: it is gone.
    pub(super) fn learn(&mut self, key: &ObjectKey, policy: Option<&BackendTlsPolicy>) {
        if let Some(before) = self.named.remove(key) {
            for service in before.services {
                if let Some(about) = self.about.get_mut(&service) {
                    about.remove(key);
                    if about.is_empty() {
                        self.about.remove(&service);
                    }
                }
            }
        }
        let Some(policy) = policy else { return };
        let services: BTreeSet<Subject> = subjects(key, policy).collect();
        for service in &services {
            let about = self.about.entry(service.clone()).or_default();
            about.insert(key.clone());
        }
        let outgoing = outgoing::of_policy(policy);
        self.named.insert(key.clone(), Known { services, outgoing });
    }

    /// The policies about a subject.
    pub(super) fn about(&self, subject: &Subject) -> impl Iterator<Item = &ObjectKey> {
        self.about.get(subject).into_iter().flatten()
    }

    /// What a policy is about, and what it names.
    pub(super) fn find(&self, key: &ObjectKey) -> Option<(&BTreeSet<Subject>, &Outgoing)> {
        let Known { services, outgoing } = self.named.get(key)?;
        Some((services, outgoing))
    }
}

/// The Services that a policy is about.
pub(super) fn subjects<'a>(
    key: &'a ObjectKey,
    policy: &'a BackendTlsPolicy,
) -> impl Iterator<Item = Subject> {
    policies::services(key, policy).map(|service| (Kind::Service, service))
}
