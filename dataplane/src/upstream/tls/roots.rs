//! The certificate authorities that backends' chains may end in.

use std::sync::Arc;

use portcullis_ir::TrustBundleId;
use portcullis_ir::tls::TrustAnchors;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::failure::SetupFailure;

/// CAs, parsed; shared by all backends that trust the same.
#[derive(Debug)]
pub(super) struct Roots {
    store: RootCertStore,
    /// What they were made from; empty for the system's.
    pub(super) bundles: Vec<(TrustBundleId, Arc<TrustAnchors>)>,
}

impl Roots {
    /// Those of some bundles. Errors: not one is usable.
    pub(super) fn of(bundles: &[(TrustBundleId, Arc<TrustAnchors>)]) -> Result<Self, SetupFailure> {
        let mut store = RootCertStore::empty();
        let ders = bundles
            .iter()
            .flat_map(|(_, anchors)| &anchors.certificates);
        // What cannot be an anchor was reported by translate; the others stay.
        let (usable, _) =
            store.add_parsable_certificates(ders.map(|der| CertificateDer::from(der.to_vec())));
        if usable == 0 {
            return Err(SetupFailure::NoTrust);
        }
        Ok(Self {
            store,
            bundles: bundles.to_vec(),
        })
    }

    /// "System": those of the host, where other programs look for them too, or where
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` point. Errors: there are none.
    pub(super) fn of_system() -> Result<Self, SetupFailure> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (usable, _) = store.add_parsable_certificates(found.certs);
        if usable == 0 {
            let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
            return Err(SetupFailure::NoSystemTrust(errors.join("; ")));
        }
        Ok(Self {
            store,
            bundles: Vec::new(),
        })
    }

    /// Whether `leaf` is to be trusted at `now`, whatever its names.
    pub(super) fn check(
        &self,
        leaf: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        // A bundle may be the backend's own self-signed certificate, which webpki refuses as a
        // leaf when it says that it is a CA (as `openssl req -x509` makes them).
        if self.holds(leaf) {
            return in_time(leaf, now).map_err(Error::InvalidCertificate);
        }
        let algorithms = algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            parsed,
            &self.store,
            intermediates,
            now,
            algorithms,
        )
    }

    fn holds(&self, leaf: &[u8]) -> bool {
        let mut ders = (self.bundles.iter()).flat_map(|(_, anchors)| &anchors.certificates);
        ders.any(|der| **der == *leaf)
    }
}

fn in_time(leaf: &[u8], now: UnixTime) -> Result<(), CertificateError> {
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() {
        Err(CertificateError::NotValidYet)
    } else if now > validity.not_after.timestamp() {
        Err(CertificateError::Expired)
    } else {
        Ok(())
    }
}
