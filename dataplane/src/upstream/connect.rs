//! Connecting to a backend for a stream of bytes (TLSRoute, TCPRoute).

use std::io;
use std::net::SocketAddr;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::cluster::{Cluster, Pick};
use crate::limits;
use crate::metrics::ConnectFailure;
use crate::stream::duplex::Duplex;
use crate::stream::socket::Socket;

/// A connection to an endpoint.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: Duplex,
    pub(crate) address: SocketAddr,
}

/// An attempt that came to nothing.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {reason}")]
pub(crate) struct FailedAttempt {
    pub(crate) address: SocketAddr,
    /// What it is counted as.
    pub(crate) label: ConnectFailure,
    /// Why, in words.
    pub(crate) reason: String,
}

/// Connects to an endpoint of `cluster`: to the one whose turn it is or, where that fails, to the
/// next, at most [`limits::MAX_CONNECT_ATTEMPTS`] in all, each tried once.
///
/// `None`: none was reached. `failed` then has every attempt, and is empty if there was no endpoint
/// to try. May be dropped at any time.
pub(crate) async fn connect(
    cluster: &Cluster,
    failed: &mut Vec<FailedAttempt>,
) -> Option<Connected> {
    let mut tried = Vec::new();
    while tried.len() < limits::MAX_CONNECT_ATTEMPTS {
        let pick = cluster.next(&tried).await?;
        if tried.contains(&pick.address) {
            return None;
        }
        match attempt(&pick).await {
            Ok(stream) => {
                return Some(Connected {
                    stream,
                    address: pick.address,
                });
            }
            Err(failure) => failed.push(failure),
        }
        tried.push(pick.address);
    }
    None
}

async fn attempt(pick: &Pick) -> Result<Duplex, FailedAttempt> {
    let failed = |label, reason| FailedAttempt {
        address: pick.address,
        label,
        reason,
    };
    let socket = socket(pick.address)
        .await
        .map_err(|unreached| failed(unreached.label(), unreached.to_string()))?;
    match &pick.tls {
        None => Ok(Duplex::Plain(socket)),
        Some(tls) => match tls.handshake(&tls.endpoint(pick.address), socket).await {
            Ok(stream) => Ok(Duplex::Tls(Box::new(stream.into()))),
            Err(failure) => Err(failed(ConnectFailure::Tls, failure.to_string())),
        },
    }
}

/// Why there is no TCP connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreached {
    /// It took longer than [`limits::CONNECT_TIMEOUT`].
    #[error("no answer in time")]
    Timeout,
    /// The system refused, or the endpoint did.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Connects to `address`, with the settings of every connection to a backend.
pub(super) async fn socket(address: SocketAddr) -> Result<Socket, Unreached> {
    match timeout(limits::CONNECT_TIMEOUT, open(address)).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Unreached::Timeout),
    }
}

async fn open(address: SocketAddr) -> io::Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new()
        .with_time(limits::TCP_KEEP_ALIVE)
        .with_interval(limits::TCP_KEEP_ALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;
    Ok(Socket::new(stream))
}

impl Unreached {
    /// What it is counted as.
    fn label(&self) -> ConnectFailure {
        let Self::Io(error) = self else {
            return ConnectFailure::Timeout;
        };
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectFailure::Refused,
            io::ErrorKind::TimedOut => ConnectFailure::Timeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                ConnectFailure::Unreachable
            }
            _ => ConnectFailure::Other,
        }
    }
}
