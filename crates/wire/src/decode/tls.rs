//! TLS settings, certificates and trust.

use std::sync::Arc;

use portcullis_ir::tls::{
    Certificate, CertificateChain, CertificateInfo, ClientValidation, ClientValidationMode, Secret,
    TlsTermination, TrustAnchors, TrustBundle,
};
use portcullis_ir::{CertificateId, TrustBundleId};

use super::{each, enum_value, id_field, id_in, optional, present, required, unspecified};
use crate::error::{At, InvalidField};
use crate::messages::{self, certificate, trust_bundle};

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
