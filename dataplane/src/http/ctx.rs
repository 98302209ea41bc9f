//! What is known of one request while it is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use portcullis_ir::BackendProtocol;
use portcullis_ir::route::Timeouts;
use tokio::time::Instant;

use super::attempt::Attempts;
use super::filter::Cors;
use super::mirror::Tee;
use super::refusal::Refusal;
use super::report;
use super::retry::Policy;
use super::routing::Upstream;
use super::spot::Spot;
use crate::access_log::{AccessLog, Record};
use crate::listener::connection::Connection;
use crate::upstream::cluster::Pick;
use crate::upstream::tls::transport::Attempt;

/// The record of one request.
pub(crate) struct RequestCtx {
    /// When its head had arrived.
    pub(crate) started: Instant,
    /// Where it is logged.
    pub(crate) log: AccessLog,
    /// Whether it is still to be counted and logged.
    pub(crate) unreported: bool,
    /// What is logged of its head; `None` if nothing is.
    pub(crate) record: Option<Box<Record>>,
    /// Bytes of its body so far.
    pub(crate) bytes_in: usize,
    /// Bytes of the answer's body so far.
    pub(crate) bytes_out: usize,
    /// The status that the client got.
    pub(crate) status: Option<StatusCode>,
    /// Whether it is a gRPC call.
    pub(crate) is_call: bool,
    /// How the call ended, if it is one.
    pub(crate) call_status: Option<u16>,
    /// Whether the backend is asked for a tunnel.
    pub(crate) asks_upgrade: bool,
    /// The connection it came on.
    pub(crate) connection: Option<Arc<Connection>>,
    /// Where it was taken.
    pub(crate) spot: Option<Arc<Spot>>,
    /// How many bytes of its path the rule's prefix took.
    pub(crate) prefix: Option<usize>,
    /// How long it may take.
    pub(crate) timeouts: Timeouts,
    /// The backendRef chosen for it.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// Which pages of other origins may read the answer.
    pub(crate) cors: Option<Arc<Cors>>,
    /// Copies of it that wait for its body.
    pub(crate) tee: Option<Box<Tee>>,
    /// The endpoint of the attempt under way.
    pub(crate) pick: Option<Pick>,
    /// The way to it, if that is over TLS.
    pub(crate) over_tls: Option<Arc<Attempt>>,
    /// What its rule says about further attempts.
    pub(crate) retry: Option<Arc<Policy>>,
    /// Endpoints at which an attempt failed.
    pub(crate) failed: Vec<SocketAddr>,
    /// What it has been through.
    pub(crate) attempts: Attempts,
    /// When the first attempt began, since [`RequestCtx::started`].
    pub(crate) asked: Option<Duration>,
    /// When the backend's answer began, since [`RequestCtx::started`].
    pub(crate) answered: Option<Duration>,
    /// Why it was not answered by a backend.
    pub(crate) refusal: Option<Refusal>,
    /// What the refusal leaves open.
    pub(crate) detail: Option<Arc<str>>,
}

impl RequestCtx {
    pub(crate) fn new(log: AccessLog) -> Self {
        Self {
            started: Instant::now(),
            log,
            unreported: false,
            record: None,
            bytes_in: 0,
            bytes_out: 0,
            status: None,
            is_call: false,
            call_status: None,
            asks_upgrade: false,
            connection: None,
            spot: None,
            prefix: None,
            timeouts: Timeouts::default(),
            upstream: None,
            cors: None,
            tee: None,
            pick: None,
            over_tls: None,
            retry: None,
            failed: Vec::new(),
            attempts: Attempts::default(),
            asked: None,
            answered: None,
            refusal: None,
            detail: None,
        }
    }

    /// What the backend of the attempt under way speaks.
    pub(crate) fn backend_protocol(&self) -> Option<BackendProtocol> {
        self.pick.as_ref().map(|pick| pick.protocol)
    }
}

impl Drop for RequestCtx {
    /// pingora drops what it serves when it is stopped: such a request never reaches its end.
    fn drop(&mut self) {
        report::cut_off(self);
    }
}
