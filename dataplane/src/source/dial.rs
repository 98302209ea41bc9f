//! From the controller's name to a stream.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use http::Uri;
use portcullis_wire::limits::{MAX_REPLY_BYTES, MAX_UPDATE_BYTES};
use portcullis_wire::messages::configuration_client::ConfigurationClient;
use portcullis_wire::messages::{DataPlaneMessage, StateUpdate};
use portcullis_wire::{Hello, Reply};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{error::Elapsed, timeout};
use tokio_rustls::TlsConnector;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status, Streaming};

use super::SourceConfig;
use super::client::Connection;
use super::race::race;

/// From TCP's first packet to the stream's first answer, for each address.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);

/// Messages to the controller that may wait.
const OUTBOUND: usize = 4;

/// Where the controller is: `https://<name>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    host: String,
    port: u16,
    /// Empty: those that the name has when they are needed.
    addresses: Vec<SocketAddr>,
}

/// Why a text does not say where the controller is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected https://<name>:<port>")]
pub struct InvalidController;

impl FromStr for Controller {
    type Err = InvalidController;

    fn from_str(text: &str) -> Result<Self, InvalidController> {
        let authority = text.strip_prefix("https://").ok_or(InvalidController)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = authority.rsplit_once(':').ok_or(InvalidController)?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = port.parse().map_err(|_| InvalidController)?;
        if ServerName::try_from(host).is_err() {
            return Err(InvalidController);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            addresses: Vec::new(),
        })
    }
}

