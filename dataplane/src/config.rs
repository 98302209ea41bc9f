//! What a data plane is told at start, apart from the snapshot.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use portcullis_ir::PortKey;

use crate::access_log::AccessLog;
use crate::limits;
use crate::metrics::Metrics;

/// Settings of one [`crate::DataPlane`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The addresses that every listener binds. `::` takes IPv4 too.
    pub bind: Vec<IpAddr>,
    /// Where a listener's port is really bound.
    pub ports: PortMap,
    /// Worker threads; each accepts and proxies on its own.
    pub workers: NonZeroUsize,
    /// How [`crate::DataPlane::drain`] ends.
    pub drain: DrainConfig,
    /// How long a client may pause within a request's body; over HTTP/2 until its answer begins.
    pub body_timeout: Duration,
    /// How UDP clients are remembered.
    pub datagrams: DatagramConfig,
    /// Where requests are logged; shared by the process.
    pub access_log: AccessLog,
    /// Where everything is counted; shared by the process.
    pub metrics: Arc<Metrics>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
            ports: PortMap::default(),
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            drain: DrainConfig::default(),
            body_timeout: limits::REQUEST_BODY_READ_TIMEOUT,
            datagrams: DatagramConfig::default(),
            access_log: AccessLog::off(),
            metrics: Metrics::new(),
        }
    }
}

/// How UDP clients are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramConfig {
    /// How long a client's session is kept without a datagram in either direction. The next
    /// datagram begins another, perhaps with another backend.
    pub idle: Duration,
    /// Sessions of all ports together. For one more, the one that has been idle for longest ends.
    /// Each takes a file descriptor; so no more are kept than a quarter of those that the process
    /// may open.
    pub max_sessions: usize,
}

impl Default for DatagramConfig {
    fn default() -> Self {
        Self {
            idle: limits::DATAGRAM_SESSION_IDLE,
            max_sessions: limits::MAX_DATAGRAM_SESSIONS,
        }
    }
}

/// How long shutting down takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainConfig {
    /// How long new connections are still accepted after readiness turned false, for load
    /// balancers that learn late. Answers already ask clients to leave.
    pub min: Duration,
    /// When requests that are still in flight are cut off, counted from the end of `min`.
    pub max: Duration,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            min: Duration::ZERO,
            max: Duration::from_secs(30),
        }
    }
}

/// Listener ports that are bound elsewhere than where the Gateway says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortMap {
    /// Single ports.
    pub ports: BTreeMap<u16, u16>,
    /// The rest: `None` leaves them as they are, `Some(0)` takes any free one.
    pub others: Option<u16>,
}

impl PortMap {
    /// Every listener on any free port: what tests want.
    pub fn any_free() -> Self {
        Self {
            ports: BTreeMap::new(),
            others: Some(0),
        }
    }

    /// The port to bind for `key`; zero is any free one.
    pub fn real(&self, key: PortKey) -> u16 {
        let written = key.port.get();
        let mapped = self.ports.get(&written).copied().or(self.others);
        mapped.unwrap_or(written)
    }
}
