//! Client certificates of X.509 version 1.
//!
//! `openssl x509 -req -CA ...` without an extension file makes them up to OpenSSL 3.1, and so do
//! the walkthroughs that users follow. webpki refuses version 1 outright. Having no extensions,
//! such a certificate can be checked in a few lines: it is good if an anchor itself issued it, it
//! is within its time, and the anchor's key signed it.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

/// A version 1 certificate.
pub(super) struct Version1<'a>(X509Certificate<'a>);

impl<'a> Version1<'a> {
    /// Reads `der`; `None` if it is of another version or no certificate.
    pub(super) fn parse(der: &'a CertificateDer<'_>) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        let is_one = rest.is_empty() && certificate.version() == X509Version::V1;
        is_one.then_some(Self(certificate))
    }

    /// Whether one of `anchors` issued it and it is valid at `now`.
    pub(super) fn verify(
        &self,
        anchors: &[CertificateDer<'_>],
        algorithms: WebPkiSupportedAlgorithms,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let validity = self.0.validity();
        if now < validity.not_before.timestamp() {
            return Err(CertificateError::NotValidYet);
        }
        if now > validity.not_after.timestamp() {
            return Err(CertificateError::Expired);
        }
        let issued = anchors
            .iter()
            .any(|anchor| self.is_issued_by(anchor, algorithms));
        issued.then_some(()).ok_or(CertificateError::UnknownIssuer)
    }

    fn is_issued_by(&self, anchor: &[u8], algorithms: WebPkiSupportedAlgorithms) -> bool {
        let Ok((_, anchor)) = X509Certificate::from_der(anchor) else {
            return false;
        };
        let key = &anchor.public_key().subject_public_key.data;
        let message = self.0.tbs_certificate.as_ref();
        let signature = &self.0.signature_value.data;
        // What the certificate names as its algorithm is part of the signed message; trying the
        // accepted ones in turn accepts no other.
        let signed = |algorithm: &&dyn rustls_pki_types::SignatureVerificationAlgorithm| {
            algorithm.verify_signature(key, message, signature).is_ok()
        };
        anchor.subject().as_raw() == self.0.issuer().as_raw() && algorithms.all.iter().any(signed)
    }
}

/// [`verify_tls12_signature`] for certificates of every version.
pub(super) fn verify_tls12(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(Version1(certificate)) = Version1::parse(cert) else {
        return verify_tls12_signature(message, cert, dss, algorithms);
    };
    let scheme = algorithms
        .mapping
        .iter()
        .find(|(scheme, _)| *scheme == dss.scheme);
    let (_, candidates) = scheme.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let key = &certificate.public_key().subject_public_key.data;
    let valid = candidates.iter().any(|algorithm| {
        algorithm
            .verify_signature(key, message, dss.signature())
            .is_ok()
    });
    let valid = valid.then(HandshakeSignatureValid::assertion);
    valid.ok_or(Error::InvalidCertificate(CertificateError::BadSignature))
}

/// [`verify_tls13_signature`] for certificates of every version.
pub(super) fn verify_tls13(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(Version1(certificate)) = Version1::parse(cert) else {
        return verify_tls13_signature(message, cert, dss, algorithms);
    };
    let key = SubjectPublicKeyInfoDer::from(certificate.public_key().raw);
    verify_tls13_signature_with_raw_key(message, &key, dss, algorithms)
}