impl Controller {
    /// The same at these addresses, whatever the name resolves to.
    #[must_use]
    pub fn at(self, addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, ..self }
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, DialError> {
        if !self.addresses.is_empty() {
            return Ok(self.addresses.clone());
        }
        match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
            Ok(addresses) => Ok(addresses.collect()),
            Err(source) => Err(DialError::Resolve {
                controller: self.clone(),
                source,
            }),
        }
    }

    fn origin(&self) -> Result<Uri, http::uri::InvalidUri> {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("https://[{host}]:{port}").parse()
        } else {
            format!("https://{host}:{port}").parse()
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why there is no stream. It is tried again for ever.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("{}: {source}", path.display())]
    Credentials { path: PathBuf, source: io::Error },
    #[error("{}: no certificate in it", path.display())]
    NoTrust { path: PathBuf },
    #[error("{}: not a token", path.display())]
    NoToken { path: PathBuf },
    #[error("{controller}: {source}")]
    Resolve {
        controller: Controller,
        source: io::Error,
    },
    #[error("{0} has no address")]
    NoAddress(Controller),
    #[error(transparent)]
    Name(#[from] InvalidDnsNameError),
    #[error(transparent)]
    Origin(#[from] http::uri::InvalidUri),
    #[error("{address}: {source}")]
    Address {
        address: SocketAddr,
        source: AttemptError,
    },
}

/// Why one address did not give a stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    #[error("took too long")]
    Timeout(#[from] Elapsed),
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error("{}", with_causes(.0))]
    Http(#[from] hyper::Error),
    #[error("{}", said_by(.0))]
    Refused(#[from] Box<Status>),
}

/// An error of hyper, which does not say what caused it.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

fn said_by(status: &Status) -> String {
    match status.source() {
        Some(error) => with_causes(error),
        None => format!("the controller says: {}", status.message()),
    }
}

/// A stream that a controller has accepted.
pub(super) struct Stream {
    /// What it says.
    pub(super) updates: Streaming<StateUpdate>,
    /// What is said to it.
    pub(super) replies: mpsc::Sender<DataPlaneMessage>,
    /// Where it is.
    pub(super) address: SocketAddr,
}

/// What is shown to every address.
struct Papers {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// HTTP/2 wants to be told again.
    origin: Uri,
    bearer: MetadataValue<tonic::metadata::Ascii>,
    hello: DataPlaneMessage,
}

/// Tries the controller's addresses, of which only the leader's accepts.
pub(super) async fn dial(config: &SourceConfig, hello: Hello) -> Result<Stream, DialError> {
    let SourceConfig {
        gateway: _,
        controller,
        credentials,
    } = config;
    let papers = Papers::read(controller, credentials, hello)?;
    let mut last = DialError::NoAddress(controller.clone());
    // A controller that hangs must not keep us from the one that leads in its place.
    let addresses = controller.resolve().await?.into_iter();
    let attempts = addresses.map(|address| papers.attempt(address));
    let stream = race(attempts, |(address, source)| {
        said(&mut last, address, source);
    });
    stream.await.ok_or(last)
}

/// Keeps the more telling of two errors: of several replicas all but one say that they do not lead.
fn said(last: &mut DialError, address: SocketAddr, source: AttemptError) {
    let refuses = |error: &AttemptError| match error {
        AttemptError::Refused(status) => status.code() != tonic::Code::Unavailable,
        AttemptError::Timeout(_) | AttemptError::Connect(_) | AttemptError::Http(_) => false,
    };
    match last {
        DialError::Address { source: before, .. } if refuses(before) && !refuses(&source) => {}
        _ => *last = DialError::Address { address, source },
    }
}

impl Papers {
    fn read(controller: &Controller, folder: &Path, hello: Hello) -> Result<Self, DialError> {
        let path = folder.join("token");
        let token = read(&path)?;
        let mut bearer = MetadataValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| DialError::NoToken { path })?;
        bearer.set_sensitive(true);
        Ok(Self {
            connector: connector(&folder.join("ca.crt"))?,
            name: ServerName::try_from(controller.host.clone())?,
            origin: controller.origin()?,
            bearer,
            hello: (&Reply::Hello(hello)).into(),
        })
    }

    /// Presents them within [`DIAL_TIMEOUT`].
    async fn attempt(&self, address: SocketAddr) -> Result<Stream, (SocketAddr, AttemptError)> {
        match timeout(DIAL_TIMEOUT, self.present(address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(source)) => Err((address, source)),
            Err(elapsed) => Err((address, elapsed.into())),
        }
    }

    async fn present(&self, address: SocketAddr) -> Result<Stream, AttemptError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        let connection = Connection::open(stream).await?;
        let mut client = ConfigurationClient::with_origin(connection, self.origin.clone())
            .max_decoding_message_size(MAX_UPDATE_BYTES)
            .max_encoding_message_size(MAX_REPLY_BYTES);
        let (replies, mut receiver) = mpsc::channel(OUTBOUND);
        // There is room: nothing was sent yet.
        let _ = replies.try_send(self.hello.clone());
        let replied = stream::poll_fn(move |context| receiver.poll_recv(context));
        let mut request = Request::new(replied);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.bearer.clone());
        let response = client.stream(request).await.map_err(Box::new)?;
        Ok(Stream {
            updates: response.into_inner(),
            replies,
            address,
        })
    }
}

fn read(path: &Path) -> Result<String, DialError> {
    std::fs::read_to_string(path).map_err(|source| DialError::Credentials {
        path: path.to_owned(),
        source,
    })
}

/// TLS that trusts the certificates in a file and no others.
fn connector(path: &Path) -> Result<TlsConnector, DialError> {
    let pem = read(path)?;
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).flatten();
    roots.add_parsable_certificates(certificates);
    let no_trust = || DialError::NoTrust {
        path: path.to_owned(),
    };
    if roots.is_empty() {
        return Err(no_trust());
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| no_trust())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_a_name_and_a_port() {
        let name = "https://portcullis-controller.portcullis-system.svc:18000";
        for (text, expected) in [
            (
                name,
                Some("portcullis-controller.portcullis-system.svc:18000"),
            ),
            ("https://localhost:1/", Some("localhost:1")),
            ("https://127.0.0.1:1", Some("127.0.0.1:1")),
            ("https://[::1]:1", Some("::1:1")),
            ("http://localhost:1", None),
            ("https://localhost", None),
            ("https://local host:1", None),
            ("https://:1", None),
            ("localhost:1", None),
        ] {
            let controller = text.parse::<Controller>().map(|c| c.to_string());
            assert_eq!(controller.ok().as_deref(), expected, "{text}");
        }
    }
}
