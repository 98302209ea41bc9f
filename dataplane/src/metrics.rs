//! What is counted, and how it is shown to Prometheus.
//!
//! One [`Metrics`] per process. The data plane of a Gateway asks it for handles when it applies a
//! snapshot and keeps them beside what they count, in the table; per request there is no lookup,
//! only a few relaxed additions:
//!
//! ```text
//! Metrics::gateway(key)            -> Arc<GatewayMetrics>   held by the DataPlane
//! GatewayMetrics::port(key)        -> Arc<PortMetrics>      held by the bound port
//! GatewayMetrics::route(l, r)      -> Arc<RouteMetrics>     held by the route in the table
//! GatewayMetrics::forward(l, r)    -> Arc<ForwardMetrics>   the same, of layer 4 routes
//! ```
//!
//! Invariants: asking again for what is still held gives the same handle, so counters go on across
//! snapshots. When the last handle is dropped its series vanish. A route that has served nothing
//! shows no series, so that 5,000 idle routes cost the scraper nothing. Labels take their values
//! from the configuration and from closed enums, never from requests.

mod backend_tls;
mod datagrams;
mod families;
mod forward;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use portcullis_ir::{CertificateId, ListenerId, ObjectKey, PortKey, RouteId, Version};

use crate::access_log::ResponseFlag;
pub use backend_tls::{BackendTlsFailure, BackendTlsMetrics};
pub use datagrams::{DatagramDrop, DatagramMetrics, OpenSession, Traffic};
pub use forward::{ConnectFailure, ForwardMetrics, OpenForward};
pub(crate) use portcullis_metrics::labels;
pub use portcullis_metrics::{CONTENT_TYPE, Counter, Gauge, Histogram, PerVariant, Variants};

/// Everything this process counts.
#[derive(Debug, Default)]
pub struct Metrics {
    gateways: Mutex<BTreeMap<ObjectKey, Weak<GatewayMetrics>>>,
    /// Access log records that were not written: the queue was full or the write failed.
    pub access_log_dropped: Counter,
    stream: OnceLock<Arc<StreamMetrics>>,
}

impl Metrics {
    /// Counts nothing yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The counters of a Gateway's data plane.
    pub fn gateway(&self, key: &ObjectKey) -> Arc<GatewayMetrics> {
        handle(&self.gateways, key, || GatewayMetrics::new(key.clone()))
    }

    /// The counters of the stream from the controller. They are shown once they were asked for.
    pub fn stream(&self) -> Arc<StreamMetrics> {
        Arc::clone(self.stream.get_or_init(Arc::default))
    }

    /// All of it in the Prometheus text format, to be served as [`CONTENT_TYPE`].
    pub fn exposition(&self) -> String {
        families::exposition(self)
    }
}

/// What is counted of the stream from the controller.
#[derive(Debug, Default)]
pub struct StreamMetrics {
    connected: Gauge,
    connects: Counter,
    /// Attempts to get a stream that failed.
    pub failures: Counter,
    updates_applied: Counter,
    /// Updates that were refused whole.
    pub updates_refused: Counter,
    /// Resources of what is served that could not be read.
    resources_refused: Gauge,
}

impl StreamMetrics {
    /// Counts a stream as open for as long as the value lives.
    pub fn connected(self: &Arc<Self>) -> OpenStream {
        self.connects.increment();
        self.connected.add(1);
        OpenStream(Arc::clone(self))
    }

    /// An update was applied, but for so many of its resources.
    pub fn applied(&self, refused: usize) {
        self.updates_applied.increment();
        let refused = i64::try_from(refused).unwrap_or(i64::MAX);
        self.resources_refused.set(refused);
    }
}

/// A stream that is counted as open until this is dropped.
#[derive(Debug)]
pub struct OpenStream(Arc<StreamMetrics>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.connected.add(-1);
    }
}

/// What one Gateway's data plane counts.
#[derive(Debug)]
pub struct GatewayMetrics {
    key: ObjectKey,
    configuration: Mutex<ConfigurationState>,
    ports: Mutex<BTreeMap<PortKey, Weak<PortMetrics>>>,
    routes: Mutex<BTreeMap<(ListenerId, RouteId), Weak<RouteMetrics>>>,
    forwards: Mutex<BTreeMap<(ListenerId, RouteId), Weak<ForwardMetrics>>>,
    /// Snapshots of which a part could not be applied.
    pub apply_errors: Counter,
    /// Requests and connections that got no backend's answer, by reason.
    pub rejected: PerVariant<ResponseFlag, Counter>,
    /// Requests that no route took.
    pub unrouted: RouteMetrics,
    /// TLS to backends.
    pub backend_tls: Arc<BackendTlsMetrics>,
    tidiness: Mutex<Tidiness>,
}

#[derive(Debug, Default)]
struct ConfigurationState {
    applied: Option<(Version, i64)>,
    certificates: Vec<CertificateExpiry>,
}

