//! How listeners end TLS: one rustls configuration per listener, made when a snapshot is applied.
//!
//! A listener whose certificates and client validation stay as they are keeps its configuration,
//! and with it its session tickets. Whatever changes makes a new one with new ticket keys: a
//! session begun under one listener or one client CA cannot be resumed under another.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::tls::{
    Certificate, CertificateChain, ClientValidation, ClientValidationMode, TlsTermination,
    TrustAnchors, TrustBundle,
};
use portcullis_ir::{
    CertificateId, Listener, ListenerId, ListenerProtocol, SharedMap, Snapshot, TrustBundleId,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;

pub(crate) mod certificates;
pub(crate) mod clients;
pub(crate) mod failure;
pub(crate) mod handshake;
mod version1;

use certificates::{CertificateFailure, Certificates};

use crate::admin::Kept;
use crate::limits;

/// How one listener ends TLS.
#[derive(Debug)]
pub(crate) struct Terminator {
    inputs: Inputs,
    /// The configuration, or why no handshake succeeds.
    pub(crate) config: Result<Arc<ServerConfig>, TerminationFailure>,
    /// The subjects of the CAs that clients' certificates may be issued by, for logs.
    pub(crate) trusted: Vec<String>,
}

/// Why a listener ends no handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TerminationFailure {
    /// Its Secret is gone, or never held anything usable.
    #[error("no usable certificate: {0}")]
    NoCertificate(String),
    /// rustls does not take what translate took.
    #[error("certificate {id}: {failure}")]
    Certificate {
        /// Which.
        id: CertificateId,
        /// Why.
        failure: CertificateFailure,
    },
    /// The crypto provider refused.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// All that a configuration is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inputs {
    inside: Inside,
    certificates: Vec<(CertificateId, Arc<CertificateChain>)>,
    /// Named by the listener, but not to be had.
    missing: Vec<CertificateId>,
    clients: Option<ClientInputs>,
}

/// What is spoken inside TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// HTTP, of the version that ALPN decides.
    Http,
    /// Whatever client and backend agree on; no protocol is picked from those a client offers.
    Bytes,
}

/// What is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientInputs {
    pub(crate) mode: ClientValidationMode,
    /// All bundles that are to be had. Empty: no client is valid.
    pub(crate) anchors: Vec<Arc<TrustAnchors>>,
}

/// The certificates and bundles in force.
///
/// "A data plane keeps the last usable certificate it has served under this id, if any"
/// (`portcullis_ir::tls::Certificate::Unusable`).
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    certificates: BTreeMap<CertificateId, Arc<CertificateChain>>,
    bundles: BTreeMap<TrustBundleId, Arc<TrustAnchors>>,
    /// What they were taken from last.
    seen: (
        SharedMap<CertificateId, Certificate>,
        SharedMap<TrustBundleId, TrustBundle>,
    ),
    /// How often they have changed.
    revision: u64,
}

impl Credentials {
    /// Takes over what is new in `snapshot`, and forgets what it does not name any more.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) {
        let (certificates, bundles) = &self.seen;
        if *certificates == snapshot.certificates && *bundles == snapshot.trust_bundles {
            return;
        }
        self.revision += 1;
        for change in snapshot.certificates.changes_since(certificates) {
            match change.after {
                None => drop(self.certificates.remove(change.key)),
                Some(Certificate::Usable(chain)) => {
                    self.certificates
                        .insert(change.key.clone(), Arc::clone(chain));
                }
                Some(Certificate::Unusable { .. }) => {}
            }
        }
        for change in snapshot.trust_bundles.changes_since(bundles) {
            match change.after {
                None => drop(self.bundles.remove(change.key)),
                Some(TrustBundle::Usable(anchors)) => {
                    self.bundles.insert(change.key.clone(), Arc::clone(anchors));
                }
                Some(TrustBundle::Unusable { .. }) => {}
            }
        }
        self.seen = (
            snapshot.certificates.clone(),
            snapshot.trust_bundles.clone(),
        );
    }

    /// Another number whenever something may be in force that was not before.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The certificate in force under `id`.
    pub(crate) fn certificate(&self, id: &CertificateId) -> Option<&Arc<CertificateChain>> {
        self.certificates.get(id)
    }

    /// The bundle in force under `id`.
    pub(crate) fn bundle(&self, id: &TrustBundleId) -> Option<&Arc<TrustAnchors>> {
        self.bundles.get(id)
    }

    /// What is in force although `snapshot` says that its source is unusable.
    pub(crate) fn kept(&self, snapshot: &Snapshot) -> Kept {
        let mut kept = Kept::default();
        for (id, certificate) in &snapshot.certificates {
            if let (Certificate::Unusable { .. }, Some(chain)) = (certificate, self.certificate(id))
            {
                kept.certificates.insert(id.clone(), chain.leaf.clone());
            }
        }
        for (id, bundle) in &snapshot.trust_bundles {
            if let (TrustBundle::Unusable { .. }, Some(anchors)) = (bundle, self.bundle(id)) {
                kept.trust.insert(id.clone(), anchors.info.clone());
            }
        }
        kept
    }

    fn inputs(&self, termination: &TlsTermination, inside: Inside) -> Inputs {
        let TlsTermination {
            certificates,
            client_validation,
        } = termination;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in certificates {
            match self.certificate(id) {
                Some(chain) => found.push((id.clone(), Arc::clone(chain))),
                None => missing.push(id.clone()),
            }
        }
        let clients = client_validation
            .as_ref()
            .map(|ClientValidation { trust, mode }| {
                let anchors = trust.iter().filter_map(|id| self.bundle(id).cloned());
                ClientInputs {
                    mode: *mode,
                    anchors: anchors.collect(),
                }
            });
        Inputs {
            inside,
            certificates: found,
            missing,
            clients,
        }
    }
}

