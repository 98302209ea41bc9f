//! From an accepted connection on a TLS port to HTTP, or to bytes that are forwarded.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use portcullis_ir::{ListenerId, ListenerProtocol};
use portcullis_table::{Host, PortTable};
use rustls::server::Accepted;
use rustls::{CommonState, ProtocolVersion, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;
use tracing::info;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Terminator;
use super::failure::HandshakeFailure;
use crate::access_log::Protocol;
use crate::limits;
use crate::listener::accept::{Entrance, serve_http};
use crate::listener::connection::{Connection, HttpVersion, TlsSession};
use crate::listener::linger::linger;
use crate::listener::sni::foreign::{self, ForeignHello};
use crate::listener::sni::{self, Hello, HelloError};
use crate::listener::waiting::Waiting;
use crate::state::{self, Live};
use crate::stream::choose::{Refused, Target, choose as choose_target};
use crate::stream::duplex::Duplex;
use crate::stream::report::Arrival;
use crate::stream::session::{self, Client};
use crate::stream::socket::Socket;

/// A connection whose listener is known, and on which TLS has begun if it ends here.
enum Arrived {
    Http {
        stream: Box<TlsStream<Socket>>,
        listener: ListenerId,
        terminator: Arc<Terminator>,
    },
    Bytes {
        client: Client,
        chosen: Result<Target, Refused>,
    },
}

/// What the name of a connection leads to.
enum Chosen {
    Http(ListenerId, Arc<Terminator>),
    /// To be forwarded without TLS, if at all.
    Terminate(Arc<Terminator>, Result<Target, Refused>),
    /// To be forwarded as it is, if at all.
    Passthrough(Result<Target, Refused>),
}

/// Serves a connection on a TLS port by its server name.
pub(crate) async fn serve_tls(stream: TcpStream, peer: SocketAddr, entrance: &Entrance) {
    let at = Instant::now();
    let mut server_name = None;
    // Boxed, so that it takes no room once it is over.
    let arrived = Box::pin(arrive(stream, entrance, &mut server_name));
    let arrived = tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, arrived).await;
    match arrived.unwrap_or(Err(HandshakeFailure::Timeout)) {
        Ok(Arrived::Http {
            stream,
            listener,
            terminator,
        }) => {
            entrance.metrics.handshakes.increment();
            let session = stream.get_ref().1;
            let version = match session.alpn_protocol() {
                Some(b"h2") => HttpVersion::Http2,
                _ => HttpVersion::Http1,
            };
            let tls = tls_session(session, listener, terminator, server_name);
            let connection = Connection::new(entrance, peer, Some(tls));
            let stream = Duplex::Tls(Box::new((*stream).into()));
            let waiting = Waiting::new(entrance);
            serve_http(
                stream,
                BytesMut::new(),
                version,
                waiting,
                connection,
                entrance,
            )
            .await;
        }
        Ok(Arrived::Bytes { client, chosen }) => {
            let arrival = arrival(at, peer, &client, server_name);
            // Boxed, so that connections with HTTP have no part in its size.
            Box::pin(session::serve(client, arrival, chosen, entrance)).await;
        }
        // Connected and gone: a health check of a load balancer.
        Err(HandshakeFailure::Hello(HelloError::Closed { after: 0 })) => {}
        Err(failure) => {
            entrance.metrics.handshake_failures[failure.label()].increment();
            let port = entrance.port;
            let sni = server_name.as_deref().unwrap_or("-");
            info!(%peer, port, sni, reason = %failure, "TLS handshake failed");
        }
    }
}

fn tls_session(
    session: &ServerConnection,
    listener: ListenerId,
    terminator: Arc<Terminator>,
    server_name: Option<Arc<str>>,
) -> TlsSession {
    TlsSession {
        listener,
        terminator,
        server_name,
        version: version_name(session.protocol_version()),
        client_subject: client_subject(session),
    }
}

