//! What remains of a connection when it is over: a log record and some counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::copy::{Side, Tally};
use crate::access_log::{AccessLog, Place, Protocol, ResponseFlag};
use crate::metrics::{ForwardMetrics, GatewayMetrics};

/// A connection as it arrived, ready to be forwarded.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// What the listener speaks.
    pub(crate) protocol: Protocol,
    /// `TLSv1.3`, `TLSv1.2`, if TLS ended here.
    pub(crate) tls_version: Option<&'static str>,
    /// The SNI, lower case.
    pub(crate) server_name: Option<Arc<str>>,
    /// The subject of the client's certificate, if it showed one here.
    pub(crate) client_subject: Option<Arc<str>>,
}

/// Counts and logs one connection. Dropping it does: also when the data plane is stopped with the
/// connection open.
#[derive(Debug)]
pub(crate) struct Report {
    log: AccessLog,
    gateway: Arc<GatewayMetrics>,
    arrival: Arrival,
    place: Arc<Place>,
    /// `None` if no route took it.
    route: Option<Arc<ForwardMetrics>>,
    bytes_in: u64,
    bytes_out: u64,
    /// The endpoint that was reached.
    pub(crate) upstream: Option<SocketAddr>,
    /// From arrival until it was reached.
    pub(crate) connected_after: Option<Duration>,
    /// Why it did not come to its own end; [`ResponseFlag::Draining`] until it does.
    pub(crate) flag: Option<ResponseFlag>,
    /// What the flag leaves open.
    pub(crate) detail: Option<Arc<str>>,
}

impl Report {
    pub(crate) fn new(
        log: AccessLog,
        gateway: Arc<GatewayMetrics>,
        arrival: Arrival,
        place: Arc<Place>,
        route: Option<Arc<ForwardMetrics>>,
    ) -> Self {
        Self {
            log,
            gateway,
            arrival,
            place,
            route,
            bytes_in: 0,
            bytes_out: 0,
            upstream: None,
            connected_after: None,
            flag: Some(ResponseFlag::Draining),
            detail: None,
        }
    }

    /// How long ago it arrived.
    pub(crate) fn elapsed(&self) -> Duration {
        self.arrival.at.elapsed()
    }
}

impl Tally for Report {
    fn passed_on(&mut self, side: Side, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let route = self.route.as_deref();
        match side {
            Side::Client => {
                self.bytes_in += bytes;
                route.inspect(|route| route.received.add(bytes));
            }
            Side::Backend => {
                self.bytes_out += bytes;
                route.inspect(|route| route.sent.add(bytes));
            }
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(flag) = self.flag {
            self.gateway.rejected[flag].increment();
        }
        let Some(mut record) = self.log.record() else {
            return;
        };
        record.duration = self.elapsed();
        record.time = SystemTime::now()
            .checked_sub(record.duration)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        record.place = Some(Arc::clone(&self.place));
        record.peer = Some(self.arrival.peer);
        record.protocol = self.arrival.protocol;
        record.bytes_in = self.bytes_in;
        record.bytes_out = self.bytes_out;
        record.upstream = self.upstream;
        record.upstream_duration = self.connected_after;
        record.flag = self.flag;
        record.detail.clone_from(&self.detail);
        record.tls_version = self.arrival.tls_version;
        record.server_name.clone_from(&self.arrival.server_name);
        record
            .client_subject
            .clone_from(&self.arrival.client_subject);
        self.log.submit(record);
    }
}
