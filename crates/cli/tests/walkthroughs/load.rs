//! Clients that keep asking while something changes, and notice whatever goes wrong.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, Pair};

/// A leaf certificate in DER.
pub(crate) type Leaf = Vec<u8>;

/// Where the clients go and what they ask for.
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
    /// The answer's status; anything else is a failure.
    pub(crate) status: StatusCode,
    roots: RootCertStore,
}

/// The certificates a handshake may see now.
#[derive(Default)]
pub(crate) struct Expected(Mutex<BTreeSet<Leaf>>);

/// Clients at work until [`Load::finish`].
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<Result<(), String>>,
}

struct Shared {
    destination: Destination,
    expected: Arc<Expected>,
    done: AtomicBool,
    requests: AtomicU64,
    handshakes: AtomicU64,
}

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) handshakes: u64,
    /// What went wrong, one a client at most: a client ends with its first failure.
    pub(crate) failures: Vec<String>,
}

impl Destination {
    /// Certificates are verified for `host` against any of `authorities`.
    pub(crate) fn new(
        port: u16,
        host: &str,
        path: &str,
        status: u16,
        authorities: &[&Authority],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots
                .add(CertificateDer::from_pem_file(authority.certificate()).unwrap())
                .unwrap();
        }
        Self {
            address: ([127, 0, 0, 1], port).into(),
            host: host.to_owned(),
            path: path.to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            roots,
        }
    }

    fn request(&self, version: hyper::Version) -> Request<Empty<Bytes>> {
        let request = Request::builder().version(version);
        let request = match version {
            hyper::Version::HTTP_2 => request.uri(format!("https://{}{}", self.host, self.path)),
            _ => request.uri(&self.path).header("host", &self.host),
        };
        request.body(Empty::new()).unwrap()
    }

    /// A handshake, verified; `protocol` is offered by ALPN.
    async fn connect(&self, protocol: &str) -> Result<TlsStream<TcpStream>, String> {
        let mut config = ClientConfig::builder()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let tcp = TcpStream::connect(self.address)
            .await
            .map_err(|e| format!("connect: {e}"))?;
        let name = ServerName::try_from(self.host.clone()).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector
            .connect(name, tcp)
            .await
            .map_err(|e| format!("handshake: {e}"))
    }

    /// The leaf that a handshake sees now.
    pub(crate) async fn leaf(&self) -> Result<Leaf, String> {
        Ok(leaf_of(&self.connect("http/1.1").await?))
    }
}

impl Expected {
    /// From now on these, and no others.
    pub(crate) fn set<'a>(&self, pairs: impl IntoIterator<Item = &'a Pair>) {
        *self.0.lock() = pairs.into_iter().map(leaf_in).collect();
    }

    fn now(&self) -> BTreeSet<Leaf> {
        self.0.lock().clone()
    }
}

/// The leaf in a PEM file.
pub(crate) fn leaf_in(pair: &Pair) -> Leaf {
    CertificateDer::from_pem_file(&pair.certificate)
        .unwrap()
        .to_vec()
}

fn leaf_of(stream: &TlsStream<TcpStream>) -> Leaf {
    let certificates = stream.get_ref().1.peer_certificates();
    certificates
        .and_then(<[_]>::first)
        .map(|leaf| leaf.to_vec())
        .unwrap_or_default()
}

impl Load {
    /// Starts clients: HTTP/1.1 connections, HTTP/2 connections, and clients that shake hands for
    /// each request. Needs a multi-threaded runtime to be a load worth the name.
    pub(crate) fn start(destination: Destination, expected: Arc<Expected>) -> Self {
        let shared = Arc::new(Shared {
            destination,
            expected,
            done: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            handshakes: AtomicU64::new(0),
        });
        let mut clients = JoinSet::new();
        for _ in 0..2 {
            clients.spawn(keep_http1_open(shared.clone()));
            clients.spawn(keep_http2_open(shared.clone()));
            clients.spawn(shake_hands_again_and_again(shared.clone()));
        }
        Self { shared, clients }
    }

    /// Whether clients have begun to be answered, on new connections too.
    pub(crate) fn is_under_way(&self) -> bool {
        let counts = [&self.shared.requests, &self.shared.handshakes];
        counts.iter().all(|count| count.load(Ordering::Relaxed) > 0)
    }

    pub(crate) async fn finish(mut self) -> Tally {
        self.shared.done.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        while let Some(client) = self.clients.join_next().await {
            failures.extend(client.unwrap().err());
        }
        Tally {
            requests: self.shared.requests.load(Ordering::Relaxed),
            handshakes: self.shared.handshakes.load(Ordering::Relaxed),
            failures,
        }
    }
}

/// One connection for all requests: a server that closes it fails the test.
async fn keep_http1_open(shared: Arc<Shared>) -> Result<(), String> {
    let stream = shared.destination.connect("http/1.1").await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| format!("http1: {e}"))?;
    let driver = tokio::spawn(connection);
    while !shared.done.load(Ordering::Relaxed) {
        sender
            .ready()
            .await
            .map_err(|e| format!("http1 connection closed: {e}"))?;
        let request = shared.destination.request(hyper::Version::HTTP_11);
        let answer = sender.send_request(request).await;
        check("http1", &shared, answer).await?;
    }
    driver.abort();
    Ok(())
}

/// Several streams at a time on one connection.
async fn keep_http2_open(shared: Arc<Shared>) -> Result<(), String> {
    const STREAMS: usize = 8;
    let stream = shared.destination.connect("h2").await?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|e| format!("http2: {e}"))?;
    let driver = tokio::spawn(connection);
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let (shared, mut sender) = (shared.clone(), sender.clone());
        streams.spawn(async move {
            while !shared.done.load(Ordering::Relaxed) {
                sender
                    .ready()
                    .await
                    .map_err(|e| format!("http2 connection closed: {e}"))?;
                let request = shared.destination.request(hyper::Version::HTTP_2);
                let answer = sender.send_request(request).await;
                check("http2", &shared, answer).await?;
            }
            Ok(())
        });
    }
    let outcomes = streams.join_all().await;
    driver.abort();
    outcomes.into_iter().collect()
}

/// A connection for each request; its certificate must be one expected while it was made.
async fn shake_hands_again_and_again(shared: Arc<Shared>) -> Result<(), String> {
    while !shared.done.load(Ordering::Relaxed) {
        let before = shared.expected.now();
        let stream = shared.destination.connect("http/1.1").await?;
        let leaf = leaf_of(&stream);
        if !before.contains(&leaf) && !shared.expected.now().contains(&leaf) {
            return Err("handshake saw a certificate that is not the current one".to_owned());
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| format!("http1: {e}"))?;
        let driver = tokio::spawn(connection);
        let request = shared.destination.request(hyper::Version::HTTP_11);
        check(
            "new connection",
            &shared,
            sender.send_request(request).await,
        )
        .await?;
        driver.abort();
        shared.handshakes.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn check(
    client: &str,
    shared: &Shared,
    answer: hyper::Result<Response<hyper::body::Incoming>>,
) -> Result<(), String> {
    let answer = answer.map_err(|e| format!("{client}: {e:?}"))?;
    let status = answer.status();
    answer
        .into_body()
        .collect()
        .await
        .map_err(|e| format!("{client}: body: {e:?}"))?;
    if status != shared.destination.status {
        return Err(format!("{client}: answered {status}"));
    }
    shared.requests.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
