//! CA bundles.

use std::sync::Arc;

use portcullis_ir::tls::TrustAnchors;
use rustls::RootCertStore;

use super::info::{info, parse};
use super::pem::{self, BadPem};

/// Why a CA bundle cannot be used. Each variant's text completes "ConfigMap x/y …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableBundle {
    /// No PEM.
    #[error("has a CA file that {0}")]
    BadFile(BadPem),
    /// PEM, but no certificate in it.
    #[error("has no \"CERTIFICATE\" block in its CA file; it holds {}", .found.join(", "))]
    NoCertificate {
        /// The labels of the blocks it has.
        found: Vec<String>,
    },
    /// A block is no X.509 certificate that can be a trust anchor.
    #[error("has a CA certificate that is not valid X.509 (block {position} of its CA file)")]
    MalformedCertificate {
        /// Counted from 1.
        position: usize,
    },
}

/// Reads the CA certificates of a PEM file. One bad certificate makes the whole bundle unusable:
/// half a bundle would refuse clients without a word.
pub fn trust_bundle(text: &[u8]) -> Result<Arc<TrustAnchors>, UnusableBundle> {
    let blocks = pem::blocks(text).map_err(UnusableBundle::BadFile)?;
    if blocks.certificates.is_empty() {
        return Err(UnusableBundle::NoCertificate {
            found: pem::labels(text),
        });
    }
    let mut certificates = Vec::with_capacity(blocks.certificates.len());
    let mut infos = Vec::with_capacity(blocks.certificates.len());
    for (index, der) in blocks.certificates.into_iter().enumerate() {
        let malformed = UnusableBundle::MalformedCertificate {
            position: index + 1,
        };
        let Some(parsed) = parse(&der) else {
            return Err(malformed);
        };
        infos.push(info(&parsed));
        certificates.push(Arc::from(der.as_ref()));
        // The judgement of the library that will use it.
        if RootCertStore::empty().add(der).is_err() {
            return Err(malformed);
        }
    }
    Ok(Arc::new(TrustAnchors {
        certificates,
        info: infos,
    }))
}
