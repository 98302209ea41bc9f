//! The endpoints of one backend, each with its own sessions to resume.
//!
//! Endpoints share a name but, as a rule, no ticket keys: what one of them issued would be refused
//! by the others.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::{ClientConfig, Resumption};

use super::next_id;
use crate::limits;

/// One endpoint under one configuration.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Tells its connections from those of every other endpoint, and from those under every other
    /// configuration, that this process ever has.
    pub(crate) id: u64,
    /// The backend's, with sessions of its own.
    pub(super) config: Option<Arc<ClientConfig>>,
}

/// Those that were connected to.
#[derive(Debug, Default)]
pub(super) struct Endpoints(Mutex<BTreeMap<SocketAddr, Arc<Endpoint>>>);

impl Endpoints {
    /// The endpoint at `address`.
    pub(super) fn at(&self, address: SocketAddr, config: Option<&ClientConfig>) -> Arc<Endpoint> {
        let mut known = self.0.lock();
        if let Some(endpoint) = known.get(&address) {
            return Arc::clone(endpoint);
        }
        // Endpoints come and go; those that stay need one full handshake to be known again.
        if known.len() >= limits::BACKEND_TLS_ENDPOINTS {
            known.clear();
        }
        let own_sessions = |config: &ClientConfig| {
            let mut config = config.clone();
            config.resumption = Resumption::in_memory_sessions(1);
            Arc::new(config)
        };
        let endpoint = Arc::new(Endpoint {
            id: next_id(),
            config: config.map(own_sessions),
        });
        known.insert(address, Arc::clone(&endpoint));
        endpoint
    }
}
