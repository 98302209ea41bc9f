//! From an accepted connection on a TLS port to HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use portcullis_ir::{ListenerId, ListenerProtocol};
use portcullis_table::Host;
use rustls::server::Accepted;
use rustls::{ProtocolVersion, ServerConnection};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;
use tracing::info;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Terminator;
use super::failure::HandshakeFailure;
use crate::limits;
use crate::listener::accept::{Entrance, serve_http};
use crate::listener::connection::{Connection, HttpVersion, TlsSession};
use crate::listener::sni::{self, HelloError};
use crate::listener::stream::{self, Transport};
use crate::state::{self, Live};

/// Ends TLS on `stream` and serves what is inside.
pub(crate) async fn serve_tls(stream: TcpStream, peer: SocketAddr, entrance: &Entrance) {
    let mut server_name = None;
    let handshake = shake_hands(stream, entrance, &mut server_name);
    let outcome = tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, handshake).await;
    match outcome.unwrap_or(Err(HandshakeFailure::Timeout)) {
        Ok((stream, listener, terminator)) => {
            entrance.metrics.handshakes.increment();
            let session = stream.get_ref().1;
            let version = match session.alpn_protocol() {
                Some(b"h2") => HttpVersion::Http2,
                _ => HttpVersion::Http1,
            };
            let tls = tls_session(session, listener, terminator, server_name);
            let connection = Connection::new(entrance, peer, Some(tls), version);
            let transport = Transport::Tls(Box::new(stream));
            serve_http(transport, BytesMut::new(), connection, entrance).await;
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
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Some("TLSv1.3"),
        Some(ProtocolVersion::TLSv1_2) => Some("TLSv1.2"),
        _ => None,
    };
    let leaf = session.peer_certificates().and_then(<[_]>::first);
    let client_subject = leaf.and_then(|der| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(certificate.subject().to_string().into())
    });
    TlsSession {
        listener,
        terminator,
        server_name,
        version,
        client_subject,
    }
}

async fn shake_hands(
    mut stream: TcpStream,
    entrance: &Entrance,
    server_name: &mut Option<Arc<str>>,
) -> Result<(TlsStream<TcpStream>, ListenerId, Arc<Terminator>), HandshakeFailure> {
    let accepted = match sni::read_hello(&mut stream).await {
        Ok(accepted) => accepted,
        Err(failure) => {
            if let HelloError::Malformed { alert, .. } = &failure {
                say_goodbye(&mut stream, alert).await;
            }
            return Err(failure.into());
        }
    };
    *server_name = accepted
        .client_hello()
        .server_name()
        .map(|name| name.to_ascii_lowercase().into());
    let chosen = choose(
        &entrance.worker.shared.live.load(),
        entrance,
        server_name.as_deref(),
    );
    let (listener, terminator) = match chosen {
        Ok(chosen) => chosen,
        Err(failure) => {
            say_goodbye(&mut stream, alert_for(&failure)).await;
            return Err(failure);
        }
    };
    let stream = finish(*accepted, stream, &terminator).await?;
    Ok((stream, listener, terminator))
}

/// The listener for a name, and how it ends TLS.
///
/// "No SNI with no listener for every name" is refused like an unknown name: answering with some
/// other host's certificate would tell which hosts there are, and confuse clients.
fn choose(
    live: &Live,
    entrance: &Entrance,
    server_name: Option<&str>,
) -> Result<(ListenerId, Arc<Terminator>), HandshakeFailure> {
    let host = server_name.map_or(Host::NONE, Host::new);
    let port = live.routing.table.port(state::tcp(entrance.port));
    let listener = port
        .and_then(|port| port.listener(&host))
        .ok_or_else(|| match server_name {
            Some(name) => HandshakeFailure::UnknownName(name.to_owned()),
            None => HandshakeFailure::NoName,
        })?;
    if !matches!(listener.protocol, ListenerProtocol::Https(_)) {
        return Err(HandshakeFailure::Unsupported);
    }
    let terminator = live
        .terminators
        .get(&listener.id)
        .ok_or(HandshakeFailure::Unsupported)?;
    if let Err(failure) = &terminator.config {
        return Err(HandshakeFailure::Termination(failure.clone()));
    }
    Ok((listener.id.clone(), Arc::clone(terminator)))
}

fn alert_for(failure: &HandshakeFailure) -> &'static [u8] {
    match failure {
        HandshakeFailure::UnknownName(_) | HandshakeFailure::NoName => &sni::UNRECOGNIZED_NAME,
        _ => &sni::INTERNAL_ERROR,
    }
}

async fn finish(
    accepted: Accepted,
    stream: TcpStream,
    terminator: &Terminator,
) -> Result<TlsStream<TcpStream>, HandshakeFailure> {
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
            stream::linger(&mut stream).await;
            Err(HandshakeFailure::of(&error, terminator))
        }
    }
}

/// Sends an alert and closes. Whether it arrives changes nothing.
async fn say_goodbye(stream: &mut TcpStream, alert: &[u8]) {
    let _ = stream.write_all(alert).await;
    let _ = stream.shutdown().await;
}
