//! From a listening socket to served connections.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZeroU16;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tracing::{debug, warn};

use super::Stage;
use super::bind::{Gate, Never, Signals};
use super::connection::{Connection, HttpVersion};
use super::tls::handshake;
use super::waiting::Waiting;
use super::{http1, http2};
use crate::h1::wire::{ANYTHING, Wire};
use crate::limits;
use crate::metrics::{GatewayMetrics, PortMetrics};
use crate::state::PortFamily;
use crate::stream::duplex::Duplex;
use crate::stream::session;
use crate::stream::socket::Socket;
use crate::worker::Worker;

/// Starts the accept loops of a port on this worker's runtime.
pub(crate) fn serve_port(worker: &Arc<Worker>, sockets: Vec<StdListener>, gate: Gate) {
    let Gate {
        port,
        signals,
        accepting,
        gateway,
        metrics,
    } = gate;
    let entrance = Arc::new(Entrance {
        port,
        signals,
        gateway,
        metrics,
        worker: Arc::clone(worker),
    });
    for socket in sockets {
        let entrance = Arc::clone(&entrance);
        let accepting = accepting.clone();
        match listen(socket) {
            Ok(listener) => drop(tokio::spawn(accept_loop(accepting, listener, entrance))),
            Err(error) => warn!(port, %error, "cannot serve port"),
        }
    }
}

/// Where a connection came in.
pub(crate) struct Entrance {
    /// The listener port as the user wrote it.
    pub(crate) port: NonZeroU16,
    pub(crate) signals: Signals,
    pub(crate) gateway: Arc<GatewayMetrics>,
    pub(crate) metrics: Arc<PortMetrics>,
    pub(crate) worker: Arc<Worker>,
}

fn listen(socket: StdListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Accepts until the port is closed. `_accepting` tells the rest that the socket is gone: it is
/// dropped after the listener, since parameters are dropped last to first.
async fn accept_loop(
    _accepting: mpsc::Sender<Never>,
    listener: TcpListener,
    entrance: Arc<Entrance>,
) {
    let mut stage = entrance.signals.stage.clone();
    let mut closed = pin!(stage.wait_for(|stage| *stage == Stage::Closed));
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut closed => break,
            accepted = next(&listener, &entrance.worker) => accepted,
        };
        match accepted {
            Ok((stream, peer, room)) => spawn(stream, peer, room, Arc::clone(&entrance)),
            Err(error) => match AcceptFailure::of(&error) {
                AcceptFailure::Connection => debug!(%error, "a connection was gone when accepted"),
                AcceptFailure::Exhausted => {
                    warn!(port = entrance.port, %error, "cannot accept for now");
                    tokio::time::sleep(limits::ACCEPT_BACK_OFF).await;
                }
                AcceptFailure::Fatal => {
                    warn!(port = entrance.port, %error, "listening socket broken");
                    return;
                }
            },
        }
    }
    if let Err(error) = accept_rest(listener, &entrance) {
        debug!(port = entrance.port, %error, "connections were lost when the port was closed");
    }
}

/// Takes what is in the accept queue: those clients are connected already, and closing the socket
/// would reset them.
fn accept_rest(listener: TcpListener, entrance: &Arc<Entrance>) -> io::Result<()> {
    let listener = listener.into_std()?;
    while let Ok(room) = Arc::clone(&entrance.worker.shared.connections).try_acquire_owned() {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        spawn(
            TcpStream::from_std(stream)?,
            peer,
            room,
            Arc::clone(entrance),
        );
    }
    Ok(())
}

/// Serves a connection in a task: one for each family, so that none has room for what another needs.
/// Boxed before it is spawned, since the runtime moves what it is given from place to place.
fn spawn(stream: TcpStream, peer: SocketAddr, room: OwnedSemaphorePermit, entrance: Arc<Entrance>) {
    let held = (entrance.metrics.connection(), room);
    let family = entrance.worker.shared.live.load().family(entrance.port);
    let task = match family {
        Some(PortFamily::Http) => tokio::spawn(Box::pin(async move {
            serve_plain(stream, peer, &entrance).await;
            drop(held);
        })),
        Some(PortFamily::Tls) => tokio::spawn(Box::pin(async move {
            handshake::serve_tls(stream, peer, &entrance).await;
            drop(held);
        })),
        Some(PortFamily::Tcp) => tokio::spawn(Box::pin(async move {
            session::serve_tcp(stream, peer, &entrance).await;
            drop(held);
        })),
        // The port is about to be closed.
        None => return,
    };
    // It ends with its connection.
    drop(task);
}

