//! What a policy asks of a backend's certificate.

use std::collections::BTreeMap;

use portcullis_api::backend_tls::{
    BackendTlsPolicySpec, BackendTlsValidation, SubjectAltNameType, WellKnownCaCertificates,
};
use portcullis_api::route::LocalObjectReference;
use portcullis_api::status::ConditionReason;
use portcullis_api::{BackendTlsPolicy, ObjectKey};
use portcullis_ir::tls::{BackendTls, BackendTrust, SubjectAltName, TrustBundle};
use portcullis_ir::{HostPattern, TrustBundleId};

use crate::problem::{Problem, summary};
use crate::tls::bundles::{STORES, Store};
use crate::tls::termination::group_kind;
use crate::world::World;

/// What came of a policy's `validation`.
#[derive(Debug)]
pub(crate) struct Reading {
    /// How backends are connected to; or why they are not connected to at all: "For an invalid
    /// BackendTLSPolicy, implementations MUST NOT fall back to unencrypted (plaintext) connections."
    /// (GEP-1897)
    pub(crate) tls: Result<BackendTls, Problem>,
    /// The CA bundles that it trusts.
    pub(crate) bundles: Bundles,
    /// CA references that are not valid.
    pub(crate) unresolved: Vec<Problem>,
}

/// CA bundles by their names in snapshots.
pub(crate) type Bundles = BTreeMap<TrustBundleId, TrustBundle>;

/// Options with this prefix are ours, and there is none.
const OWN_PREFIX: &str = "portcullis.dev/";

/// Reads a policy.
pub(crate) fn read(world: &World<'_>, key: &ObjectKey, policy: &BackendTlsPolicy) -> Reading {
    let BackendTlsPolicySpec {
        target_refs: _,
        validation,
        options,
    } = &*policy.spec;
    let mut reading = Reading {
        tls: Err(invalid("")),
        bundles: Bundles::new(),
        unresolved: Vec::new(),
    };
    let trust = reading.trust(world, &key.namespace, validation);
    let unknown = options.keys().find(|key| key.starts_with(OWN_PREFIX));
    reading.tls = match unknown {
        Some(key) => Err(invalid(format!("options has the unknown key {key}"))),
        None => trust.and_then(|trust| tls(validation, trust)),
    };
    reading
}

fn tls(validation: &BackendTlsValidation, trust: BackendTrust) -> Result<BackendTls, Problem> {
    let BackendTlsValidation {
        ca_certificate_refs: _,
        well_known_ca_certificates: _,
        hostname,
        subject_alt_names,
    } = validation;
    let names = subject_alt_names.iter().enumerate();
    let names = names.map(|(index, name)| {
        subject_alt_name(name)
            .map_err(|why| invalid(format!("validation.subjectAltNames[{index}]: {why}")))
    });
    Ok(BackendTls {
        hostname: match HostPattern::parse(hostname) {
            Ok(HostPattern::Exact(name)) => name,
            _ => {
                return Err(invalid(format!(
                    "validation.hostname is {hostname:?}; it must be a DNS name without a wildcard"
                )));
            }
        },
        subject_alt_names: names.collect::<Result<_, _>>()?,
        trust,
        client_certificate: None,
    })
}

fn subject_alt_name(
    name: &portcullis_api::backend_tls::SubjectAltName,
) -> Result<SubjectAltName, String> {
    let uri = name.uri.as_deref().unwrap_or_default();
    let hostname = name.hostname.as_deref().unwrap_or_default();
    match &name.name_type {
        SubjectAltNameType::Hostname => match HostPattern::parse(hostname) {
            Ok(HostPattern::Any) => Err("hostname is missing".to_owned()),
            Ok(pattern) => Ok(SubjectAltName::Dns(pattern)),
            Err(error) => Err(format!("hostname {error}")),
        },
        SubjectAltNameType::Uri if is_absolute(uri) => Ok(SubjectAltName::Uri(uri.into())),
        SubjectAltNameType::Uri => Err(format!("uri is {uri:?}, which is no absolute URI")),
        SubjectAltNameType::Other(other) => {
            Err(format!("type is {other}; it must be Hostname or URI"))
        }
    }
}

