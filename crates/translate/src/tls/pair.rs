//! A certificate chain with its key.

use std::sync::Arc;

use portcullis_ir::tls::{Certificate, CertificateChain, CertificateInfo, Secret};
use rustls::crypto::aws_lc_rs;
use rustls::sign::SigningKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::info::{date, info, parse};
use super::pem::{self, BadPem};

/// Why a certificate and its key cannot be served. Each variant's text completes "Secret x/y …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableCertificate {
    /// The certificate file is no PEM.
    #[error("has a certificate file that {0}")]
    BadCertificateFile(BadPem),
    /// The key file is no PEM.
    #[error("has a key file that {0}")]
    BadKeyFile(BadPem),
    /// PEM, but no certificate in it.
    #[error("has no \"CERTIFICATE\" block in its certificate file; it holds {}", .found.join(", "))]
    NoCertificate {
        /// The labels of the blocks it has.
        found: Vec<String>,
    },
    /// PEM, but no private key in it.
    #[error("has no private key in its key file; it holds {}", .found.join(", "))]
    NoKey {
        /// The labels of the blocks it has.
        found: Vec<String>,
    },
    /// A key behind a passphrase.
    #[error(
        "has an encrypted private key; store it decrypted (`openssl pkey -in tls.key -out plain.key`)"
    )]
    EncryptedKey,
    /// The key is malformed, or of a kind or size that is not supported.
    #[error(
        "has a private key that is malformed or of an unsupported kind; RSA of 2048 to 8192 bits, ECDSA P-256, P-384 and P-521, and Ed25519 are supported"
    )]
    UnsupportedKey,
    /// A block is no X.509 certificate.
    #[error("has a certificate that is not valid X.509 (block {position} of its certificate file)")]
    MalformedCertificate {
        /// Counted from 1.
        position: usize,
    },
    /// The key belongs to none of the certificates.
    #[error(
        "has a private key that does not belong to its certificate ({subject}); put the key made with that certificate beside it"
    )]
    KeyMismatch {
        /// The subject of the first certificate.
        subject: String,
    },
    /// The leaf's time is over.
    #[error("has a certificate ({subject}) that expired on {}", date(*.not_after))]
    Expired {
        /// The leaf's subject.
        subject: String,
        /// Seconds since the Unix epoch.
        not_after: i64,
    },
    /// The leaf's time has not come.
    #[error("has a certificate ({subject}) that is not valid before {}", date(*.not_before))]
    NotYetValid {
        /// The leaf's subject.
        subject: String,
        /// Seconds since the Unix epoch.
        not_before: i64,
    },
}

/// Reads a chain and its key from PEM. `now` is in seconds since the Unix epoch.
///
/// The chain may be in any order: the certificate of the key is the leaf, and each issuer follows
/// what it signed as far as that can be told. The chain is not verified: which root clients trust
/// is their affair.
pub fn certificate(
    chain: &[u8],
    key: &[u8],
    now: i64,
) -> Result<Arc<CertificateChain>, UnusableCertificate> {
    let certificates = certificates(chain)?;
    let key = private_key(key)?;
    let signing_key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|_| UnusableCertificate::UnsupportedKey)?;
    let (chain, leaf) = leaf_first(certificates, signing_key.as_ref())?;
    check_validity(&leaf, now)?;
    Ok(Arc::new(CertificateChain {
        chain: chain.iter().map(|der| Arc::from(der.as_ref())).collect(),
        key: Secret::new(key.secret_der()),
        leaf,
    }))
}

/// The IR of a reading.
pub(super) fn lower(
    reading: Result<Arc<CertificateChain>, UnusableCertificate>,
    secret: &impl std::fmt::Display,
) -> Certificate {
    match reading {
        Ok(chain) => Certificate::Usable(chain),
        Err(why) => Certificate::Unusable {
            reason: format!("{secret} {why}"),
        },
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, UnusableCertificate> {
    let mut certificates = pem::blocks(text)
        .map_err(UnusableCertificate::BadCertificateFile)?
        .certificates;
    if certificates.is_empty() {
        return Err(UnusableCertificate::NoCertificate {
            found: pem::labels(text),
        });
    }
    let mut seen = std::collections::BTreeSet::new();
    certificates.retain(|der| seen.insert(der.as_ref().to_vec()));
    Ok(certificates)
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, UnusableCertificate> {
    if pem::holds_encrypted_key(text) {
        return Err(UnusableCertificate::EncryptedKey);
    }
    let blocks = pem::blocks(text).map_err(UnusableCertificate::BadKeyFile)?;
    let first = blocks.keys.into_iter().next();
    first.ok_or_else(|| UnusableCertificate::NoKey {
        found: pem::labels(text),
    })
}

/// Puts the certificate of `key` first and its issuers behind it.
fn leaf_first(
    mut rest: Vec<CertificateDer<'static>>,
    key: &dyn SigningKey,
) -> Result<(Vec<CertificateDer<'static>>, CertificateInfo), UnusableCertificate> {
    let key = key.public_key();
    let mut parsed = Vec::with_capacity(rest.len());
    for (index, der) in rest.iter().enumerate() {
        let certificate = parse(der).ok_or(UnusableCertificate::MalformedCertificate {
            position: index + 1,
        })?;
        parsed.push(certificate);
    }
    // The public key is compared here, and not by `rustls::sign::CertifiedKey::keys_match`,
    // because that refuses X.509 v1 certificates, which `openssl x509 -req` makes by default.
    let of_key = |certificate: &&x509_parser::certificate::X509Certificate<'_>| match &key {
        Some(key) => certificate.public_key().raw == key.as_ref(),
        None => true,
    };
    let Some(leaf) = parsed.iter().position(|certificate| of_key(&certificate)) else {
        let subject = parsed.first().map(|first| first.subject().to_string());
        return Err(UnusableCertificate::KeyMismatch {
            subject: subject.unwrap_or_default(),
        });
    };
    let order = chain_order(&parsed, leaf);
    let info = parsed
        .get(leaf)
        .map(info)
        .ok_or(UnusableCertificate::UnsupportedKey)?;
    drop(parsed);
    let mut slots: Vec<_> = rest.drain(..).map(Some).collect();
    let chain = order
        .into_iter()
        .filter_map(|index| slots.get_mut(index).and_then(Option::take))
        .collect();
    Ok((chain, info))
}

/// The indices of `parsed` from `leaf` upwards, then whatever could not be linked, in file order.
fn chain_order(
    parsed: &[x509_parser::certificate::X509Certificate<'_>],
    leaf: usize,
) -> Vec<usize> {
    let mut left: Vec<usize> = (0..parsed.len()).filter(|index| *index != leaf).collect();
    let mut order = vec![leaf];
    let mut tip = parsed.get(leaf);
    while let Some(current) = tip {
        let issuer = left.iter().position(|index| {
            parsed
                .get(*index)
                .is_some_and(|other| other.subject().as_raw() == current.issuer().as_raw())
        });
        let Some(place) = issuer else { break };
        let index = left.remove(place);
        order.push(index);
        tip = parsed.get(index);
    }
    order.extend(left);
    order
}

fn check_validity(leaf: &CertificateInfo, now: i64) -> Result<(), UnusableCertificate> {
    let subject = leaf.subject.clone();
    if now > leaf.not_after {
        return Err(UnusableCertificate::Expired {
            subject,
            not_after: leaf.not_after,
        });
    }
    if now < leaf.not_before {
        return Err(UnusableCertificate::NotYetValid {
            subject,
            not_before: leaf.not_before,
        });
    }
    Ok(())
}