/// When a certificate that a listener serves runs out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateExpiry {
    /// The listener.
    pub listener: ListenerId,
    /// The certificate it serves.
    pub certificate: CertificateId,
    /// End of validity of the leaf really served, seconds since the Unix epoch.
    pub not_after: i64,
}

impl GatewayMetrics {
    fn new(key: ObjectKey) -> Self {
        Self {
            key,
            configuration: Mutex::default(),
            ports: Mutex::default(),
            routes: Mutex::default(),
            forwards: Mutex::default(),
            apply_errors: Counter::default(),
            rejected: PerVariant::default(),
            unrouted: RouteMetrics::default(),
            backend_tls: Arc::default(),
            tidiness: Mutex::default(),
        }
    }

    /// The counters of one bound port.
    pub fn port(&self, key: PortKey) -> Arc<PortMetrics> {
        handle(&self.ports, &key, PortMetrics::default)
    }

    /// The counters of one route on one listener.
    pub fn route(&self, listener: &ListenerId, route: &RouteId) -> Arc<RouteMetrics> {
        let key = (listener.clone(), route.clone());
        handle(&self.routes, &key, RouteMetrics::default)
    }

    /// The counters of one layer 4 route on one listener.
    pub fn forward(&self, listener: &ListenerId, route: &RouteId) -> Arc<ForwardMetrics> {
        let key = (listener.clone(), route.clone());
        handle(&self.forwards, &key, ForwardMetrics::default)
    }

    /// Notes that a snapshot is in force.
    pub fn applied(&self, version: Version, generation: i64) {
        self.configuration.lock().applied = Some((version, generation));
    }

    /// Notes which certificates are served.
    pub fn serves(&self, certificates: Vec<CertificateExpiry>) {
        self.configuration.lock().certificates = certificates;
    }

    /// A snapshot with so many routes has replaced another, which nobody holds any more. Gives back
    /// what is kept of routes that are gone, as often as is worth the look at all of them.
    pub(crate) fn forget_gone(&self, routes: usize) {
        if self.tidiness.lock().is_due(routes) {
            forget_gone(&mut self.routes.lock());
            forget_gone(&mut self.forwards.lock());
        }
    }
}

/// What there may be to forget.
#[derive(Debug, Default)]
struct Tidiness {
    /// The most routes there were since handles were last forgotten.
    most: usize,
    /// How many snapshots came since.
    snapshots: usize,
}

impl Tidiness {
    /// Whether half of all routes may be gone, or as many may have come and gone as there are.
    fn is_due(&mut self, routes: usize) -> bool {
        const WORTH: usize = 64;
        self.most = self.most.max(routes);
        self.snapshots += 1;
        let is_due = routes * 2 + WORTH < self.most || self.snapshots > routes.max(WORTH);
        if is_due {
            (self.most, self.snapshots) = (routes, 0);
        }
        is_due
    }
}

/// What one port counts.
#[derive(Debug, Default)]
pub struct PortMetrics {
    /// Connections open now; taken down by [`OpenConnection`].
    active: Gauge,
    accepted: Counter,
    /// TLS handshakes that were completed.
    pub handshakes: Counter,
    /// TLS handshakes that failed, by reason.
    pub handshake_failures: PerVariant<HandshakeFailure, Counter>,
    /// UDP ports count these instead of all the others.
    pub datagrams: DatagramMetrics,
}

impl PortMetrics {
    /// Counts a connection for as long as the value lives.
    pub fn connection(self: &Arc<Self>) -> OpenConnection {
        self.accepted.increment();
        self.active.add(1);
        OpenConnection {
            port: Arc::clone(self),
        }
    }
}

/// A connection that is counted as active until this is dropped.
#[derive(Debug)]
pub struct OpenConnection {
    port: Arc<PortMetrics>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.port.active.add(-1);
    }
}

/// What is counted of the requests that one route on one listener takes. Of one that has taken none
/// nothing is kept.
#[derive(Debug, Default)]
pub struct RouteMetrics(OnceLock<Box<RouteCounts>>);

/// The counters of a route that has taken something.
#[derive(Debug, Default)]
pub struct RouteCounts {
    requests: PerVariant<CodeClass, Counter>,
    durations: Histogram,
    /// Attempts to connect to an endpoint that failed.
    pub connect_failures: Counter,
    /// Attempts after the first of a request, by what failed before.
    pub retries: PerVariant<RetryReason, Counter>,
    /// Retries that were not made, since their backend had had its share of them.
    pub retry_budget_exhausted: Counter,
    /// Copies of requests that a mirror took and began to answer.
    pub mirrored: Counter,
    /// Copies that did not come so far, by reason.
    pub mirrors_lost: PerVariant<MirrorLoss, Counter>,
}

impl Deref for RouteMetrics {
    type Target = RouteCounts;

