//! What is known of one request while it is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_ir::route::Timeouts;
use tokio::time::Instant;

use super::refusal::Refusal;
use super::routing::Upstream;
use super::spot::Spot;
use crate::listener::connection::Connection;
use crate::upstream::cluster::Pick;

/// The record of one request.
pub(crate) struct RequestCtx {
    /// When its head had arrived.
    pub(crate) started: Instant,
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
    /// The endpoint of the attempt under way.
    pub(crate) pick: Option<Pick>,
    /// Endpoints that could not be connected to.
    pub(crate) failed: Vec<SocketAddr>,
    /// Attempts made.
    pub(crate) attempts: usize,
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
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            connection: None,
            spot: None,
            prefix: None,
            timeouts: Timeouts::default(),
            upstream: None,
            pick: None,
            failed: Vec::new(),
            attempts: 0,
            asked: None,
            answered: None,
            refusal: None,
            detail: None,
        }
    }
}
