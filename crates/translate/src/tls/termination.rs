//! How a listener ends TLS: its certificates, and what it asks of clients.

mod clients;

use std::collections::BTreeMap;

use portcullis_api::ObjectKey;
use portcullis_api::gateway::{FrontendTlsValidation, ListenerTls, ProtocolType, TlsMode};
use portcullis_api::route::{SecretObjectReference, Target};
use portcullis_api::status::ConditionReason;
use portcullis_ir::tls::{Certificate, TlsTermination, TrustBundle};
use portcullis_ir::{CertificateId, TrustBundleId};

use super::credentials::Credentials;
use super::options::{self, TerminateMode};
use crate::grants::{Permission, Referrer, missing_grant};
use crate::problem::Problem;

/// What came of a listener's TLS configuration.
#[derive(Debug)]
pub(crate) struct TlsFacts {
    /// What the data plane does. Whatever is wrong, it names at least one certificate: a listener
    /// with none that is usable stays bound and refuses every handshake, so that its names do not
    /// fall to a less specific listener that asks less of clients.
    pub(crate) termination: TlsTermination,
    /// The named certificates, apart from those whose Secret does not exist.
    pub(crate) certificates: BTreeMap<CertificateId, Certificate>,
    /// The named CA bundles, apart from those whose object does not exist.
    pub(crate) bundles: BTreeMap<TrustBundleId, TrustBundle>,
    /// Why the listener is not accepted.
    pub(crate) refused: Option<Problem>,
    /// References that lead nowhere.
    pub(crate) unresolved: Vec<Problem>,
}

impl TlsFacts {
    /// Whether some client could get through a handshake.
    pub(crate) fn is_served(&self) -> bool {
        let usable = |certificate: &Certificate| matches!(certificate, Certificate::Usable(_));
        self.refused.is_none() && self.certificates.values().any(usable)
    }

    /// Whether a data plane may have a certificate from before to serve on with.
    pub(crate) fn may_keep_certificate(&self) -> bool {
        let mut named = self.certificates.keys();
        named.any(|id| !id.as_str().starts_with(REFUSED))
    }
}

/// What the configuration of a listener's TLS is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TlsSpec<'a> {
    /// The listener's id, to tell its refusal from those of others.
    pub(crate) id: &'a str,
    /// HTTPS or TLS.
    pub(crate) protocol: &'a ProtocolType,
    pub(crate) tls: Option<&'a ListenerTls>,
    /// Who owns the listener: a Gateway or a ListenerSet.
    pub(crate) owner: Referrer<'a>,
    /// What the Gateway asks of clients on the listener's port, and the Gateway.
    pub(crate) validation: Option<(&'a FrontendTlsValidation, Referrer<'a>)>,
}

/// Works out a listener's TLS.
pub(crate) fn termination(spec: TlsSpec<'_>, credentials: &mut Credentials<'_>) -> TlsFacts {
    let mut reading = Reading {
        credentials,
        facts: TlsFacts {
            termination: TlsTermination {
                certificates: Vec::new(),
                client_validation: None,
            },
            certificates: BTreeMap::new(),
            bundles: BTreeMap::new(),
            refused: None,
            unresolved: Vec::new(),
        },
    };
    match plan(spec) {
        Ok(plan) => reading.follow(spec, plan),
        Err(problem) => reading.refuse_all(spec.id, problem),
    }
    reading.facts
}

/// What is asked of clients, and who says so.
#[derive(Clone, Copy, Debug)]
enum Plan<'a> {
    Simple,
    /// The Gateway, for the port.
    PerPort(&'a FrontendTlsValidation, Referrer<'a>),
    /// The listener's options.
    PerListener,
}