/// "It MUST include both a scheme (e.g., "http" or "ftp") and a scheme-specific-part."
/// (`SubjectAltName.URI`)
fn is_absolute(uri: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && (scheme.bytes()).all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c))
    };
    let parts = uri.split_once(':');
    parts.is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
}

impl Reading {
    fn trust(
        &mut self,
        world: &World<'_>,
        namespace: &str,
        validation: &BackendTlsValidation,
    ) -> Result<BackendTrust, Problem> {
        let references = &validation.ca_certificate_refs;
        let well_known = validation.well_known_ca_certificates.as_ref();
        match well_known.filter(|it| !it.as_str().is_empty()) {
            Some(_) if !references.is_empty() => Err(invalid(
                "validation has both caCertificateRefs and wellKnownCACertificates; keep one",
            )),
            Some(WellKnownCaCertificates::System) => Ok(BackendTrust::System),
            // "If … the supplied value is not recognized, the implementation MUST ensure the
            // `Accepted` Condition on the BackendTLSPolicy is set to `status: False`, with a Reason
            // `Invalid`." (`BackendTLSPolicyValidation.WellKnownCACertificates`)
            Some(WellKnownCaCertificates::Other(other)) => Err(invalid(format!(
                "validation.wellKnownCACertificates is {other}; only System is supported"
            ))),
            None if references.is_empty() => Err(invalid(
                "validation has neither caCertificateRefs nor wellKnownCACertificates",
            )),
            None => self.bundles(world, namespace, references),
        }
    }

    /// "If ALL CACertificateRefs are invalid, the implementation MUST also ensure the `Accepted`
    /// Condition on the BackendTLSPolicy is set to `status: False`, with a Reason
    /// `NoValidCACertificate`." (`BackendTLSPolicyValidation.CACertificateRefs`)
    fn bundles(
        &mut self,
        world: &World<'_>,
        namespace: &str,
        references: &[LocalObjectReference],
    ) -> Result<BackendTrust, Problem> {
        let mut trust = Vec::new();
        for reference in references {
            match bundle(world, namespace, reference) {
                Ok((id, _)) if trust.contains(&id) => {}
                Ok((id, bundle)) => {
                    trust.push(id.clone());
                    self.bundles.insert(id, bundle);
                }
                Err(problem) => self.unresolved.push(problem),
            }
        }
        if !trust.is_empty() {
            return Ok(BackendTrust::Bundles(trust));
        }
        let why = summary(&self.unresolved).map(|problem| problem.message);
        Err(Problem::new(
            ConditionReason::NoValidCaCertificate,
            format!(
                "no CA certificate is valid: {}",
                why.as_deref().unwrap_or_default()
            ),
        ))
    }
}

/// "A CACertificateRef is considered invalid when it refers to a nonexistent resource or when the
/// data within that resource is malformed." (`BackendTLSPolicyReasonInvalidCACertificateRef`)
fn bundle(
    world: &World<'_>,
    namespace: &str,
    reference: &LocalObjectReference,
) -> Result<(TrustBundleId, TrustBundle), Problem> {
    let target = reference.target();
    let Some((store, key)) = Store::find(world, target, namespace) else {
        let message = format!(
            "caCertificateRef {} is a {}; only {STORES} are supported",
            target.name,
            group_kind(target)
        );
        return Err(Problem::new(ConditionReason::InvalidKind, message));
    };
    let invalid = |message| Problem::new(ConditionReason::InvalidCaCertificateRef, message);
    match world.bundle(store, &key) {
        Some(usable @ TrustBundle::Usable(_)) => Ok((store.id(&key), usable)),
        Some(TrustBundle::Unusable { reason }) => Err(invalid(reason)),
        None => Err(invalid(format!("{} {key} does not exist", store.kind()))),
    }
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::new(ConditionReason::Invalid, message)
}
