//! Client certificates: who is let in.

use std::sync::Arc;

use portcullis_ir::tls::ClientValidationMode;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::version1::{self, Version1};
use super::{ClientInputs, Provider};

/// The verifier for what a listener asks of clients.
pub(crate) fn verifier(clients: &ClientInputs, provider: &Provider) -> Arc<dyn ClientCertVerifier> {
    let ders = clients
        .anchors
        .iter()
        .flat_map(|anchors| &anchors.certificates);
    let anchors: Vec<_> = ders.map(|der| CertificateDer::from(der.to_vec())).collect();
    let algorithms = provider.signature_verification_algorithms;
    match clients.mode {
        // With no bundle in force not even AllowInsecureFallback lets a client in, see
        // `portcullis_ir::tls::ClientValidation::trust`.
        ClientValidationMode::AllowInsecureFallback if !clients.anchors.is_empty() => {
            Arc::new(AnyOrNone { algorithms })
        }
        ClientValidationMode::AllowValidOnly | ClientValidationMode::AllowInsecureFallback => {
            let chains = chain_verifier(&anchors, provider);
            Arc::new(ValidOnly {
                chains,
                anchors,
                algorithms,
            })
        }
    }
}

/// `None` if not one anchor can be used: then no client is valid.
fn chain_verifier(
    anchors: &[CertificateDer<'static>],
    provider: &Provider,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    // What cannot be an anchor was reported by translate; the others stay.
    let _ = roots.add_parsable_certificates(anchors.iter().cloned());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .ok()
}

/// `AllowValidOnly`: "In this mode, the gateway will accept connections only if the client presents
/// a valid certificate" (`FrontendValidationModeType`).
#[derive(Debug)]
struct ValidOnly {
    chains: Option<Arc<dyn ClientCertVerifier>>,
    anchors: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for ValidOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains
            .as_ref()
            .map_or(&[], |chains| chains.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        if let Some(leaf) = Version1::parse(end_entity) {
            leaf.verify(&self.anchors, self.algorithms, now)?;
            return Ok(ClientCertVerified::assertion());
        }
        let chains = self.chains.as_ref().ok_or_else(unknown)?;
        chains.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version1::verify_tls12(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version1::verify_tls13(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// `AllowInsecureFallback`: "In this mode, the gateway will accept connections even if the client
/// certificate is not presented or verification fails." The client still has to own the key of the
/// certificate it shows.
#[derive(Debug)]
struct AnyOrNone {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyOrNone {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: a client that has any certificate may show it.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version1::verify_tls12(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version1::verify_tls13(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