fn arrival(
    at: Instant,
    peer: SocketAddr,
    client: &Client,
    server_name: Option<Arc<str>>,
) -> Arrival {
    let session = match &client.stream {
        Duplex::Tls(stream) => Some(stream.get_ref().1),
        Duplex::Plain(_) => None,
    };
    Arrival {
        at,
        peer,
        protocol: Protocol::Tls,
        tls_version: session.and_then(|session| version_name(session.protocol_version())),
        server_name,
        client_subject: session.and_then(client_subject),
    }
}

fn version_name(version: Option<ProtocolVersion>) -> Option<&'static str> {
    match version {
        Some(ProtocolVersion::TLSv1_3) => Some("TLSv1.3"),
        Some(ProtocolVersion::TLSv1_2) => Some("TLSv1.2"),
        _ => None,
    }
}

fn client_subject(session: &CommonState) -> Option<Arc<str>> {
    let leaf = session.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    Some(certificate.subject().to_string().into())
}

async fn arrive(
    mut stream: TcpStream,
    entrance: &Entrance,
    server_name: &mut Option<Arc<str>>,
) -> Result<Arrived, HandshakeFailure> {
    let Hello { accepted, bytes } = match sni::read_hello(&mut stream).await {
        Ok(hello) => hello,
        Err(failure) => return refused_hello(failure, stream, entrance, server_name).await,
    };
    *server_name = accepted
        .client_hello()
        .server_name()
        .map(|name| name.to_ascii_lowercase().into());
    let live = &entrance.worker.shared.live;
    let chosen = choose(&live.load(), entrance, server_name.as_deref());
    match chosen {
        Ok(Chosen::Http(listener, terminator)) => Ok(Arrived::Http {
            stream: Box::new(
                finish(*accepted, Socket::new(stream).reading_ahead(), &terminator).await?,
            ),
            listener,
            terminator,
        }),
        Ok(Chosen::Terminate(terminator, Ok(target))) => {
            let stream =
                finish(*accepted, Socket::new(stream).reading_ahead(), &terminator).await?;
            entrance.metrics.handshakes.increment();
            Ok(forwarded(
                Duplex::Tls(Box::new(stream.into())),
                &[],
                Ok(target),
            ))
        }
        Ok(Chosen::Terminate(_, Err(refused))) => {
            let stream = Duplex::Plain(Socket::new(stream));
            Ok(forwarded(stream, &[], Err(refused)))
        }
        Ok(Chosen::Passthrough(chosen)) => {
            let stream = Duplex::Plain(Socket::new(stream));
            Ok(forwarded(stream, &bytes, chosen))
        }
        Err(failure) => {
            if is_for_nobody(&failure) && forwards_tls(&live.load(), entrance) {
                Socket::new(stream).reset_when_closed();
            } else {
                say_goodbye(&mut stream, alert_for(&failure)).await;
            }
            Err(failure)
        }
    }
}

/// A hello that rustls does not take may still be passed through.
async fn refused_hello(
    failure: HelloError,
    mut stream: TcpStream,
    entrance: &Entrance,
    server_name: &mut Option<Arc<str>>,
) -> Result<Arrived, HandshakeFailure> {
    if let HelloError::Malformed { bytes, alert, .. } = &failure {
        if let Some(ForeignHello { server_name: name }) = foreign::read(bytes) {
            let live = entrance.worker.shared.live.load_full();
            *server_name = name.map(Arc::from);
            if let Some(chosen) = choose_passthrough(&live, entrance, server_name.as_deref()) {
                return Ok(forwarded(Duplex::Plain(Socket::new(stream)), bytes, chosen));
            }
        }
        say_goodbye(&mut stream, alert).await;
    }
    Err(failure.into())
}

fn forwarded(stream: Duplex, head: &[u8], chosen: Result<Target, Refused>) -> Arrived {
    let head = head.into();
    Arrived::Bytes {
        client: Client { stream, head },
        chosen,
    }
}

fn is_for_nobody(failure: &HandshakeFailure) -> bool {
    matches!(
        failure,
        HandshakeFailure::UnknownName(_) | HandshakeFailure::NoName
    )
}

