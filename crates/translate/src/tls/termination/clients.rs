//! What an HTTPS listener asks of clients.

use portcullis_api::gateway::{FrontendTlsValidation, FrontendValidationMode};
use portcullis_api::kind::Scope;
use portcullis_api::route::{ObjectReference, SecretObjectReference, Target};
use portcullis_api::status::ConditionReason;
use portcullis_ir::TrustBundleId;
use portcullis_ir::tls::{ClientValidation, ClientValidationMode, TrustBundle};

use super::{REFUSED, Reading, group_kind, key_of};
use crate::grants::{Permission, Referrer, missing_grant};
use crate::problem::Problem;
use crate::tls::bundles::{STORES, Store, holds_ca};

impl Reading<'_, '_> {
    /// `spec.tls.frontend` of the Gateway.
    pub(super) fn validate_per_port(
        &mut self,
        listener: &str,
        validation: &FrontendTlsValidation,
        gateway: Referrer<'_>,
    ) {
        let mode = match validation.mode() {
            FrontendValidationMode::AllowInsecureFallback => {
                ClientValidationMode::AllowInsecureFallback
            }
            // An unknown mode is taken as the strictest.
            FrontendValidationMode::AllowValidOnly | FrontendValidationMode::Other(_) => {
                ClientValidationMode::AllowValidOnly
            }
        };
        let mut trust = Vec::new();
        for reference in &validation.ca_certificate_refs {
            let (id, bundle) = self.ca_reference(reference, gateway);
            self.trust(&mut trust, id, bundle);
        }
        if trust.is_empty() {
            let problem = Problem::new(
                ConditionReason::InvalidCaCertificateRef,
                "caCertificateRefs is empty; name a ConfigMap with the key ca.crt",
            );
            self.trust(&mut trust, refused_bundle(listener), Err(problem));
        }
        self.validate(trust, mode);
    }

    fn ca_reference(
        &mut self,
        reference: &ObjectReference,
        gateway: Referrer<'_>,
    ) -> (TrustBundleId, Result<TrustBundle, Problem>) {
        let target = reference.target();
        let world = self.credentials.world;
        let Some((store, key)) = Store::find(world, target, gateway.namespace) else {
            let key = key_of(target, gateway);
            let message = format!(
                "caCertificateRef {} is a {}; only {STORES} are supported",
                key.name,
                group_kind(target)
            );
            let problem = Problem::new(ConditionReason::InvalidCaCertificateKind, message);
            return (
                refused_bundle(&format!("{}/{key}", target.kind)),
                Err(problem),
            );
        };
        // "A `ReferenceGrant` is not required because `ClusterTrustBundle` is cluster-scoped".
        // (GEP-5075)
        let crosses = store.kind().scope() == Scope::Namespaced;
        if crosses && world.permission(gateway, target) == Permission::NotPermitted {
            let message = missing_grant(gateway, target);
            let problem = Problem::new(ConditionReason::RefNotPermitted, message);
            return (
                refused_bundle(&format!("{}/{key}", target.kind)),
                Err(problem),
            );
        }
        let id = store.id(&key);
        let bundle = self.credentials.world.bundle(store, &key).ok_or_else(|| {
            Problem::new(
                ConditionReason::InvalidCaCertificateRef,
                format!("{} {key} does not exist", target.kind),
            )
        });
        (id, bundle)
    }

    /// `tls.options` of the listener: the CA is in the certificate's Secret, or in the Secret
    /// beside it whose name ends in `-cacert`.
    pub(super) fn validate_per_listener(
        &mut self,
        listener: &str,
        refs: &[SecretObjectReference],
        owner: Referrer<'_>,
    ) {
        let mut trust = Vec::new();
        for reference in refs {
            let target = reference.target();
            if (target.group, target.kind) != ("", "Secret") {
                continue;
            }
            let name = format!("{}-cacert", target.name);
            let beside = Target {
                name: &name,
                ..target
            };
            let secret = self.credentials.world.secret(&key_of(target, owner));
            let own = secret.is_some_and(|secret| holds_ca(secret));
            let target = if own { target } else { beside };
            let (id, bundle) = self.ca_beside(target, owner);
            self.trust(&mut trust, id, bundle);
        }
        if trust.is_empty() {
            let problem = Problem::new(
                ConditionReason::InvalidCaCertificateRef,
                "the terminate mode is MUTUAL, and there is no Secret to take the CA from",
            );
            self.trust(&mut trust, refused_bundle(listener), Err(problem));
        }
        self.validate(trust, ClientValidationMode::AllowValidOnly);
    }

