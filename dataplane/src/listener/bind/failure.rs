//! Why a port could not be bound, in words that say what to do.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU16;

use portcullis_ir::Transport;

/// Why a port is not bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindFailure {
    /// Another process has it. Retrying helps once that one is gone.
    #[error("port {real}: in use by another process")]
    InUse {
        /// The port that was tried.
        real: RealPort,
    },
    /// The process may not bind ports below 1024.
    #[error(
        "port {real}: permission denied: ports below 1024 need CAP_NET_BIND_SERVICE, \
         or map it with --port-map {written}={suggestion}"
    )]
    Permission {
        /// The port that was tried.
        real: RealPort,
        /// The port as the Gateway has it.
        written: NonZeroU16,
        /// A port that would do.
        suggestion: u16,
    },
    /// The address is none of this host's.
    #[error("port {real}: {address} is not an address of this host")]
    NoSuchAddress {
        /// The port that was tried.
        real: RealPort,
        /// The address that was tried.
        address: IpAddr,
    },
    /// Two listener ports lead to the same real port.
    #[error("port {real}: listener port {other} is mapped there too")]
    MappedTwice {
        /// The port that both are mapped to.
        real: RealPort,
        /// The other listener port.
        other: NonZeroU16,
    },
    /// Any other refusal of the system.
    #[error("port {real}: {reason}")]
    Other {
        /// The port that was tried.
        real: RealPort,
        /// What the system said.
        reason: String,
    },
}

/// A port of this host. Shown as `53`, or `53/udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealPort {
    /// Zero is any free one.
    pub number: u16,
    /// TCP and UDP have ports of their own.
    pub transport: Transport,
}

impl fmt::Display for RealPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Tcp => self.number.fmt(f),
            Transport::Udp => write!(f, "{}/udp", self.number),
        }
    }
}

pub(super) fn explain(
    error: &io::Error,
    written: NonZeroU16,
    real: RealPort,
    address: IpAddr,
) -> BindFailure {
    match error.kind() {
        io::ErrorKind::AddrInUse => BindFailure::InUse { real },
        io::ErrorKind::PermissionDenied => BindFailure::Permission {
            real,
            written,
            suggestion: 8000 + real.number % 1000,
        },
        io::ErrorKind::AddrNotAvailable => BindFailure::NoSuchAddress { real, address },
        _ => BindFailure::Other {
            real,
            reason: error.to_string(),
        },
    }
}