/// The terminators of all listeners of `snapshot`; those of `before` stay where nothing changed.
pub(crate) fn terminators(
    snapshot: &Snapshot,
    credentials: &Credentials,
    before: &BTreeMap<ListenerId, Arc<Terminator>>,
) -> BTreeMap<ListenerId, Arc<Terminator>> {
    let mut terminators = BTreeMap::new();
    for (id, listener) in &snapshot.listeners {
        if let Some((termination, inside)) = termination(listener) {
            let inputs = credentials.inputs(termination, inside);
            let same = before
                .get(id)
                .filter(|terminator| terminator.inputs == inputs);
            let made = same
                .cloned()
                .unwrap_or_else(|| Arc::new(Terminator::new(inputs)));
            terminators.insert(id.clone(), made);
        }
    }
    terminators
}

/// The part of a listener that says how it ends TLS.
fn termination(listener: &Listener) -> Option<(&TlsTermination, Inside)> {
    match &listener.protocol {
        ListenerProtocol::Https(termination) => Some((termination, Inside::Http)),
        ListenerProtocol::TlsTerminate(termination) => Some((termination, Inside::Bytes)),
        ListenerProtocol::Http
        | ListenerProtocol::TlsPassthrough
        | ListenerProtocol::Tcp
        | ListenerProtocol::Udp => None,
    }
}

impl Terminator {
    fn new(inputs: Inputs) -> Self {
        let anchors = inputs.clients.iter().flat_map(|clients| &clients.anchors);
        let subjects = anchors.flat_map(|anchors| &anchors.info);
        let trusted = subjects.map(|info| info.subject.clone()).collect();
        Self {
            config: config(&inputs).map(Arc::new),
            trusted,
            inputs,
        }
    }

    /// Whether a client that `other` let in would be let in here: same mode, same CAs. What the
    /// server itself shows is no matter, so that a new certificate disturbs no open connection.
    pub(crate) fn asks_clients_like(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.inputs.clients == other.inputs.clients
    }

    /// The certificates really served.
    pub(crate) fn served(&self) -> &[(CertificateId, Arc<CertificateChain>)] {
        &self.inputs.certificates
    }
}

fn config(inputs: &Inputs) -> Result<ServerConfig, TerminationFailure> {
    if inputs.certificates.is_empty() {
        let missing: Vec<_> = inputs.missing.iter().map(CertificateId::as_str).collect();
        return Err(TerminationFailure::NoCertificate(missing.join(", ")));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificates = Certificates::new(&inputs.certificates)?;
    let setup = |error: rustls::Error| TerminationFailure::Setup(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(setup)?;
    let builder = match &inputs.clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(clients::verifier(clients, &provider)),
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = match inputs.inside {
        Inside::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Inside::Bytes => Vec::new(),
    };
    // Own ticket keys and an own cache: see the top of this file.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(setup)?;
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(limits::TLS_SESSIONS);
    Ok(config)
}

/// The one crypto provider.
pub(crate) type Provider = Arc<CryptoProvider>;
