//! Certificates and keys.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{BACKDATE, Ca, LIFE, SERVER_LIFE, seconds};

/// Why no certificate could be made. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub(super) enum IssueError {
    /// The key or the certificate was not accepted.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The key is of no kind that can serve.
    #[error("cannot serve with the key: {0}")]
    Key(#[from] rustls::Error),
    /// It cannot be read back.
    #[error("cannot read what was made: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
}

/// A new authority.
pub(super) fn mint(now: i64) -> Result<Ca, IssueError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    // Of two authorities that are trusted at a time each has its own name.
    let name = format!("portcullis authority {now}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let (not_before, not_after) = (now - seconds(BACKDATE), now + seconds(LIFE));
    set_validity(&mut params, not_before, not_after);
    let certificate = params.self_signed(&key)?.pem();
    Ok(Ca {
        certificate,
        key: key.serialize_pem(),
        not_before,
        not_after,
    })
}

/// A server certificate for `names`, signed by `ca`, and when it ends.
pub(super) fn issue(
    ca: &Ca,
    names: &[String],
    now: i64,
) -> Result<(Arc<CertifiedKey>, i64), IssueError> {
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, KeyPair::from_pem(&ca.key)?)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names.to_vec())?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let not_after = ca.not_after.min(now + seconds(SERVER_LIFE));
    set_validity(&mut params, now - seconds(BACKDATE), not_after);
    let chain = vec![params.signed_by(&key, &issuer)?.der().clone()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())?;
    let key = aws_lc_rs::sign::any_supported_type(&key)?;
    Ok((Arc::new(CertifiedKey::new(chain, key)), not_after))
}

/// Reads an authority; `None` if it is not whole, or if the key is another's.
pub(super) fn read(certificate: &str, key: &str) -> Option<Ca> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    if !key.is_empty() {
        let pair = KeyPair::from_pem(key).ok()?;
        if pair.subject_public_key_info() != parsed.public_key().raw {
            return None;
        }
    }
    let validity = parsed.validity();
    Some(Ca {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}

/// From one second to another, both since the Unix epoch.
fn set_validity(params: &mut CertificateParams, not_before: i64, not_after: i64) {
    let date = |seconds: i64| {
        let since = Duration::from_secs(seconds.max(0).unsigned_abs());
        date_time_ymd(1970, 1, 1) + since
    };
    (params.not_before, params.not_after) = (date(not_before), date(not_after));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls_pki_types::{ServerName, UnixTime};

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const NAME: &str = "portcullis-controller.portcullis-system.svc";

    fn verify(ca: &Ca, served: &CertifiedKey, name: &str, at: i64) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).unwrap();
        roots.add(der).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at.unsigned_abs()));
        let verifier = verifier.build().unwrap();
        let verified = verifier.verify_server_cert(&served.cert[0], &[], &name, &[], at);
        verified.map(drop)
    }

    #[test]
    fn who_trusts_the_authority_trusts_what_it_signs_for_that_name_and_day() {
        let ca = mint(NOW).unwrap();
        let (served, not_after) = issue(&ca, &[NAME.to_owned()], NOW).unwrap();
        assert_eq!(not_after, NOW + 24 * 3600);
        verify(&ca, &served, NAME, NOW).unwrap();
        assert!(verify(&ca, &served, "other.svc", NOW).is_err());
        assert!(verify(&ca, &served, NAME, not_after + 1).is_err());
        let other = mint(NOW + 1).unwrap();
        assert!(verify(&other, &served, NAME, NOW).is_err());
    }

    #[test]
    fn an_authority_is_read_as_it_was_made() {
        let ca = mint(NOW).unwrap();
        assert_eq!(read(&ca.certificate, &ca.key), Some(ca.clone()));
        let other = mint(NOW).unwrap();
        assert_eq!(read(&ca.certificate, &other.key), None);
        assert_eq!(read("garbage", &ca.key), None);
        assert_eq!(read(&ca.certificate, "garbage"), None);
        assert!(!format!("{ca:?}").contains("PRIVATE"));
    }
}
