//! How an endpoint is connected to, in pingora's terms.

use std::sync::Arc;
use std::time::Duration;

use pingora_core::protocols::TcpKeepalive;
use pingora_core::upstreams::peer::{ALPN, HttpPeer};
use portcullis_ir::BackendProtocol;

use super::cluster::Pick;
use super::tls::transport::Attempt;
use crate::limits;

/// What of a request decides how its backend is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// How long connecting may take.
    pub(crate) connect: Duration,
    /// The longest silence of the backend that is waited for.
    pub(crate) silence: Option<Duration>,
}

/// The peer for one attempt, over TLS if there is a way to that.
pub(crate) fn peer(
    pick: &Pick,
    exchange: Exchange,
    attempt: Option<Arc<Attempt>>,
) -> Box<HttpPeer> {
    let (address, key) = match &attempt {
        None => (pick.address, 0),
        Some(attempt) => attempt.peer(),
    };
    let mut peer = HttpPeer::new(address, false, String::new());
    let options = &mut peer.options;
    options.connection_timeout = Some(exchange.connect);
    options.idle_timeout = Some(limits::BACKEND_KEEP_ALIVE);
    options.read_timeout = exchange.silence;
    options.write_timeout = exchange.silence;
    options.tcp_keepalive = Some(TCP_KEEP_ALIVE);
    if pick.protocol == BackendProtocol::H2c {
        options.alpn = ALPN::H2;
        options.max_h2_streams = limits::BACKEND_H2_STREAMS;
        options.h2_stream_window_size = Some(limits::H2_STREAM_WINDOW);
        options.h2_connection_window_size = Some(limits::BACKEND_H2_CONNECTION_WINDOW);
    }
    if let Some(attempt) = attempt {
        options.custom_l4 = Some(attempt);
        peer.group_key = key;
    }
    Box::new(peer)
}

/// Finds backends whose host vanished without a word.
const TCP_KEEP_ALIVE: TcpKeepalive = TcpKeepalive {
    idle: limits::TCP_KEEP_ALIVE,
    interval: limits::TCP_KEEP_ALIVE,
    count: 3,
    #[cfg(target_os = "linux")]
    user_timeout: Duration::ZERO,
};
