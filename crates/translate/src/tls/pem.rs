//! The PEM blocks of a file.

use rustls_pki_types::pem::{Error, PemObject, SectionKind};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

/// What a PEM file holds of what we look for.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
}

/// Why a file cannot be read as PEM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPem {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// No `-----BEGIN` line.
    #[error("is not PEM: it has no line \"-----BEGIN …-----\"{}", if *.der { " (it looks like DER; convert it with `openssl x509 -inform der`)" } else { "" })]
    NotPem {
        /// Whether it begins like a DER sequence.
        der: bool,
    },
    /// A `BEGIN` without its `END`: the file is cut off.
    #[error("is cut off: there is no line {end:?}")]
    NoEnd {
        /// The line that is missing.
        end: String,
    },
    /// The text between `BEGIN` and `END` is no base64.
    #[error("holds a PEM block that is not base64")]
    Base64,
    /// A `BEGIN` line that holds more or less than it should. It is not quoted: without its line
    /// breaks, a file is one line, and the key in it.
    #[error(
        "has a BEGIN line that is not \"-----BEGIN …-----\" alone; PEM needs its line breaks (in YAML, begin the value with `|`)"
    )]
    BadBegin,
    /// Anything else.
    #[error("is not PEM: {0}")]
    Syntax(String),
}

/// Reads every certificate and key of `text`. Other blocks (`EC PARAMETERS`, …) and the text
/// between blocks are skipped.
pub(super) fn blocks(text: &[u8]) -> Result<Blocks, BadPem> {
    if text.trim_ascii().is_empty() {
        return Err(BadPem::Empty);
    }
    if labels(text).is_empty() {
        return Err(BadPem::NotPem {
            der: text.first() == Some(&0x30),
        });
    }
    let mut blocks = Blocks::default();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        let (kind, der) = section.map_err(|error| bad(&error))?;
        match kind {
            SectionKind::Certificate => blocks.certificates.push(der.into()),
            SectionKind::RsaPrivateKey => blocks.keys.push(PrivatePkcs1KeyDer::from(der).into()),
            SectionKind::PrivateKey => blocks.keys.push(PrivatePkcs8KeyDer::from(der).into()),
            SectionKind::EcPrivateKey => blocks.keys.push(PrivateSec1KeyDer::from(der).into()),
            _ => {}
        }
    }
    Ok(blocks)
}

/// The labels of the blocks, such as `CERTIFICATE`, in the order of the file.
///
/// They get into statuses. In a file whose line breaks were lost, what follows the label is the key
/// itself.
pub(super) fn labels(text: &[u8]) -> Vec<String> {
    text.split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter_map(|line| line.trim_ascii_end().strip_prefix(b"-----BEGIN "))
        .map(|rest| rest.strip_suffix(b"-----").unwrap_or(rest))
        .map(|label| {
            if is_label(label) {
                String::from_utf8_lossy(label).into_owned()
            } else {
                "a block without a proper label".to_owned()
            }
        })
        .collect()
}

/// Whether this is like the labels of RFC 7468, all of which are short words in capitals.
fn is_label(text: &[u8]) -> bool {
    let is_allowed =
        |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
    text.len() <= 40 && text.iter().all(is_allowed)
}

/// Whether `text` holds a private key that is encrypted: in PKCS#8, or in the old way with a
/// `Proc-Type` header.
pub(super) fn holds_encrypted_key(text: &[u8]) -> bool {
    labels(text)
        .iter()
        .any(|label| label == "ENCRYPTED PRIVATE KEY")
        || text
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .any(|line| line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED"))
}

fn bad(error: &Error) -> BadPem {
    match error {
        Error::MissingSectionEnd { end_marker } if is_label(end_marker) => BadPem::NoEnd {
            end: format!("-----END {}-----", String::from_utf8_lossy(end_marker)),
        },
        Error::MissingSectionEnd { .. } | Error::IllegalSectionStart { .. } => BadPem::BadBegin,
        Error::Base64Decode(_) => BadPem::Base64,
        other => BadPem::Syntax(other.to_string()),
    }
}
