//! Which of a listener's certificates a client is shown.

use std::sync::Arc;

use portcullis_ir::CertificateId;
use portcullis_ir::tls::CertificateChain;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TerminationFailure;

/// The certificates of one listener, first choice first.
#[derive(Debug)]
pub(crate) struct Certificates(Vec<Choice>);

#[derive(Debug)]
struct Choice {
    key: Arc<CertifiedKey>,
    /// Lower case; may start with `*.`.
    names: Vec<String>,
}

/// Why a certificate cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateFailure {
    /// Neither PKCS#8, PKCS#1 nor SEC1.
    #[error("the private key is in no known form")]
    KeyForm,
    /// A kind of key that is not served.
    #[error("the private key cannot be used: {0}")]
    Key(String),
}

impl Certificates {
    /// Loads the keys. Errors: the first certificate that cannot be served.
    pub(crate) fn new(
        chains: &[(CertificateId, Arc<CertificateChain>)],
    ) -> Result<Self, TerminationFailure> {
        let choice = |(id, chain): &(CertificateId, Arc<CertificateChain>)| {
            let loaded = Choice::new(chain);
            loaded.map_err(|failure| TerminationFailure::Certificate {
                id: id.clone(),
                failure,
            })
        };
        chains
            .iter()
            .map(choice)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl ResolvesServerCert for Certificates {
    /// The first certificate for the name whose key the client can verify; failing that, the first
    /// that it can verify. A listener serves what it is given: that it fits its hostname is for
    /// the user to see to.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let mut verifiable = self
            .0
            .iter()
            .filter(|choice| choice.key.key.choose_scheme(schemes).is_some());
        let named = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            verifiable.clone().find(|choice| choice.is_for(&name))
        });
        named
            .or_else(|| verifiable.next())
            .map(|choice| Arc::clone(&choice.key))
    }
}

impl Choice {
    fn new(chain: &CertificateChain) -> Result<Self, CertificateFailure> {
        let CertificateChain { chain, key, leaf } = chain;
        let key = PrivateKeyDer::try_from(key.expose()).map_err(|_| CertificateFailure::KeyForm)?;
        let key = any_supported_type(&key).map_err(|e| CertificateFailure::Key(e.to_string()))?;
        let chain = chain
            .iter()
            .map(|der| CertificateDer::from(der.to_vec()))
            .collect();
        let names = leaf
            .subject_alt_names
            .iter()
            .map(|name| name.to_ascii_lowercase());
        // That key and leaf match was checked by translate; checking again here would refuse
        // X.509 version 1 leaves, which `openssl x509 -req` makes and clients take.
        Ok(Self {
            key: Arc::new(CertifiedKey::new(chain, key)),
            names: names.collect(),
        })
    }

    /// "the left-most label of the identifier" is the only wildcard (RFC 9525 section 6.3).
    fn is_for(&self, name: &str) -> bool {
        let below = name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(parent) => below == Some(parent),
            None => own == name,
        })
    }
}