    fn deref(&self) -> &RouteCounts {
        self.0.get_or_init(Box::default)
    }
}

impl RouteMetrics {
    /// The counters, if anything was counted.
    pub(crate) fn counts(&self) -> Option<&RouteCounts> {
        self.0.get().map(|counts| &**counts)
    }

    /// Counts a request that is over, `duration` after its head was read; `None` when it ended
    /// without an answer.
    pub fn request(&self, status: Option<StatusCode>, duration: Duration) {
        self.requests[CodeClass::of(status)].increment();
        self.durations.observe(duration);
    }
}

labels! {
    /// The first digit of the status that a client got.
    pub enum CodeClass {
        /// 101 after which the connection was a tunnel; others never end a request.
        Informational = "1xx",
        /// 200 to 299
        Success = "2xx",
        /// 300 to 399
        Redirection = "3xx",
        /// 400 to 499
        ClientError = "4xx",
        /// 500 and above
        ServerError = "5xx",
        /// No answer was sent.
        None = "none",
    }
}

impl CodeClass {
    fn of(status: Option<StatusCode>) -> Self {
        match status.map(|status| status.as_u16() / 100) {
            None => Self::None,
            Some(1) => Self::Informational,
            Some(2) => Self::Success,
            Some(3) => Self::Redirection,
            Some(4) => Self::ClientError,
            Some(_) => Self::ServerError,
        }
    }
}

labels! {
    /// Why a request was sent to its backend again.
    pub enum RetryReason {
        /// No connection to the endpoint came about.
        ConnectFailed = "connect_failed",
        /// The endpoint said that it had not looked at the request.
        Unprocessed = "unprocessed",
        /// A connection from the pool was dead.
        StaleConnection = "stale_connection",
        /// The endpoint did not answer in the time of one attempt.
        Timeout = "timeout",
        /// The endpoint broke off, or answered against the protocol.
        BackendClosed = "backend_closed",
        /// The endpoint answered with a status that the route wants tried again.
        Status = "status",
    }
}

labels! {
    /// Why a copy of a request did not reach a mirror, or was not answered.
    pub enum MirrorLoss {
        /// The mirror has no endpoint.
        NoEndpoints = "no_endpoints",
        /// As many copies as one worker may have were under way.
        TooMany = "too_many",
        /// The request asks for an upgrade.
        Upgrade = "upgrade",
        /// Filters made of it what is no request.
        BadRequest = "bad_request",
        /// No connection came about.
        ConnectFailed = "connect_failed",
        /// The mirror did not keep up with the request's body.
        Slow = "slow",
        /// The request's body did not come to its end.
        CutShort = "cut_short",
        /// The answer took too long.
        Timeout = "timeout",
        /// The mirror broke off.
        Failed = "failed",
    }
}

labels! {
    /// Why a TLS handshake failed.
    pub enum HandshakeFailure {
        /// What came was no ClientHello.
        NotTls = "not_tls",
        /// No listener answers for the SNI, or there was none and every listener wants one.
        UnrecognizedName = "unrecognized_name",
        /// The listener has no certificate to serve, its Secret being gone.
        NoServerCertificate = "no_server_certificate",
        /// The client offers no version, cipher suite, key exchange or protocol that is served.
        Incompatible = "incompatible",
        /// A client certificate is required and none was presented.
        ClientCertificateMissing = "client_certificate_missing",
        /// The client's certificate is not of a trusted CA, or not valid now.
        ClientCertificateInvalid = "client_certificate_invalid",
        /// The client ended the handshake with an alert: it does not trust our certificate.
        AlertReceived = "alert_received",
        /// The client took too long.
        Timeout = "timeout",
        /// The client went away.
        ClientClosed = "client_closed",
        /// Anything else.
        Other = "other",
    }
}

/// The live handle for `key`, or a new one.
fn handle<K: Ord + Clone, V>(
    handles: &Mutex<BTreeMap<K, Weak<V>>>,
    key: &K,
    new: impl FnOnce() -> V,
) -> Arc<V> {
    let mut handles = handles.lock();
    if let Some(live) = handles.get(key).and_then(Weak::upgrade) {
        return live;
    }
    let fresh = Arc::new(new());
    handles.insert(key.clone(), Arc::downgrade(&fresh));
    fresh
}

fn forget_gone<K: Ord, V>(handles: &mut BTreeMap<K, Weak<V>>) {
    handles.retain(|_, handle| handle.strong_count() > 0);
}

/// The handles still held by someone; forgets the others.
fn live<K: Ord + Clone, V>(handles: &Mutex<BTreeMap<K, Weak<V>>>) -> Vec<(K, Arc<V>)> {
    let mut live = Vec::new();
    handles.lock().retain(|key, handle| match handle.upgrade() {
        Some(handle) => {
            live.push((key.clone(), handle));
            true
        }
        None => false,
    });
    live
}

#[cfg(test)]
mod tests;
