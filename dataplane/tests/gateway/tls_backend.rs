//! Backends over TLS, which note each handshake.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::backend::{custom, describe};
use crate::certs::{Ca, Identity};

/// A backend over TLS.
pub(crate) struct TlsBackend {
    pub(crate) at: SocketAddr,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
    config: Arc<Mutex<Arc<ServerConfig>>>,
}

/// What was agreed on with one connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Handshake {
    pub(crate) sni: Option<String>,
    pub(crate) alpn: Option<String>,
    pub(crate) kind: HandshakeKind,
    /// The certificate that the gateway showed.
    pub(crate) client: Option<Vec<u8>>,
}

impl TlsBackend {
    /// The handshakes that succeeded, in order.
    pub(crate) fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().clone()
    }

    /// What is served from the next handshake on.
    pub(crate) fn serve(&self, config: ServerConfig) {
        *self.config.lock() = Arc::new(config);
    }
}

/// What a backend shows and offers.
pub(crate) fn server(identity: &Identity, alpn: &[&str], clients: Option<&Ca>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(ca.der.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let (chain, key) = identity.chain_and_key();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// Does what `then` says with each connection once TLS has begun.
pub(crate) async fn over_tls<F, T>(config: ServerConfig, then: T) -> TlsBackend
where
    T: Fn(TlsStream<TcpStream>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let config = Arc::new(Mutex::new(Arc::new(config)));
    let handshakes = Arc::new(Mutex::new(Vec::new()));
    let (current, noted, then) = (Arc::clone(&config), Arc::clone(&handshakes), Arc::new(then));
    let backend = custom(move |stream, _| {
        let acceptor = TlsAcceptor::from(Arc::clone(&current.lock()));
        let (noted, then) = (Arc::clone(&noted), Arc::clone(&then));
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                noted.lock().push(Handshake::of(&stream));
                then(stream).await;
            }
        }
    })
    .await;
    TlsBackend {
        at: backend.at,
        handshakes,
        config,
    }
}

/// The echo backend, over TLS.
pub(crate) async fn echo_over_tls(config: ServerConfig) -> TlsBackend {
    over_tls(config, |stream| async {
        let service = service_fn(|request| describe("tls", request));
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let _ = server
            .serve_connection_with_upgrades(TokioIo::new(stream), service)
            .await;
    })
    .await
}

impl Handshake {
    fn of(stream: &TlsStream<TcpStream>) -> Self {
        let session = stream.get_ref().1;
        let alpn = session.alpn_protocol();
        let clients = session.peer_certificates().and_then(<[_]>::first);
        Self {
            sni: session.server_name().map(str::to_owned),
            alpn: alpn.map(|name| String::from_utf8(name.to_vec()).unwrap()),
            kind: session.handshake_kind().unwrap(),
            client: clients.map(|der| der.to_vec()),
        }
    }
}
