//! A TLS connection to an endpoint as pingora takes it: below its sessions, as if it were the wire.
//!
//! pingora keeps idle connections by their descriptor and looks at the address behind it, and what
//! is no socket of the system's has none: it would take each such connection from its pool only to
//! throw it away. So HTTP/1.1 connections are kept by us, see [`super::idle`], and HTTP/2 ones
//! are given a descriptor, see [`super::pump`].

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::l4::socket::SocketAddr as PeerAddr;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora_error::{Error, ErrorType, Result};
use portcullis_ir::BackendProtocol;
use tokio_rustls::client::TlsStream;

use super::endpoint::Endpoint;
use super::failure::TlsFailure;
use super::idle::{Idle, Kept, Wire};
use super::{TlsClient, pump};
use crate::stream::socket::Socket;
use crate::upstream::cluster::Pick;
use crate::upstream::connect;

/// One attempt's way to an endpoint over TLS.
#[derive(Debug)]
pub(crate) struct Attempt {
    client: Arc<TlsClient>,
    endpoint: Arc<Endpoint>,
    protocol: BackendProtocol,
    idle: Arc<Idle>,
    /// The HTTP/1.1 connection, once there is one.
    connection: Mutex<Option<Arc<Kept>>>,
}

impl Attempt {
    /// The way to `pick`; `None` if that is in clear text. `idle` are the connections of this
    /// worker.
    pub(crate) fn new(pick: &Pick, idle: &Arc<Idle>) -> Option<Arc<Self>> {
        let client = pick.tls.as_ref()?;
        Some(Arc::new(Self {
            client: Arc::clone(client),
            endpoint: client.endpoint(pick.address),
            protocol: pick.protocol,
            idle: Arc::clone(idle),
            connection: Mutex::new(None),
        }))
    }

    /// Where pingora is told that the endpoint is, and the key of its pool.
    ///
    /// To its check of pooled connections the address 0.0.0.0 is any, as that of a descriptor of
    /// ours has to be; the key is then the endpoint's own. Connections that are kept by us must
    /// never be found in its pool: each has a key of its own.
    pub(crate) fn peer(&self) -> (SocketAddr, u64) {
        match self.protocol {
            BackendProtocol::H2c => ((Ipv4Addr::UNSPECIFIED, 0).into(), self.endpoint.id),
            BackendProtocol::Http1 | BackendProtocol::Opaque => {
                (self.endpoint.address, super::next_id())
            }
        }
    }

    /// Whether its connection had served another request before.
    pub(crate) fn is_reused(&self) -> bool {
        let connection = self.connection.lock();
        connection.as_ref().is_some_and(|kept| kept.is_reused())
    }

    /// To be called when the request is over: keeps the connection for the next one if pingora did
    /// not close it.
    pub(crate) fn finish(&self) {
        if let Some(connection) = self.connection.lock().take() {
            self.idle.keep(self.endpoint.id, connection);
        }
    }

    async fn connect(&self) -> Result<TlsStream<Socket>> {
        let socket = connect::socket(self.endpoint.address).await;
        let socket = socket.map_err(unreached)?;
        let stream = self.client.handshake(&self.endpoint, socket).await;
        stream.map_err(no_tls)
    }

    async fn wire(&self) -> Result<Stream> {
        let kept = match self.idle.take(self.endpoint.id) {
            Some(stream) => Kept::reused(stream),
            None => Kept::new(self.connect().await?),
        };
        let kept = Arc::new(kept);
        *self.connection.lock() = Some(Arc::clone(&kept));
        let wire = Wire::new(kept, &self.idle, self.endpoint.id);
        Ok(Stream::from(VirtualSocketStream::new(Box::new(wire))))
    }
}

#[async_trait]
impl L4Connect for Attempt {
    async fn connect(&self, _: &PeerAddr) -> Result<Stream> {
        match self.protocol {
            BackendProtocol::H2c => pump::start(self.connect().await?)
                .map(Stream::from)
                .map_err(|error| unreached(error.into())),
            BackendProtocol::Http1 | BackendProtocol::Opaque => self.wire().await,
        }
    }
}

impl VirtualSocket for Wire {
    /// [`connect::socket`] has set them all.
    fn set_socket_option(&self, _: VirtualSockOpt) -> std::io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "pingora's errors are boxed")]
fn unreached(error: connect::Unreached) -> Box<Error> {
    let kind = match error {
        connect::Unreached::Timeout => ErrorType::ConnectTimedout,
        connect::Unreached::Io(_) => ErrorType::ConnectError,
    };
    Error::because(kind, "connecting to a TLS backend", error)
}

#[expect(clippy::unnecessary_box_returns, reason = "pingora's errors are boxed")]
fn no_tls(failure: TlsFailure) -> Box<Error> {
    let kind = match failure {
        TlsFailure::Timeout => ErrorType::TLSHandshakeTimedout,
        _ => ErrorType::TLSHandshakeFailure,
    };
    Error::because(kind, "TLS with a backend", failure)
}

/// Why TLS did not come about, if it was that which failed.
pub(crate) fn tls_failure(error: &Error) -> Option<&TlsFailure> {
    error.root_cause().downcast_ref()
}
