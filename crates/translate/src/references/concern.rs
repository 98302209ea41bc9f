//! Whom it concerns that something is not known yet.

use std::collections::BTreeSet;

use portcullis_api::{Kind, ObjectKey};

use super::outgoing::Outgoing;
use super::{References, Subject};

/// What of ours depends on some objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concern {
    /// Gateways: by what they name themselves, by what one of their ListenerSets names, or by a
    /// policy about what their routes name.
    pub gateways: BTreeSet<ObjectKey>,
    /// Policies that name one of the objects, and routes that name what such a policy is about.
    pub others: BTreeSet<(Kind, ObjectKey)>,
}

impl References {
    /// Whom it concerns what becomes of these objects.
    pub fn concerned_by<'a>(
        &self,
        subjects: impl IntoIterator<Item = (Kind, &'a ObjectKey)>,
    ) -> Concern {
        let subjects = subjects.into_iter();
        let subjects: BTreeSet<Subject> = subjects.map(|(kind, key)| (kind, key.clone())).collect();
        let mut concern = Concern::default();
        if subjects.is_empty() {
            return concern;
        }
        let mut services: BTreeSet<&Subject> = BTreeSet::new();
        for (owner, outgoing) in self.naming(&subjects) {
            if self.parents.contains(owner) {
                self.add_gateway_of(owner, outgoing, &mut concern);
            } else if let (Kind::BackendTlsPolicy, key) = owner {
                concern.others.insert(owner.clone());
                services.extend(self.policies.find(key).iter().flat_map(|(about, _)| *about));
            }
        }
        if !services.is_empty() {
            self.add_users(&services.into_iter().cloned().collect(), &mut concern);
        }
        concern
    }

    fn naming<'a>(
        &'a self,
        subjects: &'a BTreeSet<Subject>,
    ) -> impl Iterator<Item = (&'a Subject, &'a Outgoing)> {
        let named = self.named.iter();
        named.filter(|(_, outgoing)| outgoing.subjects.within(subjects).next().is_some())
    }

    /// Adds the routes that name one of these Services, and their Gateways.
    fn add_users(&self, services: &BTreeSet<Subject>, concern: &mut Concern) {
        for (route, outgoing) in self.naming(services) {
            concern.others.insert(route.clone());
            for parent in outgoing.parents.within(&self.parents) {
                if let Some(outgoing) = self.named.get(parent) {
                    self.add_gateway_of(parent, outgoing, concern);
                } else {
                    self.add_gateway_of(parent, &Outgoing::default(), concern);
                }
            }
        }
    }

    /// Adds a Gateway, or that of a ListenerSet.
    fn add_gateway_of(&self, parent: &Subject, outgoing: &Outgoing, concern: &mut Concern) {
        let found = &mut concern.gateways;
        if let (Kind::Gateway, key) = parent {
            found.insert(key.clone());
        } else {
            let gateways = outgoing.parents.within(&self.parents);
            found.extend(gateways.map(|(_, key)| key.clone()));
        }
    }
}
