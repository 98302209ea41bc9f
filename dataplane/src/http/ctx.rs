//! What is known of one request while it is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, Version};
use portcullis_ir::BackendProtocol;
use portcullis_ir::route::Timeouts;
use portcullis_table::is_call;
use tokio::time::Instant;

use super::attempt::Attempts;
use super::body::Kept;
use super::deadline::Deadlines;
use super::filter::Cors;
use super::message::RequestHead;
use super::mirror::Tee;
use super::refusal::Refusal;
use super::report;
use super::retry::Policy;
use super::routing::Upstream;
use super::spot::Spot;
use crate::access_log::Record;
use crate::listener::connection::Connection;
use crate::state::Shared;
use crate::upstream::cluster::Pick;

/// The record of one request.
pub(crate) struct RequestCtx<'c> {
    pub(crate) shared: &'c Shared,
    /// The connection it came on.
    pub(crate) connection: &'c Connection,
    /// When its head had arrived.
    pub(crate) started: Instant,
    /// Whether it is still to be counted and logged.
    pub(crate) unreported: bool,
    /// What is logged of its head; `None` if nothing is.
    pub(crate) record: Option<Box<Record>>,
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// Bytes of its body so far.
    pub(crate) bytes_in: u64,
    /// Bytes of the answer's body so far.
    pub(crate) bytes_out: u64,
    /// The status that the client got; `None` until the answer begins.
    pub(crate) status: Option<StatusCode>,
    /// Whether it is a gRPC call.
    pub(crate) is_call: bool,
    /// How the call ended, if it is one.
    pub(crate) call_status: Option<u16>,
    /// Whether the backend is asked for a tunnel.
    pub(crate) asks_upgrade: bool,
    /// Where it was taken.
    pub(crate) spot: Option<Arc<Spot>>,
    /// How many bytes of its path the rule's prefix took.
    pub(crate) prefix: Option<usize>,
    /// How long it may take.
    pub(crate) timeouts: Timeouts,
    /// When it is given up.
    pub(crate) deadlines: Deadlines,
    /// The backendRef chosen for it.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// Which pages of other origins may read the answer.
    pub(crate) cors: Option<Asker>,
    /// Copies of it that wait for its body.
    pub(crate) tee: Option<Box<Tee>>,
    /// What was read of its body, for another attempt.
    pub(crate) kept: Kept,
    /// The endpoint of the attempt under way.
    pub(crate) pick: Option<Pick>,
    /// What its rule says about further attempts.
    pub(crate) retry: Option<Arc<Policy>>,
    /// Endpoints at which an attempt failed.
    pub(crate) failed: Vec<SocketAddr>,
    /// What it has been through.
    pub(crate) attempts: Attempts,
    /// When the first attempt began, since [`RequestCtx::started`]; as the next, only if it is
    /// logged.
    pub(crate) asked: Option<Duration>,
    /// When the backend's answer began, since [`RequestCtx::started`].
    pub(crate) answered: Option<Duration>,
    /// Why it was not answered by a backend.
    pub(crate) refusal: Option<Refusal>,
    /// What the refusal leaves open.
    pub(crate) detail: Option<Arc<str>>,
}

/// Who asks from a page of some origin, and the filter that says whether it may.
pub(crate) struct Asker {
    pub(crate) cors: Arc<Cors>,
    /// `Origin` as the client sent it.
    pub(crate) origin: HeaderMap,
}

impl<'c> RequestCtx<'c> {
    pub(crate) fn new(
        shared: &'c Shared,
        connection: &'c Connection,
        request: &RequestHead,
    ) -> Self {
        Self {
            shared,
            connection,
            started: Instant::now(),
            unreported: true,
            record: report::record(&shared.access_log, request),
            method: request.method.clone(),
            version: request.version,
            bytes_in: 0,
            bytes_out: 0,
            status: None,
            is_call: is_call(request.version, &request.method, &request.headers),
            call_status: None,
            asks_upgrade: false,
            spot: None,
            prefix: None,
            timeouts: Timeouts::default(),
            deadlines: Deadlines::default(),
            upstream: None,
            cors: None,
            tee: None,
            kept: Kept::default(),
            pick: None,
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

    /// Whether a final answer, or a tunnel, has begun: nothing else can be said then.
    pub(crate) fn has_answered(&self) -> bool {
        self.status.is_some()
    }

    /// Counts and logs it, for it came to its end.
    pub(crate) fn finish(mut self) {
        report::report(&mut self);
    }

    /// How long it has taken so far, if anybody is going to know.
    pub(crate) fn logged_elapsed(&self) -> Option<Duration> {
        self.record.is_some().then(|| self.started.elapsed())
    }
}

impl Drop for RequestCtx<'_> {
    /// A request that is dropped, such as when the data plane is stopped, never reaches its end.
    fn drop(&mut self) {
        report::cut_off(self);
    }
}
