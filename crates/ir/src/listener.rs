//! Listeners: what is bound, and what is spoken there.

use std::fmt;
use std::num::NonZeroU16;

use serde::Serialize;

use crate::hostname::HostPattern;
use crate::tls::TlsTermination;

/// One listener of the Gateway.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Listener {
    /// The port as the user wrote it in the Gateway.
    pub port: NonZeroU16,
    /// Which names this listener answers for; [`HostPattern::Any`] when the user gave none.
    /// For HTTP that is the Host header, for TLS the SNI.
    pub hostname: HostPattern,
    /// What is spoken there.
    pub protocol: ListenerProtocol,
}

impl Listener {
    /// The socket this listener shares with every other listener of the same port and transport.
    pub fn port_key(&self) -> PortKey {
        let transport = match self.protocol {
            ListenerProtocol::Udp => Transport::Udp,
            ListenerProtocol::Http
            | ListenerProtocol::Https(_)
            | ListenerProtocol::TlsTerminate(_)
            | ListenerProtocol::TlsPassthrough
            | ListenerProtocol::Tcp => Transport::Tcp,
        };
        PortKey {
            port: self.port,
            transport,
        }
    }
}

/// What is spoken on a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerProtocol {
    /// HTTP/1.1 and HTTP/2 in clear text; takes HTTP routes.
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS that ends here; takes HTTP routes.
    Https(TlsTermination),
    /// A byte stream over TLS that ends here; takes TLS routes.
    TlsTerminate(TlsTermination),
    /// TLS passed on as it is, routed by SNI; takes TLS routes.
    TlsPassthrough,
    /// A byte stream; takes TCP routes.
    Tcp,
    /// Datagrams; takes UDP routes.
    Udp,
}

/// A socket to bind: TCP and UDP may share a port number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PortKey {
    /// The port as the user wrote it.
    pub port: NonZeroU16,
    /// TCP or UDP.
    pub transport: Transport,
}

/// `80`, or `53/udp`.
impl fmt::Display for PortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Tcp => self.port.fmt(f),
            Transport::Udp => write!(f, "{}/udp", self.port),
        }
    }
}

/// The transport below a listener's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Transport {
    /// HTTP, HTTPS, TLS and TCP listeners.
    Tcp,
    /// UDP listeners.
    Udp,
}
