//! What is counted of connections that are forwarded as they are.

use std::sync::Arc;

use super::{Counter, Gauge, PerVariant, labels};

/// What is counted of the connections that one TLSRoute or TCPRoute on one listener takes.
#[derive(Debug, Default)]
pub struct ForwardMetrics {
    /// Connected to a backend now; taken down by [`OpenForward`].
    pub(super) active: Gauge,
    /// Taken so far, those that reached no backend among them.
    pub connections: Counter,
    /// Bytes that clients sent and backends were given.
    pub received: Counter,
    /// Bytes that backends sent and clients were given.
    pub sent: Counter,
    /// Attempts to connect to an endpoint that failed, by reason.
    pub connect_failures: PerVariant<ConnectFailure, Counter>,
}

impl ForwardMetrics {
    /// Counts a connection as open for as long as the value lives.
    pub fn open(self: &Arc<Self>) -> OpenForward {
        self.active.add(1);
        OpenForward(Arc::clone(self))
    }
}

/// A connection that is counted as open until this is dropped.
#[derive(Debug)]
pub struct OpenForward(Arc<ForwardMetrics>);

impl Drop for OpenForward {
    fn drop(&mut self) {
        self.0.active.add(-1);
    }
}

labels! {
    /// Why an attempt to connect to an endpoint failed.
    pub enum ConnectFailure {
        /// Nobody listens there.
        Refused = "refused",
        /// No answer within the time for one attempt.
        Timeout = "timeout",
        /// There is no way to the host.
        Unreachable = "unreachable",
        /// TLS with the endpoint failed: its certificate is not what the policy asks for, or it
        /// speaks none.
        Tls = "tls",
        /// Anything else.
        Other = "other",
    }
}
