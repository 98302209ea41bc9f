//! What is known of one client connection, shared by its task and its requests.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderValue;
use portcullis_ir::ListenerId;

use super::accept::Entrance;
use super::tls::Terminator;
use crate::metrics::GatewayMetrics;

/// One client connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The listener port it came in on, as the user wrote it.
    pub(crate) port: NonZeroU16,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// The client's IP address as `X-Forwarded-For` has it.
    pub(crate) peer_text: HeaderValue,
    /// Set when TLS ends here.
    pub(crate) tls: Option<TlsSession>,
    /// Where its refused requests are counted.
    pub(crate) gateway: Arc<GatewayMetrics>,
    leaving: Arc<AtomicBool>,
}

/// The TLS side of a connection.
#[derive(Debug)]
pub(crate) struct TlsSession {
    /// The listener that its SNI chose; its requests are routed there.
    pub(crate) listener: ListenerId,
    /// How that listener ended TLS at the time of the handshake.
    pub(crate) terminator: Arc<Terminator>,
    /// The name the client asked for, lower case.
    pub(crate) server_name: Option<Arc<str>>,
    /// `TLSv1.3` or `TLSv1.2`.
    pub(crate) version: Option<&'static str>,
    /// The subject of the certificate that the client showed.
    pub(crate) client_subject: Option<Arc<str>>,
}

/// What is spoken on a connection, as ALPN or the first bytes decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Connection {
    pub(crate) fn new(entrance: &Entrance, peer: SocketAddr, tls: Option<TlsSession>) -> Self {
        Self {
            port: entrance.port,
            peer,
            peer_text: in_text(peer.ip()),
            tls,
            gateway: Arc::clone(&entrance.gateway),
            leaving: Arc::clone(&entrance.signals.leaving),
        }
    }

    /// Whether clients on this connection are asked to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }
}

fn in_text(address: IpAddr) -> HeaderValue {
    let text = match address.to_canonical() {
        IpAddr::V4(address) => dotted(address),
        IpAddr::V6(address) => address.to_string(),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// As `to_string`, without the machinery of formatting: each connection takes it.
fn dotted(address: Ipv4Addr) -> String {
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        if octet >= 100 {
            text.push(char::from(b'0' + octet / 100));
        }
        if octet >= 10 {
            text.push(char::from(b'0' + octet / 10 % 10));
        }
        text.push(char::from(b'0' + octet % 10));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for octet in 0..=255 {
            let address = Ipv4Addr::from_octets([octet, 0, 10, !octet]);
            assert_eq!(dotted(address), address.to_string());
        }
        let mapped = "::ffff:1.2.3.4".parse().unwrap();
        assert_eq!(in_text(mapped), "1.2.3.4");
        assert_eq!(in_text("2001:db8::1".parse().unwrap()), "2001:db8::1");
    }
}
