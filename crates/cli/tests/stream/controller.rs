//! The controller's side, with made-up pods.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};
use portcullis_controller::leader::Leadership;
use portcullis_controller::serve::identity::{AUDIENCE, Accounts, Review, ServiceAccount, Token};
use portcullis_controller::serve::metrics::ServeMetrics;
use portcullis_controller::serve::service::{Partners, Streams};
use portcullis_controller::serve::{Publisher, Report, listen};
use portcullis_ir::{ObjectKey, Snapshot};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// A certificate authority of this test, as data planes and controllers have it.
pub(crate) struct Authority {
    pub(crate) pem: String,
    served: Arc<SingleCertAndKey>,
}

impl Authority {
    /// Has signed a certificate for `localhost`.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
        let der = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signer = aws_lc_rs::sign::any_supported_type(&der).unwrap();
        let served = SingleCertAndKey::from(CertifiedKey::new(chain, signer));
        Self {
            pem: issuer.pem(),
            served: Arc::new(served),
        }
    }

    /// Writes what a data plane is given.
    pub(crate) fn mount(&self, folder: &Path, token: &str) {
        std::fs::write(folder.join("ca.crt"), &self.pem).unwrap();
        std::fs::write(folder.join("token"), token).unwrap();
    }
}

/// Believes tokens that say `<namespace>/<service account>/<pod>`.
struct Believer;

impl Review for Believer {
    fn review(&self, token: Token) -> BoxFuture<'_, Result<TokenReviewStatus, kube::Error>> {
        Box::pin(async move { Ok(believe(token.reveal())) })
    }
}

fn believe(token: &str) -> TokenReviewStatus {
    let parts: Vec<_> = token.split('/').collect();
    let [namespace, account, pod] = parts[..] else {
        return TokenReviewStatus::default();
    };
    let bound = |key: &str| {
        let key = format!("authentication.kubernetes.io/{key}");
        (key, vec![pod.to_owned()])
    };
    TokenReviewStatus {
        audiences: Some(vec![AUDIENCE.to_owned()]),
        authenticated: Some(true),
        error: None,
        user: Some(UserInfo {
            username: Some(format!("system:serviceaccount:{namespace}:{account}")),
            extra: Some([bound("pod-name"), bound("pod-uid")].into()),
            ..UserInfo::default()
        }),
    }
}

/// The token of a pod of Gateway `default/<gateway>`.
pub(crate) fn token(gateway: &str, pod: &str) -> String {
    format!("default/{gateway}-portcullis/{pod}")
}

fn accounts(gateways: &[&str]) -> Arc<Accounts> {
    let account = |gateway: &&str| {
        let account = ServiceAccount {
            namespace: "default".into(),
            name: format!("{gateway}-portcullis").into(),
        };
        (account, ObjectKey::new("default", *gateway))
    };
    Arc::new(gateways.iter().map(account).collect())
}

/// A controller process, as far as streams go. When it is dropped it is gone at once.
pub(crate) struct Controller {
    pub(crate) publisher: Publisher,
    pub(crate) leadership: Leadership,
    pub(crate) metrics: Arc<ServeMetrics>,
    pub(crate) at: SocketAddr,
    pub(crate) accounts: watch::Sender<Arc<Accounts>>,
    reports: mpsc::Receiver<Report>,
    runtime: Option<Runtime>,
}

impl Controller {
    /// Leads, on any free port.
    pub(crate) fn leader(authority: &Authority) -> Self {
        let controller = Self::follower(authority, (Ipv4Addr::LOCALHOST, 0).into());
        controller.lead();
        controller
    }

    pub(crate) fn follower(authority: &Authority, at: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let listener = runtime.block_on(TcpListener::bind(at)).unwrap();
        let at = listener.local_addr().unwrap();
        let (publisher, leadership) = (Publisher::default(), Leadership::none());
        let metrics = Arc::<ServeMetrics>::default();
        let (accounts, known) = watch::channel(accounts(&["g", "h"]));
        let (reports_sender, reports) = mpsc::channel(1024);
        let streams = Streams::new(Partners {
            review: Arc::new(Believer),
            accounts: known,
            publisher: publisher.clone(),
            leadership: leadership.clone(),
            reports: reports_sender,
            metrics: Arc::clone(&metrics),
        });
        let tls = listen::tls(Arc::clone(&authority.served) as _).unwrap();
        runtime.spawn(listen::serve(listener, tls, streams));
        drop(entered);
        Self {
            publisher,
            leadership,
            metrics,
            at,
            accounts,
            reports,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn lead(&self) {
        self.leadership
            .grant(Instant::now() + Duration::from_hours(1));
    }

    pub(crate) fn publish(&self, snapshot: &Arc<Snapshot>) {
        self.publisher
            .publish(&snapshot.gateway, Arc::clone(snapshot));
    }

    /// By what name data planes are told to find it.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.at.port())
    }

    /// What was reported and not yet taken.
    pub(crate) fn reports(&mut self) -> Vec<Report> {
        std::iter::from_fn(|| self.reports.try_recv().ok()).collect()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}