/// The next connection, once there is room for it.
async fn next(
    listener: &TcpListener,
    worker: &Worker,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let room = Arc::clone(&worker.shared.connections).acquire_owned().await;
    let room = room.map_err(io::Error::other)?;
    let (stream, peer) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    Ok((stream, peer, room))
}

/// What an error of accept() means for the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptFailure {
    /// That one connection is lost; the next may be fine.
    Connection,
    /// The process or host is out of something; accepting again at once would spin.
    Exhausted,
    /// The socket will never accept again.
    Fatal,
}

impl AcceptFailure {
    /// By `accept(2)`: "Linux accept() passes already-pending network errors on the new socket as
    /// an error code from accept()", which concern that connection alone.
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(
                libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EINTR
                | libc::EAGAIN
                | libc::EPROTO
                | libc::EPERM
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::ETIMEDOUT,
            ) => Self::Connection,
            Some(libc::EBADF | libc::ENOTSOCK | libc::EINVAL | libc::EFAULT | libc::EOPNOTSUPP) => {
                Self::Fatal
            }
            _ => Self::Exhausted,
        }
    }
}

async fn serve_plain(stream: TcpStream, peer: SocketAddr, entrance: &Entrance) {
    let mut wire = Wire::new(Duplex::Plain(Socket::new(stream)), BytesMut::new());
    let mut waiting = Waiting::new(entrance);
    let Some(version) = sniff(&mut wire, &mut waiting).await else {
        return;
    };
    let (stream, unread) = wire.into_parts();
    let connection = Connection::new(entrance, peer, None);
    serve_http(stream, unread, version, waiting, connection, entrance).await;
}

/// Resolves when the port has been closed for long enough that what was on its way has arrived.
pub(super) async fn closed(mut stage: watch::Receiver<Stage>) {
    // An error means that the data plane is gone, which is as good.
    let _ = stage.wait_for(|stage| *stage == Stage::Closed).await;
    tokio::time::sleep(limits::CLOSING_GRACE).await;
}

/// Tells HTTP/2 with prior knowledge from HTTP/1; `None` if the client says too little before its
/// time is up.
async fn sniff(wire: &mut Wire, waiting: &mut Waiting<'_>) -> Option<HttpVersion> {
    let mut until = None;
    poll_fn(|cx| {
        loop {
            if let Some(version) = told_apart(&wire.unread) {
                return Poll::Ready(Some(version));
            }
            match wire.poll_read(ANYTHING, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Pending => return waiting.poll_over(&mut until, cx).map(|()| None),
            }
        }
    })
    .await
}

/// HTTP/2 begins with its preface, and HTTP/1 with something else.
fn told_apart(begin: &[u8]) -> Option<HttpVersion> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let known = begin.len().min(PREFACE.len());
    if begin.get(..known) != PREFACE.get(..known) {
        Some(HttpVersion::Http1)
    } else if known == PREFACE.len() {
        Some(HttpVersion::Http2)
    } else {
        None
    }
}

/// Serves a connection on which HTTP is spoken until it ends.
pub(crate) async fn serve_http(
    stream: Duplex,
    unread: BytesMut,
    version: HttpVersion,
    waiting: Waiting<'_>,
    connection: Connection,
    entrance: &Entrance,
) {
    match version {
        HttpVersion::Http1 => http1::serve(stream, unread, waiting, &connection, entrance).await,
        // Boxed, so that connections with HTTP/1 have no part in its size.
        HttpVersion::Http2 => {
            Box::pin(http2::serve(stream, unread, &connection, entrance)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_are_sorted_by_what_they_concern() {
        let cases = [
            (libc::ECONNABORTED, AcceptFailure::Connection),
            (libc::EPROTO, AcceptFailure::Connection),
            (libc::EPERM, AcceptFailure::Connection),
            (libc::EINTR, AcceptFailure::Connection),
            (libc::EMFILE, AcceptFailure::Exhausted),
            (libc::ENFILE, AcceptFailure::Exhausted),
            (libc::ENOBUFS, AcceptFailure::Exhausted),
            (libc::ENOMEM, AcceptFailure::Exhausted),
            (libc::EBADF, AcceptFailure::Fatal),
            (libc::EINVAL, AcceptFailure::Fatal),
        ];
        for (errno, expected) in cases {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(AcceptFailure::of(&error), expected, "{error}");
        }
    }

    #[test]
    fn an_unknown_accept_error_does_not_spin() {
        assert_eq!(
            AcceptFailure::of(&io::Error::other("?")),
            AcceptFailure::Exhausted
        );
    }
}