/// Whether TLS routes are served on the port. Clients that nothing there is for are then reset, as
/// those are that a TLS route has no backend for: "the underlying implementation must actively
/// reject request attempts to this backend, by rejecting the connection" (`TLSRouteRule.BackendRefs`).
/// An alert would be an answer in TLS, which is not ours to speak.
fn forwards_tls(live: &Live, entrance: &Entrance) -> bool {
    let port = live.routing.table.port(state::tcp(entrance.port));
    port.is_some_and(PortTable::forwards_tls)
}

/// What is served for a name.
///
/// "No SNI with no listener for every name" is refused like an unknown name: answering with some
/// other host's certificate would tell which hosts there are, and confuse clients.
fn choose(
    live: &Live,
    entrance: &Entrance,
    server_name: Option<&str>,
) -> Result<Chosen, HandshakeFailure> {
    let host = server_name.map_or(Host::NONE, Host::new);
    let port = live.routing.table.port(state::tcp(entrance.port));
    let listener = port
        .and_then(|port| port.listener(&host))
        .ok_or_else(|| match server_name {
            Some(name) => HandshakeFailure::UnknownName(name.to_owned()),
            None => HandshakeFailure::NoName,
        })?;
    match &listener.protocol {
        ListenerProtocol::Https(_) => {
            let terminator = usable_terminator(live, &listener.id)?;
            Ok(Chosen::Http(listener.id.clone(), terminator))
        }
        ListenerProtocol::TlsTerminate(_) => {
            let terminator = usable_terminator(live, &listener.id)?;
            Ok(Chosen::Terminate(
                terminator,
                choose_target(listener, &host),
            ))
        }
        ListenerProtocol::TlsPassthrough => Ok(Chosen::Passthrough(choose_target(listener, &host))),
        // Never on a TLS port.
        ListenerProtocol::Http | ListenerProtocol::Tcp | ListenerProtocol::Udp => {
            Err(HandshakeFailure::NoName)
        }
    }
}

/// Where a hello that cannot be ended here is passed on to; `None` if its listener ends TLS.
fn choose_passthrough(
    live: &Live,
    entrance: &Entrance,
    server_name: Option<&str>,
) -> Option<Result<Target, Refused>> {
    let host = server_name.map_or(Host::NONE, Host::new);
    let port = live.routing.table.port(state::tcp(entrance.port))?;
    let listener = port.listener(&host)?;
    let passes = matches!(listener.protocol, ListenerProtocol::TlsPassthrough);
    passes.then(|| choose_target(listener, &host))
}

fn usable_terminator(
    live: &Live,
    listener: &ListenerId,
) -> Result<Arc<Terminator>, HandshakeFailure> {
    let terminator = live.terminators.get(listener);
    let terminator = terminator.ok_or(HandshakeFailure::NoName)?;
    if let Err(failure) = &terminator.config {
        return Err(HandshakeFailure::Termination(failure.clone()));
    }
    Ok(Arc::clone(terminator))
}

fn alert_for(failure: &HandshakeFailure) -> &'static [u8] {
    if is_for_nobody(failure) {
        &sni::UNRECOGNIZED_NAME
    } else {
        &sni::INTERNAL_ERROR
    }
}

async fn finish<IO: AsyncRead + AsyncWrite + Unpin>(
    accepted: Accepted,
    stream: IO,
    terminator: &Terminator,
) -> Result<TlsStream<IO>, HandshakeFailure> {
    let config = match &terminator.config {
        Ok(config) => Arc::clone(config),
        Err(failure) => return Err(HandshakeFailure::Termination(failure.clone())),
    };
    let handshake = StartHandshake::from_parts(accepted, stream).into_stream(config);
    match handshake.into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((error, mut stream)) => {
            // A TLS 1.3 client is done before its certificate is refused, and its request may be
            // on the way: it must still learn why.
            let _ = stream.shutdown().await;
            linger(&mut stream).await;
            Err(HandshakeFailure::of(&error, terminator))
        }
    }
}

/// Sends an alert and closes. Whether it arrives changes nothing.
async fn say_goodbye(stream: &mut TcpStream, alert: &[u8]) {
    let _ = stream.write_all(alert).await;
    let _ = stream.shutdown().await;
}
