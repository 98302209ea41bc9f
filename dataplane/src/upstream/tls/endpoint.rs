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
pub(super) struct Endpoints(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_address: BTreeMap<SocketAddr, Used>,
    /// Grows with every use.
    uses: u64,
}

#[derive(Debug)]
struct Used {
    endpoint: Arc<Endpoint>,
    /// What [`Known::uses`] was when it was last asked for.
    last: u64,
}

impl Endpoints {
    /// The endpoint at `address`.
    pub(super) fn at(&self, address: SocketAddr, config: Option<&ClientConfig>) -> Arc<Endpoint> {
        let mut known = self.0.lock();
        known.uses += 1;
        let last = known.uses;
        if let Some(used) = known.by_address.get_mut(&address) {
            used.last = last;
            return Arc::clone(&used.endpoint);
        }
        if known.by_address.len() >= limits::BACKEND_TLS_ENDPOINTS {
            known.forget_half();
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
        let used = Used {
            endpoint: Arc::clone(&endpoint),
            last,
        };
        known.by_address.insert(address, used);
        endpoint
    }
}

impl Known {
    /// Forgets those that have not been asked for for longest. Half of them, so that it is done
    /// seldom; if they come again, it takes one full handshake each.
    fn forget_half(&mut self) {
        let mut last: Vec<_> = self.by_address.values().map(|used| used.last).collect();
        let middle = last.len() / 2;
        let (_, middle, _) = last.select_nth_unstable(middle);
        let middle = *middle;
        self.by_address.retain(|_, used| used.last >= middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_in_use_are_remembered_whatever_else_comes_and_goes() {
        let endpoints = Endpoints::default();
        let at = |port: u16| endpoints.at((std::net::Ipv4Addr::LOCALHOST, port).into(), None);
        let (first, second) = (at(1).id, at(2).id);
        for port in 3..10_000 {
            at(port);
            assert_eq!(at(1).id, first, "{port}");
            let known = endpoints.0.lock().by_address.len();
            assert!(known <= limits::BACKEND_TLS_ENDPOINTS, "{known}");
        }
        assert_ne!(at(2).id, second, "forgotten long ago");
    }
}
