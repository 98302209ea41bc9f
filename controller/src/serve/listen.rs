//! The port that data planes connect to: TCP, TLS, HTTP/2.

mod peers;

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ResolvesServerCert;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::peers::{Guest, Peers};
use super::service::{Occupied, Streams, answer};

/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 12_000;

/// From accept to the end of the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be without a pod's stream; also how often that is looked at.
const IDLE: Duration = Duration::from_secs(15);

/// A peer is asked this often whether it is there, and has as long to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Streams a peer may have open on one connection: its own, and one that just ended.
const MAX_CONCURRENT_STREAMS: u32 = 4;

/// A request's header fields; a token is the longest.
const MAX_HEADER_LIST: u32 = 32 * 1024;

/// What a peer may send on a connection before it is read: it says little, and before its token is
/// reviewed nothing of it is read.
const WINDOW: u32 = 64 * 1024;

/// How long accepting rests after it failed (the process is out of descriptors, most likely).
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// How the port speaks TLS: 1.3 only, HTTP/2 only. Fails only if the crypto provider lacks it.
pub fn tls(certificate: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Serves streams on `listener`, for ever.
pub async fn serve(listener: TcpListener, tls: ServerConfig, streams: Streams) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let peers = Peers::default();
    // The semaphore is never closed.
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(guest) = peers.enter(peer.ip()) else {
                    tracing::debug!(%peer, "too many connections of one address");
                    continue;
                };
                let (acceptor, streams) = (acceptor.clone(), streams.clone());
                tokio::spawn(connection(stream, acceptor, streams, (permit, guest)));
            }
            Err(error) => {
                tracing::warn!(%error, "data planes' port: accept failed");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    streams: Streams,
    _place: (OwnedSemaphorePermit, Guest),
) {
    let peer = stream.peer_addr().ok();
    // Small answers must not wait for one another.
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(?peer, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(?peer, "TLS handshake took too long"),
    };
    let occupied = Occupied::default();
    let service = service_fn({
        let occupied = occupied.clone();
        move |request| answer(streams.clone(), occupied.clone(), request)
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        served = serving => if let Err(error) = served {
            tracing::debug!(?peer, %error, "connection of a data plane");
        },
        () = idle(&occupied) => tracing::debug!(?peer, "closed an idle connection"),
    }
}

/// Returns when no pod has had a stream at two looks.
async fn idle(occupied: &Occupied) {
    let mut looks = 0;
    while looks < 2 {
        tokio::time::sleep(IDLE / 2).await;
        looks = if occupied.is_none() { looks + 1 } else { 0 };
    }
}
