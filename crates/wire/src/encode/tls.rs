//! TLS settings, certificates and trust.

use portcullis_ir::tls::{
    BackendTls, BackendTrust, Certificate, CertificateChain, CertificateInfo, ClientValidation,
    ClientValidationMode, SubjectAltName, TlsTermination, TrustAnchors, TrustBundle,
};

use super::all;
use crate::messages::{self, Nothing, backend_tls, certificate, subject_alt_name, trust_bundle};

/// How a backend is reached over TLS, with what is spoken within.
pub(super) fn backend(
    protocol: messages::BackendProtocol,
    tls: &BackendTls,
) -> messages::BackendTls {
    let BackendTls {
        hostname,
        subject_alt_names,
        trust,
        client_certificate,
    } = tls;
    let trust = match trust {
        BackendTrust::System => backend_tls::Trust::System(Nothing {}),
        BackendTrust::Bundles(ids) => backend_tls::Trust::Bundles(messages::TrustBundleIds {
            ids: ids.iter().map(ToString::to_string).collect(),
        }),
    };
    messages::BackendTls {
        protocol: protocol.into(),
        hostname: hostname.to_string(),
        subject_alt_names: all(subject_alt_names),
        trust: Some(trust),
        client_certificate: client_certificate.as_ref().map(ToString::to_string),
    }
}

impl From<&SubjectAltName> for messages::SubjectAltName {
    fn from(name: &SubjectAltName) -> Self {
        let kind = match name {
            SubjectAltName::Dns(pattern) => subject_alt_name::Kind::Dns(pattern.into()),
            SubjectAltName::Uri(uri) => subject_alt_name::Kind::Uri(uri.to_string()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&TlsTermination> for messages::TlsTermination {
    fn from(tls: &TlsTermination) -> Self {
        let TlsTermination {
            certificates,
            client_validation,
        } = tls;
        Self {
            certificates: certificates.iter().map(ToString::to_string).collect(),
            client_validation: client_validation.as_ref().map(Into::into),
        }
    }
}

impl From<&ClientValidation> for messages::ClientValidation {
    fn from(validation: &ClientValidation) -> Self {
        let ClientValidation { trust, mode } = validation;
        let mode = match mode {
            ClientValidationMode::AllowValidOnly => messages::ClientValidationMode::AllowValidOnly,
            ClientValidationMode::AllowInsecureFallback => {
                messages::ClientValidationMode::AllowInsecureFallback
            }
        };
        Self {
            trust: trust.iter().map(ToString::to_string).collect(),
            mode: mode.into(),
        }
    }
}

impl From<(&str, &Certificate)> for messages::Certificate {
    fn from((id, certificate): (&str, &Certificate)) -> Self {
        let state = match certificate {
            Certificate::Usable(chain) => certificate::State::Usable((&**chain).into()),
            Certificate::Unusable { reason } => certificate::State::Unusable(reason.clone()),
        };
        Self {
            id: id.to_owned(),
            state: Some(state),
        }
    }
}

impl From<&CertificateChain> for messages::CertificateChain {
    fn from(certificate: &CertificateChain) -> Self {
        let CertificateChain { chain, key, leaf } = certificate;
        Self {
            chain: chain.iter().map(|der| der.to_vec()).collect(),
            private_key: key.expose().to_vec(),
            leaf: Some(leaf.into()),
        }
    }
}

impl From<(&str, &TrustBundle)> for messages::TrustBundle {
    fn from((id, bundle): (&str, &TrustBundle)) -> Self {
        let state = match bundle {
            TrustBundle::Usable(anchors) => trust_bundle::State::Usable((&**anchors).into()),
            TrustBundle::Unusable { reason } => trust_bundle::State::Unusable(reason.clone()),
        };
        Self {
            id: id.to_owned(),
            state: Some(state),
        }
    }
}

impl From<&TrustAnchors> for messages::TrustAnchors {
    fn from(anchors: &TrustAnchors) -> Self {
        let TrustAnchors { certificates, info } = anchors;
        Self {
            certificates: certificates.iter().map(|der| der.to_vec()).collect(),
            info: all(info),
        }
    }
}

impl From<&CertificateInfo> for messages::CertificateInfo {
    fn from(info: &CertificateInfo) -> Self {
        let CertificateInfo {
            subject,
            issuer,
            subject_alt_names,
            not_before,
            not_after,
            serial,
        } = info;
        Self {
            subject: subject.clone(),
            issuer: issuer.clone(),
            subject_alt_names: subject_alt_names.clone(),
            not_before: *not_before,
            not_after: *not_after,
            serial: serial.clone(),
        }
    }
}
