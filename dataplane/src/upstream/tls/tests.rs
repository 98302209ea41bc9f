use std::collections::BTreeMap;

use portcullis_ir::backend::Backend;
use portcullis_ir::tls::{SubjectAltName, TrustBundle};
use portcullis_ir::{HostPattern, ObjectKey, Snapshot};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::clients::{Setup, TrustStores};
use super::*;
use crate::listener::tls::Credentials;
use crate::metrics::Metrics;

/// A certificate authority, or what one signed.
struct Authority {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// What a backend shows: its chain, leaf first, and its key.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "ca");
    params
}

fn root() -> Authority {
    let key = KeyPair::generate().unwrap();
    let der = ca_params().self_signed(&key).unwrap().der().clone();
    Authority {
        der,
        issuer: Issuer::new(ca_params(), key),
    }
}

fn params(names: &[SanType]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    params
}

impl Authority {
    fn sign(&self, params: &CertificateParams) -> Shown {
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Shown {
            chain: vec![der],
            key,
        }
    }

    fn intermediate(&self) -> Self {
        let mut params = ca_params();
        params
            .distinguished_name
            .push(DnType::CommonName, "intermediate");
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Self {
            der,
            issuer: Issuer::new(params, key),
        }
    }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri(uri: &str) -> SanType {
    SanType::URI(uri.try_into().unwrap())
}

fn wants_dns(name: &str) -> SubjectAltName {
    SubjectAltName::Dns(HostPattern::parse(name).unwrap())
}

fn wants_uri(uri: &str) -> SubjectAltName {
    SubjectAltName::Uri(uri.into())
}

fn policy(hostname: &str, names: &[SubjectAltName]) -> BackendTls {
    BackendTls {
        hostname: hostname.into(),
        subject_alt_names: names.to_vec(),
        trust: BackendTrust::Bundles(vec![TrustBundleId::new("ca")]),
        client_certificate: None,
    }
}

fn backend(policy: BackendTls) -> Backend {
    Backend {
        protocol: BackendProtocol::Http1,
        tls: Some(Arc::new(policy)),
        endpoints: Vec::new(),
    }
}

/// The credentials of a snapshot with the bundle `ca`.
fn trusting(der: &[u8]) -> Credentials {
    let mut snapshot = Snapshot::empty(ObjectKey::new("default", "gateway"), 1);
    let anchors = TrustAnchors {
        certificates: vec![Arc::from(der)],
        info: Vec::new(),
    };
    let bundle = TrustBundle::Usable(Arc::new(anchors));
    snapshot
        .trust_bundles
        .insert(TrustBundleId::new("ca"), bundle);
    let mut credentials = Credentials::default();
    credentials.update(&snapshot);
    credentials
}

fn client(policy: BackendTls, credentials: &Credentials) -> Arc<TlsClient> {
    let metrics = Metrics::new().gateway(&ObjectKey::new("default", "gateway"));
    let setup = Setup {
        credentials,
        metrics: &metrics,
    };
    let stores = TrustStores::default();
    stores.client(&backend(policy), &setup, None).unwrap()
}

/// What comes of a handshake with a backend that shows `shown`.
async fn outcome(client: &TlsClient, shown: &Shown) -> Result<(), TlsFailure> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(shown.key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(shown.chain.clone(), key)
        .unwrap();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accepting = tokio::spawn(TlsAcceptor::from(Arc::new(config)).accept(far));
    let endpoint = client.endpoint("127.0.0.1:1".parse().unwrap());
    let outcome = client.handshake(&endpoint, near).await;
    let _ = accepting.await;
    outcome.map(|_| ())
}

/// A certificate's one name, what is wanted of it, and whether it is accepted.
struct Case {
    has: SanType,
    hostname: &'static str,
    wants: Vec<SubjectAltName>,
    accepted: bool,
}

async fn check_names(cases: impl IntoIterator<Item = Case>) {
    let ca = root();
    let credentials = trusting(&ca.der);
    for case in cases {
        let Case {
            has,
            hostname,
            wants,
            accepted,
        } = case;
        let shown = ca.sign(&params(std::slice::from_ref(&has)));
        let client = client(policy(hostname, &wants), &credentials);
        let outcome = outcome(&client, &shown).await;
        let text = format!("{has:?} for {hostname}, {wants:?}: {outcome:?}");
        match outcome {
            Ok(()) => assert!(accepted, "{text}"),
            Err(failure) => {
                assert!(!accepted, "{text}");
                assert!(matches!(failure, TlsFailure::Name { .. }), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_must_be_for_the_hostname() {
    let ip = SanType::IpAddress("10.0.0.1".parse().unwrap());
    let cases = [
        (dns("a.example.com"), "a.example.com", true),
        (dns("A.Example.com"), "a.example.com", true),
        (dns("b.example.com"), "a.example.com", false),
        // A certificate's wildcard stands for one label.
        (dns("*.example.com"), "a.example.com", true),
        (dns("*.example.com"), "a.b.example.com", false),
        (dns("*.example.com"), "example.com", false),
        (ip.clone(), "10.0.0.1", true),
        (ip, "10.0.0.2", false),
        (uri("spiffe://example.com"), "example.com", false),
    ];
    check_names(cases.map(|(has, hostname, accepted)| Case {
        has,
        hostname,
        wants: Vec::new(),
        accepted,
    }))
    .await;
}

#[tokio::test]
async fn a_certificate_must_have_one_of_the_names_if_there_are_any() {
    let id = "spiffe://example.com/ns/a";
    let below = || vec![wants_dns("*.example.com")];
    let cases = [
        // The hostname does not count.
        (
            dns("a.example.com"),
            vec![wants_dns("b.example.com")],
            false,
        ),
        (dns("b.example.com"), vec![wants_dns("b.example.com")], true),
        (uri(id), vec![wants_uri(id)], true),
        (
            uri("spiffe://example.com/ns/a/b"),
            vec![wants_uri(id)],
            false,
        ),
        (uri("spiffe://example.com/ns/A"), vec![wants_uri(id)], false),
        // A URI is no DNS name, whatever it looks like.
        (dns("example.com"), vec![wants_uri("example.com")], false),
        (
            dns("b.example.com"),
            vec![wants_uri(id), wants_dns("b.example.com")],
            true,
        ),
        // A wildcard stands for one label.
        (dns("x.example.com"), below(), true),
        (dns("X.Example.Com"), below(), true),
        (dns("*.example.com"), below(), true),
        (dns("y.x.example.com"), below(), false),
        (dns("example.com"), below(), false),
        (dns("x.badexample.com"), below(), false),
    ];
    check_names(cases.map(|(has, wants, accepted)| Case {
        has,
        hostname: "a.example.com",
        wants,
        accepted,
    }))
    .await;
}

#[tokio::test]
async fn a_chain_must_end_in_a_trusted_ca() {
    let (ca, other) = (root(), root());
    let names = params(&[dns("a.example.com")]);
    let client = client(policy("a.example.com", &[]), &trusting(&ca.der));
    assert_eq!(outcome(&client, &ca.sign(&names)).await, Ok(()));
    let stranger = other.sign(&names);
    let unknown = Err(TlsFailure::UnknownIssuer);
    assert_eq!(outcome(&client, &stranger).await, unknown);

    let intermediate = ca.intermediate();
    let mut shown = intermediate.sign(&names);
    assert_eq!(outcome(&client, &shown).await, unknown, "not sent along");
    shown.chain.push(intermediate.der.clone());
    assert_eq!(outcome(&client, &shown).await, Ok(()));
}

#[tokio::test]
async fn a_certificate_must_be_within_its_time() {
    let ca = root();
    let client = client(policy("a.example.com", &[]), &trusting(&ca.der));
    let mut old = params(&[dns("a.example.com")]);
    old.not_after = rcgen::date_time_ymd(2001, 1, 1);
    old.not_before = rcgen::date_time_ymd(2000, 1, 1);
    let expired = Err(TlsFailure::Expired);
    assert_eq!(outcome(&client, &ca.sign(&old)).await, expired);
    let mut new = params(&[dns("a.example.com")]);
    new.not_before = rcgen::date_time_ymd(3000, 1, 1);
    new.not_after = rcgen::date_time_ymd(3001, 1, 1);
    let not_yet = Err(TlsFailure::NotYetValid);
    assert_eq!(outcome(&client, &ca.sign(&new)).await, not_yet);
}

#[tokio::test]
async fn a_bundle_may_be_the_backends_own_certificate() {
    // As `openssl req -x509` makes them: self-signed, and said to be a CA.
    let mut params = params(&[dns("a.example.com")]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    let shown = Shown {
        chain: vec![der.clone()],
        key,
    };
    let credentials = trusting(&der);
    let of = |hostname| client(policy(hostname, &[]), &credentials);
    assert_eq!(outcome(&of("a.example.com"), &shown).await, Ok(()));
    assert!(matches!(
        outcome(&of("b.example.com"), &shown).await,
        Err(TlsFailure::Name { .. })
    ));
}

#[test]
fn a_client_stays_while_nothing_changes_for_it() {
    let ca = root();
    let credentials = trusting(&ca.der);
    let metrics = Metrics::new().gateway(&ObjectKey::new("default", "gateway"));
    let stores = TrustStores::default();
    let setup = Setup {
        credentials: &credentials,
        metrics: &metrics,
    };
    let first = stores.client(&backend(policy("a.example.com", &[])), &setup, None);
    let same = stores.client(
        &backend(policy("a.example.com", &[])),
        &setup,
        first.as_ref(),
    );
    assert!(Arc::ptr_eq(first.as_ref().unwrap(), same.as_ref().unwrap()));

    let renamed = stores.client(
        &backend(policy("b.example.com", &[])),
        &setup,
        first.as_ref(),
    );
    assert!(!Arc::ptr_eq(first.as_ref().unwrap(), &renamed.unwrap()));

    let (rotated, before) = (trusting(&root().der), first.unwrap());
    let setup = Setup {
        credentials: &rotated,
        metrics: &metrics,
    };
    let next = stores.client(
        &backend(policy("a.example.com", &[])),
        &setup,
        Some(&before),
    );
    let next = next.unwrap();
    assert!(!Arc::ptr_eq(&before, &next));
    let address = "127.0.0.1:1".parse().unwrap();
    assert_ne!(before.endpoint(address).id, next.endpoint(address).id);
}

#[test]
fn a_hundred_snapshots_leave_one_client_and_one_set_of_cas() {
    let metrics = Metrics::new().gateway(&ObjectKey::new("default", "gateway"));
    let stores = TrustStores::default();
    let mut clients: BTreeMap<usize, std::sync::Weak<TlsClient>> = BTreeMap::new();
    let mut current = None;
    for round in 0..100 {
        let credentials = trusting(&root().der);
        let setup = Setup {
            credentials: &credentials,
            metrics: &metrics,
        };
        current = stores.client(
            &backend(policy("a.example.com", &[])),
            &setup,
            current.as_ref(),
        );
        clients.insert(round, Arc::downgrade(current.as_ref().unwrap()));
    }
    let alive = clients.values().filter(|client| client.strong_count() > 0);
    assert_eq!(alive.count(), 1);
    assert_eq!(stores.known(), 1);
}

#[test]
fn backends_that_trust_the_same_share_it() {
    let ca = root();
    let credentials = trusting(&ca.der);
    let metrics = Metrics::new().gateway(&ObjectKey::new("default", "gateway"));
    let setup = Setup {
        credentials: &credentials,
        metrics: &metrics,
    };
    let stores = TrustStores::default();
    let names = ["a.example.com", "b.example.com", "c.example.com"];
    let clients = names.map(|name| stores.client(&backend(policy(name, &[])), &setup, None));
    assert!(
        clients
            .iter()
            .flatten()
            .all(|client| client.unusable().is_none())
    );
    assert_eq!(stores.known(), 1);
}

#[test]
fn what_was_usable_stays_in_force() {
    let ca = root();
    let mut credentials = trusting(&ca.der);
    let metrics = Metrics::new().gateway(&ObjectKey::new("default", "gateway"));
    let stores = TrustStores::default();
    let before = stores.client(
        &backend(policy("a.example.com", &[])),
        &Setup {
            credentials: &credentials,
            metrics: &metrics,
        },
        None,
    );
    let mut snapshot = Snapshot::empty(ObjectKey::new("default", "gateway"), 2);
    let unusable = TrustBundle::Unusable {
        reason: "garbage".to_owned(),
    };
    snapshot
        .trust_bundles
        .insert(TrustBundleId::new("ca"), unusable);
    credentials.update(&snapshot);
    let after = stores.client(
        &backend(policy("a.example.com", &[])),
        &Setup {
            credentials: &credentials,
            metrics: &metrics,
        },
        before.as_ref(),
    );
    assert!(Arc::ptr_eq(&before.unwrap(), &after.unwrap()));
}
