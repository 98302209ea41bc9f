//! Certificate authorities, and what they sign.

use std::sync::Arc;

use portcullis_ir::tls::{Certificate, CertificateChain, CertificateInfo, Secret};
use portcullis_ir::tls::{TrustAnchors, TrustBundle};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub(crate) struct Ca {
    pub(crate) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    name: String,
}

pub(crate) fn ca(name: &str) -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    Ca {
        der,
        issuer: Issuer::new(params, key),
        name: name.to_owned(),
    }
}

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) key: Vec<u8>,
    names: Vec<String>,
}

/// rustls' own way of showing a certificate refuses version 1.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl Identity {
    /// As a snapshot carries it.
    pub(crate) fn as_certificate(&self) -> Certificate {
        Certificate::Usable(Arc::new(CertificateChain {
            chain: vec![Arc::from(self.der.as_ref())],
            key: Secret::new(self.key.clone()),
            leaf: info("leaf", &self.names),
        }))
    }

    /// As a server shows it.
    pub(crate) fn chain_and_key(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        (vec![self.der.clone()], key)
    }

    fn shown(&self) -> Shown {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Shown(Arc::new(CertifiedKey::new(vec![self.der.clone()], key)))
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Ca {
    pub(crate) fn sign(&self, names: &[&str]) -> Identity {
        self.sign_with(names, |_| ())
    }

    /// A certificate that says more than its names.
    pub(crate) fn sign_with(
        &self,
        names: &[&str],
        more: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        more(&mut params);
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Identity {
            der,
            key: key.serialize_der(),
            names,
        }
    }

    /// A certificate as a snapshot carries it.
    pub(crate) fn certificate(&self, names: &[&str]) -> Certificate {
        self.sign(names).as_certificate()
    }

    pub(crate) fn bundle(&self) -> TrustBundle {
        bundle(&self.name, &self.der)
    }
}

pub(crate) fn bundle(name: &str, der: &[u8]) -> TrustBundle {
    TrustBundle::Usable(Arc::new(TrustAnchors {
        certificates: vec![Arc::from(der)],
        info: vec![info(name, &[])],
    }))
}

fn info(name: &str, names: &[String]) -> CertificateInfo {
    CertificateInfo {
        subject: format!("CN={name}"),
        issuer: String::new(),
        subject_alt_names: names.to_vec(),
        not_before: 0,
        not_after: i64::MAX,
        serial: "01".to_owned(),
    }
}

/// What a client trusts, shows and offers.
pub(crate) struct Client<'a> {
    pub(crate) trusts: &'a Ca,
    pub(crate) shows: Option<&'a Identity>,
    pub(crate) alpn: &'a [&'a str],
    pub(crate) versions: &'static [&'static rustls::SupportedProtocolVersion],
}

impl Client<'_> {
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.trusts.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.shows {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(identity.shown())),
        };
        config.alpn_protocols = self
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

pub(crate) fn client(trusts: &Ca) -> Client<'_> {
    Client {
        trusts,
        shows: None,
        alpn: &[],
        versions: rustls::ALL_VERSIONS,
    }
}

/// The client of the walkthroughs: X.509 version 1, from `openssl x509 -req` of OpenSSL 3.0.
pub(crate) fn version1_client() -> (TrustBundle, Identity) {
    use rustls_pki_types::pem::PemObject;
    let ca = CertificateDer::from_pem_slice(include_bytes!("version1/ca.pem")).unwrap();
    let der = CertificateDer::from_pem_slice(include_bytes!("version1/client.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("version1/client.key")).unwrap();
    let identity = Identity {
        der,
        key: key.secret_der().to_vec(),
        names: Vec::new(),
    };
    (bundle("example.com", &ca), identity)
}
