//! What is known of one request while it is served.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_ir::ListenerId;
use portcullis_table::Rule;
use tokio::time::Instant;

use super::filter::Filters;
use super::refusal::Refusal;
use crate::listener::connection::Connection;
use crate::state::Upstream;
use crate::upstream::cluster::{Cluster, Pick};

/// The record of one request.
pub(crate) struct RequestCtx {
    /// When its head had arrived.
    pub(crate) started: Instant,
    /// The connection it came on.
    pub(crate) connection: Option<Arc<Connection>>,
    /// The listener it is for.
    pub(crate) listener: Option<ListenerId>,
    /// The rule it matched.
    pub(crate) rule: Option<Arc<Rule<Upstream>>>,
    /// How many bytes of its path the rule's prefix took.
    pub(crate) prefix: Option<usize>,
    /// The backend chosen for it.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// What is done to it and its answer.
    pub(crate) filters: Option<Arc<Filters>>,
    /// The endpoint of the attempt under way.
    pub(crate) pick: Option<Pick>,
    /// Endpoints that could not be connected to.
    pub(crate) failed: Vec<SocketAddr>,
    /// Attempts made.
    pub(crate) attempts: usize,
    /// Why it was not answered by a backend.
    pub(crate) refusal: Option<Refusal>,
}

impl RequestCtx {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            connection: None,
            listener: None,
            rule: None,
            prefix: None,
            cluster: None,
            filters: None,
            pick: None,
            failed: Vec::new(),
            attempts: 0,
            refusal: None,
        }
    }
}
