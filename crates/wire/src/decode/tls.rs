//! TLS settings, certificates and trust.

use std::sync::Arc;

use portcullis_ir::hostname::InvalidHostname;
use portcullis_ir::tls::{
    BackendTls, BackendTrust, Certificate, CertificateChain, CertificateInfo, ClientValidation,
    ClientValidationMode, Secret, SubjectAltName, TlsTermination, TrustAnchors, TrustBundle,
};
use portcullis_ir::{BackendProtocol, CertificateId, HostPattern, TrustBundleId};

use super::{
    backend_protocol, each, enum_value, host_pattern, id_field, id_in, optional, present, required,
    unspecified,
};
use crate::error::{At, Cause, InvalidField};
use crate::messages::{self, Nothing, backend_tls, certificate, subject_alt_name, trust_bundle};

/// How a backend is reached over TLS, with what is spoken within.
pub(super) fn backend(
    message: messages::BackendTls,
) -> Result<(BackendProtocol, BackendTls), InvalidField> {
    let messages::BackendTls {
        protocol,
        hostname,
        subject_alt_names,
        trust,
        client_certificate,
    } = message;
    let tls = BackendTls {
        hostname: precise(hostname).at("hostname")?,
        subject_alt_names: each(subject_alt_names, "subject_alt_names", subject_alt_name)?,
        trust: match present(trust, "trust")? {
            backend_tls::Trust::System(Nothing {}) => BackendTrust::System,
            backend_tls::Trust::Bundles(message) => {
                BackendTrust::Bundles(bundles(message).at("bundles")?)
            }
        },
        client_certificate: optional(client_certificate, "client_certificate", id_in)?,
    };
    Ok((backend_protocol(protocol)?, tls))
}

/// A DNS name without a wildcard.
fn precise(text: String) -> Result<Arc<str>, InvalidField> {
    match super::hostname(&text)? {
        HostPattern::Exact(name) => Ok(name),
        HostPattern::Wildcard(_) | HostPattern::Any => {
            Err(Cause::from(InvalidHostname::Malformed(text)).into())
        }
    }
}

fn subject_alt_name(message: messages::SubjectAltName) -> Result<SubjectAltName, InvalidField> {
    let messages::SubjectAltName { kind } = message;
    Ok(match present(kind, "kind")? {
        subject_alt_name::Kind::Dns(message) => match host_pattern(message).at("dns")? {
            HostPattern::Any => return Err(Cause::Empty.into()).at("dns"),
            named => SubjectAltName::Dns(named),
        },
        subject_alt_name::Kind::Uri(uri) if uri.is_empty() => {
            return Err(Cause::Empty.into()).at("uri");
        }
        subject_alt_name::Kind::Uri(uri) => SubjectAltName::Uri(uri.into()),
    })
}

/// None at all would trust nobody, which nobody means.
fn bundles(message: messages::TrustBundleIds) -> Result<Vec<TrustBundleId>, InvalidField> {
    let messages::TrustBundleIds { ids } = message;
    if ids.is_empty() {
        return Err(Cause::Empty.into()).at("ids");
    }
    each(ids, "ids", id_in)
}

pub(super) fn termination(
    message: messages::TlsTermination,
) -> Result<TlsTermination, InvalidField> {
    let messages::TlsTermination {
        certificates,
        client_validation,
    } = message;
    Ok(TlsTermination {
        certificates: each(certificates, "certificates", id_in)?,
        client_validation: optional(client_validation, "client_validation", validation)?,
    })
}

fn validation(message: messages::ClientValidation) -> Result<ClientValidation, InvalidField> {
    let messages::ClientValidation { trust, mode } = message;
    let mode = match enum_value(mode, "mode")? {
        messages::ClientValidationMode::AllowValidOnly => ClientValidationMode::AllowValidOnly,
        messages::ClientValidationMode::AllowInsecureFallback => {
            ClientValidationMode::AllowInsecureFallback
        }
        messages::ClientValidationMode::Unspecified => return unspecified("mode"),
    };
    let trust = each(trust, "trust", id_in)?;
    Ok(ClientValidation { trust, mode })
}

pub(super) fn certificate(
    message: messages::Certificate,
) -> Result<(CertificateId, Certificate), InvalidField> {
    let messages::Certificate { id, state } = message;
    let certificate = match present(state, "state")? {
        certificate::State::Usable(message) => {
            Certificate::Usable(Arc::new(chain(message).at("usable")?))
        }
        certificate::State::Unusable(reason) => Certificate::Unusable { reason },
    };
    Ok((id_field(id)?, certificate))
}

fn chain(message: messages::CertificateChain) -> Result<CertificateChain, InvalidField> {
    let messages::CertificateChain {
        chain,
        private_key,
        leaf,
    } = message;
    Ok(CertificateChain {
        chain: chain.into_iter().map(Arc::from).collect(),
        key: Secret::new(private_key),
        leaf: required(leaf, "leaf", info)?,
    })
}

pub(super) fn trust_bundle(
    message: messages::TrustBundle,
) -> Result<(TrustBundleId, TrustBundle), InvalidField> {
    let messages::TrustBundle { id, state } = message;
    let bundle = match present(state, "state")? {
        trust_bundle::State::Usable(message) => {
            TrustBundle::Usable(Arc::new(anchors(message).at("usable")?))
        }
        trust_bundle::State::Unusable(reason) => TrustBundle::Unusable { reason },
    };
    Ok((id_field(id)?, bundle))
}

fn anchors(message: messages::TrustAnchors) -> Result<TrustAnchors, InvalidField> {
    let messages::TrustAnchors {
        certificates,
        info: infos,
    } = message;
    Ok(TrustAnchors {
        certificates: certificates.into_iter().map(Arc::from).collect(),
        info: each(infos, "info", info)?,
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "has the shape of every other reading function"
)]
fn info(message: messages::CertificateInfo) -> Result<CertificateInfo, InvalidField> {
    let messages::CertificateInfo {
        subject,
        issuer,
        subject_alt_names,
        not_before,
        not_after,
        serial,
    } = message;
    Ok(CertificateInfo {
        subject,
        issuer,
        subject_alt_names,
        not_before,
        not_after,
        serial,
    })
}
