//! The rustls configuration of one backend.

use std::sync::Arc;

use portcullis_ir::BackendProtocol;
use portcullis_ir::tls::CertificateChain;
use rustls::client::{ClientConfig, ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls::{Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::failure::SetupFailure;
use super::names::Names;
use super::roots::Roots;
use super::verifier::Verifier;
use super::{Inputs, Ready};

/// Makes what is needed to connect. Errors: why no connection may be made.
pub(super) fn ready(inputs: &Inputs, roots: Arc<Roots>) -> Result<Ready, SetupFailure> {
    let hostname = inputs.policy.hostname.to_string();
    let name = ServerName::try_from(hostname.clone())
        .map_err(|_| SetupFailure::Hostname(hostname.clone()))?;
    let names = Names::new(&name, &inputs.policy.subject_alt_names)?;
    let provider = Arc::new(default_provider());
    let setup = |error: Error| SetupFailure::Tls(error.to_string());
    let verifier = Verifier::new(roots, names, provider.signature_verification_algorithms);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &inputs.certificate {
        None => builder.with_no_client_auth(),
        Some(chain) => builder.with_client_cert_resolver(Arc::new(Shown::new(chain)?)),
    };
    config.alpn_protocols = alpn(inputs.protocol);
    // Each `Endpoint` has its own sessions.
    config.resumption = Resumption::disabled();
    Ok(Ready { name, config })
}

/// What is offered by ALPN. A stream's protocol is its own affair.
fn alpn(protocol: BackendProtocol) -> Vec<Vec<u8>> {
    match protocol {
        BackendProtocol::Http1 => vec![b"http/1.1".to_vec()],
        BackendProtocol::H2c => vec![b"h2".to_vec()],
        BackendProtocol::Opaque => Vec::new(),
    }
}

/// The certificate that backends which ask for one are shown: always the one the Gateway names, of
/// whatever CA, as "[the Gateway's] client certificate" leaves no choice.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl Shown {
    fn new(chain: &CertificateChain) -> Result<Self, SetupFailure> {
        let CertificateChain {
            chain,
            key,
            leaf: _,
        } = chain;
        let unusable = |why: String| SetupFailure::ClientKey(why);
        let key = PrivateKeyDer::try_from(key.expose())
            .map_err(|_| unusable("it is in no known form".to_owned()))?;
        let key = any_supported_type(&key).map_err(|error| unusable(error.to_string()))?;
        let chain = chain
            .iter()
            .map(|der| CertificateDer::from(der.to_vec()))
            .collect();
        Ok(Self(Arc::new(CertifiedKey::new(chain, key))))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = self.0.key.choose_scheme(schemes).is_some();
        fits.then(|| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
