//! TLS to backends: one rustls configuration per backend, made when a snapshot is applied.
//!
//! A backend whose policy, CAs and client certificate stay as they are keeps its [`TlsClient`], and
//! with it its sessions to resume. Whatever changes makes a new one with other endpoints, to which
//! no connection is kept yet: a connection or a session that was made under other CAs, names or
//! certificates is never used again.
//!
//! What cannot be honoured fails closed: there is a client then too, and each handshake with it
//! fails with the reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_ir::tls::{BackendTls, BackendTrust, CertificateChain, TrustAnchors};
use portcullis_ir::{BackendProtocol, TrustBundleId};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) mod clients;
mod config;
mod endpoint;
pub(crate) mod failure;
mod names;
mod roots;
mod verifier;

use crate::limits;
use crate::metrics::BackendTlsMetrics;
use endpoint::{Endpoint, Endpoints};
use failure::{SetupFailure, TlsFailure};

/// How the endpoints of one backend are spoken to over TLS.
#[derive(Debug)]
pub(crate) struct TlsClient {
    inputs: Inputs,
    ready: Result<Ready, SetupFailure>,
    endpoints: Endpoints,
    metrics: Arc<BackendTlsMetrics>,
}

/// A client that can connect.
#[derive(Debug)]
struct Ready {
    name: ServerName<'static>,
    config: ClientConfig,
}

/// All that a client is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inputs {
    policy: Arc<BackendTls>,
    protocol: BackendProtocol,
    trust: TrustInputs,
    /// What a backend that asks for a certificate is shown. `None` if the Gateway names none, or one
    /// that is not to be had: that takes nothing from backends that ask for none, and it is for
    /// those that do to refuse.
    certificate: Option<Arc<CertificateChain>>,
}

/// The CAs in force for a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TrustInputs {
    System,
    /// Those of the bundles that are to be had.
    Bundles(Vec<(TrustBundleId, Arc<TrustAnchors>)>),
}

/// A number that this process gives once. Zero stands for clear text.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl TlsClient {
    fn new(
        inputs: Inputs,
        roots: Result<Arc<roots::Roots>, SetupFailure>,
        metrics: Arc<BackendTlsMetrics>,
    ) -> Self {
        let ready = roots.and_then(|roots| config::ready(&inputs, roots));
        Self {
            ready,
            endpoints: Endpoints::default(),
            inputs,
            metrics,
        }
    }

    /// Why no handshake succeeds, if that is so.
    pub(crate) fn unusable(&self) -> Option<&SetupFailure> {
        self.ready.as_ref().err()
    }

    /// The endpoint at `address`.
    pub(crate) fn endpoint(&self, address: SocketAddr) -> Arc<Endpoint> {
        let config = self.ready.as_ref().ok().map(|ready| &ready.config);
        self.endpoints.at(address, config)
    }

    /// Begins TLS on a connection to one of its endpoints. May be dropped at any time.
    pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        endpoint: &Endpoint,
        stream: S,
    ) -> Result<TlsStream<S>, TlsFailure> {
        let outcome = self.shake_hands(endpoint, stream).await;
        match &outcome {
            Ok(stream) => self.metrics.succeeded(stream.get_ref().1.handshake_kind()),
            Err(failure) => self.metrics.failures[failure.label()].increment(),
        }
        outcome
    }

    async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        endpoint: &Endpoint,
        stream: S,
    ) -> Result<TlsStream<S>, TlsFailure> {
        let ready = self.ready.as_ref().map_err(SetupFailure::clone)?;
        let config = endpoint.config.as_ref();
        let config = config.map_or_else(|| Arc::new(ready.config.clone()), Arc::clone);
        let connecting = TlsConnector::from(config).connect(ready.name.clone(), stream);
        match timeout(limits::BACKEND_HANDSHAKE_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(TlsFailure::of(&error, &self.inputs.policy)),
            Err(_) => Err(TlsFailure::Timeout),
        }
    }
}

impl Inputs {
    /// The bundles that are named, whether in force or not; `None` for the system's.
    fn named_bundles(&self) -> Option<&[TrustBundleId]> {
        match &self.policy.trust {
            BackendTrust::System => None,
            BackendTrust::Bundles(ids) => Some(ids),
        }
    }
}

#[cfg(test)]
mod tests;
