//! What a Gateway shows to backends.

use portcullis_api::gateway::GatewayTls;
use portcullis_api::status::ConditionReason;
use portcullis_api::{Gateway, Kind, ObjectKey};
use portcullis_ir::tls::Certificate;

use super::credentials::Credentials;
use super::termination::group_kind;
use crate::grants::{Permission, Referrer, missing_grant};
use crate::problem::Problem;

/// What is wrong with `spec.tls.backend.clientCertificateRef`.
pub(crate) fn client_certificate(
    gateway: &Gateway,
    namespace: &str,
    credentials: &mut Credentials<'_>,
) -> Option<Problem> {
    let GatewayTls { backend, .. } = gateway.spec.tls.as_ref()?;
    let target = backend.as_ref()?.client_certificate_ref.as_ref()?.target();
    let invalid = |message: String| {
        let reason = ConditionReason::InvalidClientCertificateRef;
        Some(Problem::new(reason, format!("tls.backend: {message}")))
    };
    let from = Referrer {
        kind: Kind::Gateway,
        namespace,
    };
    if (target.group, target.kind) != ("", "Secret") {
        return invalid(format!(
            "a {} cannot hold a client certificate; name a Secret",
            group_kind(target)
        ));
    }
    if credentials.world.permission(from, target) == Permission::NotPermitted {
        let message = format!("tls.backend: {}", missing_grant(from, target));
        return Some(Problem::new(ConditionReason::RefNotPermitted, message));
    }
    let key = ObjectKey::new(target.namespace.unwrap_or(namespace), target.name);
    match credentials.pair(&key) {
        Some(Certificate::Usable(_)) => None,
        Some(Certificate::Unusable { reason }) => invalid(reason),
        None => invalid(format!("Secret {key} does not exist")),
    }
}
