//! What is counted of UDP.

use std::sync::Arc;

use super::{Counter, Gauge, PerVariant, PortMetrics, labels};

/// What one UDP port counts.
#[derive(Debug, Default)]
pub struct DatagramMetrics {
    /// Sessions there are now; taken down by [`OpenSession`].
    pub(super) active: Gauge,
    pub(super) opened: Counter,
    /// Sessions that ended for want of room.
    pub evicted: Counter,
    /// What clients sent and backends were given.
    pub received: Traffic,
    /// What backends sent and clients were given.
    pub sent: Traffic,
    /// Datagrams that went nowhere, by reason.
    pub dropped: PerVariant<DatagramDrop, Counter>,
}

/// Datagrams in one direction.
#[derive(Debug, Default)]
pub struct Traffic {
    pub(super) datagrams: Counter,
    pub(super) bytes: Counter,
}

impl Traffic {
    /// Counts a datagram of `length` bytes.
    pub fn datagram(&self, length: usize) {
        self.datagrams.increment();
        self.bytes.add(u64::try_from(length).unwrap_or(u64::MAX));
    }
}

/// A session that is counted as active until this is dropped.
#[derive(Debug)]
pub struct OpenSession(Arc<PortMetrics>);

impl OpenSession {
    /// Counts a session of a port.
    pub fn new(port: &Arc<PortMetrics>) -> Self {
        port.datagrams.active.add(1);
        port.datagrams.opened.increment();
        Self(Arc::clone(port))
    }

    /// Notes that it ends for want of room.
    pub fn evict(&self) {
        self.0.datagrams.evicted.increment();
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.datagrams.active.add(-1);
    }
}

labels! {
    /// Why a datagram was dropped.
    pub enum DatagramDrop {
        /// No UDPRoute is attached to the listener.
        NoRoute = "no_route",
        /// The backendRef whose turn it was is invalid.
        InvalidBackend = "invalid_backend",
        /// The backend has no endpoint, or none whose name resolves.
        NoEndpoint = "no_endpoint",
        /// The endpoint's host said that nobody listens there, or there is no way to it.
        Unreachable = "unreachable",
        /// The process is out of descriptors, or waits for too many names already.
        Exhausted = "exhausted",
        /// The system did not take it: a full buffer, or a size that does not go through.
        NotSent = "not_sent",
    }
}