    fn ca_beside(
        &mut self,
        target: Target<'_>,
        owner: Referrer<'_>,
    ) -> (TrustBundleId, Result<TrustBundle, Problem>) {
        let key = key_of(target, owner);
        if self.credentials.world.permission(owner, target) == Permission::NotPermitted {
            let message = missing_grant(owner, target);
            let problem = Problem::new(ConditionReason::RefNotPermitted, message);
            return (refused_bundle(&format!("Secret/{key}")), Err(problem));
        }
        let id = Store::Secret.id(&key);
        let bundle = self.credentials.world.bundle(Store::Secret, &key);
        let bundle = bundle.ok_or_else(|| {
            Problem::new(
                ConditionReason::InvalidCaCertificateRef,
                format!(
                    "the terminate mode is MUTUAL, and there is no CA: neither a key ca.crt or \
                     cacert beside the certificate, nor a Secret {key}"
                ),
            )
        });
        (id, bundle)
    }

    /// Adds a bundle, and what is wrong with it.
    fn trust(
        &mut self,
        trust: &mut Vec<TrustBundleId>,
        id: TrustBundleId,
        bundle: Result<TrustBundle, Problem>,
    ) {
        match bundle {
            Ok(bundle) => {
                if let TrustBundle::Unusable { reason } = &bundle {
                    self.facts.unresolved.push(Problem::new(
                        ConditionReason::InvalidCaCertificateRef,
                        reason.clone(),
                    ));
                }
                self.facts.bundles.insert(id.clone(), bundle);
            }
            Err(problem) => {
                if id.as_str().starts_with(REFUSED) {
                    let reason = problem.message.clone();
                    let unusable = TrustBundle::Unusable { reason };
                    self.facts.bundles.insert(id.clone(), unusable);
                }
                self.facts.unresolved.push(problem);
            }
        }
        if !trust.contains(&id) {
            trust.push(id);
        }
    }

    /// "If ALL CACertificateRefs are invalid, the implementation MUST also ensure the `Accepted`
    /// condition on the listener is set to `status: False`, with the Reason
    /// `NoValidCACertificate`." (`FrontendTLSValidation.CACertificateRefs`)
    fn validate(&mut self, trust: Vec<TrustBundleId>, mode: ClientValidationMode) {
        let facts = &mut self.facts;
        let outlook = trust
            .iter()
            .filter_map(|id| Some(Outlook::new(id, facts.bundles.get(id)?)))
            .max();
        // A listener that is not accepted lets nobody in, not even under AllowInsecureFallback,
        // unless an earlier bundle is in force: a bad rotation must not stop what worked.
        let (mode, consequence) = match outlook {
            Some(Outlook::Usable) => (mode, None),
            Some(Outlook::Kept) => (
                mode,
                Some("; data planes keep the last usable one, and without one refuse every client"),
            ),
            Some(Outlook::Refused) | None => (
                ClientValidationMode::AllowValidOnly,
                Some(", so every client is refused"),
            ),
        };
        if let Some(consequence) = consequence {
            facts.refused = Some(Problem::new(
                ConditionReason::NoValidCaCertificate,
                format!("no CA certificate to validate clients with is usable{consequence}"),
            ));
        }
        self.facts.termination.client_validation = Some(ClientValidation { trust, mode });
    }
}

/// What a data plane can make of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outlook {
    /// Nothing.
    Refused,
    /// It keeps the last usable one, if it had one.
    Kept,
    /// It uses this one.
    Usable,
}

impl Outlook {
    fn new(id: &TrustBundleId, bundle: &TrustBundle) -> Self {
        match bundle {
            TrustBundle::Usable(_) => Self::Usable,
            TrustBundle::Unusable { .. } if id.as_str().starts_with(REFUSED) => Self::Refused,
            TrustBundle::Unusable { .. } => Self::Kept,
        }
    }
}

/// The id of a bundle that was refused. No bundle was ever in force under it.
fn refused_bundle(what: &str) -> TrustBundleId {
    TrustBundleId::new(format!("{REFUSED}{what}"))
}
