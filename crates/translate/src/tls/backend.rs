//! What a Gateway shows to backends.

use portcullis_api::gateway::GatewayTls;
use portcullis_api::status::ConditionReason;
use portcullis_api::{Gateway, Kind, ObjectKey};
use portcullis_ir::CertificateId;
use portcullis_ir::tls::Certificate;

use super::credentials::Credentials;
use super::termination::group_kind;
use crate::grants::{Permission, Referrer, missing_grant};
use crate::problem::Problem;

/// What came of `spec.tls.backend.clientCertificateRef`.
#[derive(Debug, Default)]
pub(crate) struct ClientCertificate {
    /// The certificate to present, usable or not: a data plane may have an earlier one of its name.
    pub(crate) named: Option<(CertificateId, Certificate)>,
    /// What is wrong with the reference.
    pub(crate) problem: Option<Problem>,
}

impl ClientCertificate {
    fn refused(reason: ConditionReason, message: &str) -> Self {
        Self {
            named: None,
            problem: Some(Problem::new(reason, format!("tls.backend: {message}"))),
        }
    }
}

/// Works out the client certificate of a Gateway. A reference that cannot be followed takes nothing
/// from backends that ask for no certificate; it is for those that do to refuse.
pub(crate) fn client_certificate(
    gateway: &Gateway,
    namespace: &str,
    credentials: &mut Credentials<'_>,
) -> ClientCertificate {
    let tls = gateway.spec.tls.as_ref();
    let backend = tls.and_then(|GatewayTls { backend, .. }| backend.as_ref());
    let Some(reference) = backend.and_then(|it| it.client_certificate_ref.as_ref()) else {
        return ClientCertificate::default();
    };
    let target = reference.target();
    let invalid = ConditionReason::InvalidClientCertificateRef;
    let from = Referrer {
        kind: Kind::Gateway,
        namespace,
    };
    if (target.group, target.kind) != ("", "Secret") {
        let message = format!(
            "a {} cannot hold a client certificate; name a Secret",
            group_kind(target)
        );
        return ClientCertificate::refused(invalid, &message);
    }
    if credentials.world.permission(from, target) == Permission::NotPermitted {
        let reason = ConditionReason::RefNotPermitted;
        return ClientCertificate::refused(reason, &missing_grant(from, target));
    }
    let key = ObjectKey::new(target.namespace.unwrap_or(namespace), target.name);
    let Some(certificate) = credentials.pair(&key) else {
        return ClientCertificate::refused(invalid, &format!("Secret {key} does not exist"));
    };
    let problem = match &certificate {
        Certificate::Usable(_) => None,
        Certificate::Unusable { reason } => {
            Some(Problem::new(invalid, format!("tls.backend: {reason}")))
        }
    };
    ClientCertificate {
        named: Some((CertificateId::new(format!("Secret/{key}")), certificate)),
        problem,
    }
}