fn plan(spec: TlsSpec<'_>) -> Result<Plan<'_>, Problem> {
    let (mode, options) = match spec.tls {
        Some(tls) => (tls.mode(), options::terminate_mode(&tls.options)?),
        None => (&TlsMode::Terminate, None),
    };
    if *mode != TlsMode::Terminate {
        return Err(Problem::unsupported(format!(
            "tls.mode is {mode}; on a listener of protocol {} it must be {}",
            spec.protocol,
            match spec.protocol {
                ProtocolType::Tls => "Terminate or Passthrough",
                _ => "Terminate",
            }
        )));
    }
    match (spec.validation, options) {
        (None, None | Some(TerminateMode::Simple)) => Ok(Plan::Simple),
        (None, Some(TerminateMode::Mutual)) => Ok(Plan::PerListener),
        (Some((validation, gateway)), None) => Ok(Plan::PerPort(validation, gateway)),
        (Some(_), Some(_)) => Err(Problem::unsupported(
            "tls.options sets a terminate mode, and spec.tls.frontend of the Gateway validates \
             clients on the same port; keep one of the two",
        )),
    }
}

struct Reading<'r, 'a> {
    credentials: &'r mut Credentials<'a>,
    facts: TlsFacts,
}

impl Reading<'_, '_> {
    fn follow(&mut self, spec: TlsSpec<'_>, plan: Plan<'_>) {
        let refs = spec.tls.map_or(&[][..], |tls| &tls.certificate_refs);
        for reference in refs {
            self.certificate(reference, spec.owner);
        }
        if refs.is_empty() {
            let message = "tls.certificateRefs is empty; name a Secret with a certificate";
            self.refuse_certificate(
                spec.id,
                Problem::new(ConditionReason::InvalidCertificateRef, message),
            );
        }
        match plan {
            Plan::Simple => {}
            Plan::PerPort(validation, gateway) => {
                self.validate_per_port(spec.id, validation, gateway);
            }
            Plan::PerListener => self.validate_per_listener(spec.id, refs, spec.owner),
        }
    }

    /// Nothing gets through, and the listener is not accepted.
    fn refuse_all(&mut self, listener: &str, problem: Problem) {
        let reason = problem.message.clone();
        let unusable = Certificate::Unusable { reason };
        self.name_certificate(refused_certificate(listener), Some(unusable));
        self.facts.refused = Some(problem);
    }

    fn name_certificate(&mut self, id: CertificateId, certificate: Option<Certificate>) {
        if let Some(certificate) = certificate {
            self.facts.certificates.insert(id.clone(), certificate);
        }
        if !self.facts.termination.certificates.contains(&id) {
            self.facts.termination.certificates.push(id);
        }
    }

    fn certificate(&mut self, reference: &SecretObjectReference, owner: Referrer<'_>) {
        let target = reference.target();
        let key = key_of(target, owner);
        if (target.group, target.kind) != ("", "Secret") {
            let message = format!(
                "certificateRef {} is a {}; only Secrets of the core group are supported",
                key.name,
                group_kind(target)
            );
            let problem = Problem::new(ConditionReason::InvalidCertificateRef, message);
            return self.refuse_certificate(&format!("{}/{key}", target.kind), problem);
        }
        if self.credentials.world.permission(owner, target) == Permission::NotPermitted {
            let message = missing_grant(owner, target);
            let problem = Problem::new(ConditionReason::RefNotPermitted, message);
            return self.refuse_certificate(&format!("Secret/{key}"), problem);
        }
        let certificate = self.credentials.pair(&key);
        let defect = match &certificate {
            Some(Certificate::Usable(_)) => None,
            Some(Certificate::Unusable { reason }) => Some(reason.clone()),
            None => Some(format!("Secret {key} does not exist")),
        };
        let problems =
            defect.map(|message| Problem::new(ConditionReason::InvalidCertificateRef, message));
        self.facts.unresolved.extend(problems);
        self.name_certificate(CertificateId::new(format!("Secret/{key}")), certificate);
    }

    /// Names a certificate that never was, in place of one that must not or cannot be used.
    fn refuse_certificate(&mut self, what: &str, problem: Problem) {
        let reason = problem.message.clone();
        let unusable = Certificate::Unusable { reason };
        self.name_certificate(refused_certificate(what), Some(unusable));
        self.facts.unresolved.push(problem);
    }
}

fn key_of(target: Target<'_>, from: Referrer<'_>) -> ObjectKey {
    ObjectKey::new(target.namespace.unwrap_or(from.namespace), target.name)
}

/// `Service`, or `Service.example.com` outside the core group.
pub(crate) fn group_kind(target: Target<'_>) -> String {
    if target.group.is_empty() {
        target.kind.to_owned()
    } else {
        format!("{}.{}", target.kind, target.group)
    }
}

/// Begins the ids of what was refused.
const REFUSED: &str = "refused/";

/// The id of a certificate that was refused. No certificate was ever served under it, so a data
/// plane has no last good one to fall back to.
fn refused_certificate(what: &str) -> CertificateId {
    CertificateId::new(format!("{REFUSED}{what}"))
}
