//! Connecting to a backend.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Type};
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
        let within = if tried.len() + 1 < limits::MAX_CONNECT_ATTEMPTS {
            pick.patience(cluster.others(&pick, &tried))
        } else {
            limits::CONNECT_TIMEOUT
        };
        match attempt(&pick, within).await {
            Ok(stream) => {
                cluster.note_reached(&pick);
                return Some(Connected {
                    stream,
                    address: pick.address,
                });
            }
            Err(failure) => {
                cluster.note_unreached(&pick);
                failed.push(failure);
            }
        }
        tried.push(pick.address);
    }
    None
}

async fn attempt(pick: &Pick, within: Duration) -> Result<Duplex, FailedAttempt> {
    let failed = |label, reason| FailedAttempt {
        address: pick.address,
        label,
        reason,
    };
    let socket = socket(pick.address, within)
        .await
        .map_err(|unreached| failed(unreached.label(), unreached.to_string()))?;
    match &pick.tls {
        None => Ok(Duplex::Plain(socket)),
        Some(tls) => match tls
            .handshake(&tls.endpoint(pick.address), socket.reading_ahead())
            .await
        {
            Ok(stream) => Ok(Duplex::Tls(Box::new(stream.into()))),
            Err(failure) => Err(failed(ConnectFailure::Tls, failure.to_string())),
        },
    }
}

/// Why there is no TCP connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreached {
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
    /// The system refused, or the endpoint did.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Connects to `address` `within` that time, with the settings of every connection to a backend. Dropped before it is
/// done, it resets a connection that the endpoint has taken already: an orderly end would look to
/// the endpoint like a client that had nothing to say.
pub(super) async fn socket(address: SocketAddr, within: Duration) -> Result<Socket, Unreached> {
    match timeout(within, open(address)).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(Unreached::Timeout),
    }
}

async fn open(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        connected => connected?,
    }
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&limits::tcp_keep_alive())?;
    let opening = Opening(Some(TcpStream::from_std(socket.into())?));
    opening.connected().await.map(Socket::new)
}

/// A connection that is being made, and reset if nobody waits for it any more.
struct Opening(Option<TcpStream>);

impl Opening {
    async fn connected(mut self) -> io::Result<TcpStream> {
        if let Some(stream) = &self.0 {
            stream.writable().await?;
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
        }
        self.0
            .take()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(stream) = &self.0 {
            // It fails only where there is no connection.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use futures_util::FutureExt;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// An endpoint, and what it has accepted after `open` was polled once.
    async fn accepted(listener: TcpListener) -> TcpStream {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        listener.accept().await.unwrap().0
    }

    #[tokio::test]
    async fn a_connection_that_nobody_waits_for_any_more_is_reset() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut opening = Box::pin(open(listener.local_addr().unwrap()));
        // The kernels have agreed by then; the runtime has not been told.
        assert!(opening.as_mut().now_or_never().is_none());
        let mut endpoint = accepted(listener).await;
        drop(opening);
        let error = endpoint.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_connection_that_was_handed_over_ends_orderly() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = open(listener.local_addr().unwrap()).await.unwrap();
        let mut endpoint = accepted(listener).await;
        drop(socket);
        assert_eq!(endpoint.read(&mut [0]).await.unwrap(), 0);
    }
}
