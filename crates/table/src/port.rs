//! Ports and listeners.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::{
    HostPattern, HttpRoute, L4Route, Listener, ListenerId, ListenerProtocol, PortKey, RouteId,
    SharedMap,
};

use crate::host::{Host, HostMap};
use crate::l4::{ForwardRule, ForwardRules};
use crate::parts::Parts;
use crate::path::Paths;
use crate::predicate::RequestParts;
use crate::rule::Selected;
use crate::share::{Counters, Patterns};

/// All of a data plane's lookups. `P` says what they carry for it.
#[derive(Debug)]
pub struct Table<P: Parts> {
    pub(crate) ports: BTreeMap<PortKey, PortTable<P>>,
    pub(crate) patterns: Patterns,
    pub(crate) counters: Counters,
    /// What it was built from: of the snapshot that follows, only what is other is compiled.
    pub(crate) listeners: SharedMap<ListenerId, Listener>,
    pub(crate) http_routes: SharedMap<RouteId, Arc<HttpRoute>>,
    pub(crate) l4_routes: SharedMap<RouteId, Arc<L4Route>>,
}

/// What is served on one port.
#[derive(Clone, Debug)]
pub struct PortTable<P: Parts> {
    pub(crate) family: Family,
    /// Some listener takes TLS routes.
    pub(crate) forwards_tls: bool,
    pub(crate) listeners: HostMap<Arc<ListenerTable<P>>>,
}

/// What the first bytes on a port are, and so how its listeners are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// HTTP in clear text; Host tells the listeners apart.
    Http,
    /// TLS; SNI tells the listeners apart, each of which says what is inside.
    Tls,
    /// A byte stream of one listener.
    Tcp,
    /// Datagrams of one listener.
    Udp,
}

/// One listener with its routes.
#[derive(Clone, Debug)]
pub struct ListenerTable<P: Parts> {
    /// Its id.
    pub id: ListenerId,
    /// What it answers for.
    pub hostname: HostPattern,
    /// What is spoken there.
    pub protocol: ListenerProtocol,
    /// What the data plane attached to it.
    pub attached: P::Listener,
    pub(crate) routes: Routes<P>,
}

#[derive(Clone, Debug)]
pub(crate) enum Routes<P: Parts> {
    /// By effective hostname; under each, by configured hostname from the most specific.
    Http(HostMap<Arc<Names<P>>>),
    Forward(ForwardRules<P>),
}

/// The matches under one effective hostname, by configured hostname, the most specific first.
#[derive(Clone, Debug)]
pub(crate) struct Names<P: Parts>(pub(crate) Vec<(HostPattern, Paths<P>)>);

/// Whether a request may be served by the listener its TLS connection was made for.
#[derive(Debug)]
pub enum Authority<'t, P: Parts> {
    /// It may: this is the listener.
    Own(&'t Arc<ListenerTable<P>>),
    /// Its Host belongs to another listener: answered 421.
    Misdirected,
    /// Its Host belongs to no listener: answered 404.
    Unknown,
}

impl<P: Parts> Table<P> {
    /// One that serves nothing.
    pub(crate) fn empty() -> Self {
        Self {
            ports: BTreeMap::new(),
            patterns: Patterns::default(),
            counters: Counters::default(),
            listeners: SharedMap::new(),
            http_routes: SharedMap::new(),
            l4_routes: SharedMap::new(),
        }
    }

    /// The table of that port.
    pub fn port(&self, key: PortKey) -> Option<&PortTable<P>> {
        self.ports.get(&key)
    }

    /// All ports.
    pub fn ports(&self) -> impl Iterator<Item = (PortKey, &PortTable<P>)> {
        self.ports.iter().map(|(key, port)| (*key, port))
    }
}

impl<P: Parts> PortTable<P> {
    /// What is spoken there.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether a listener of the port takes TLS routes.
    pub fn forwards_tls(&self) -> bool {
        self.forwards_tls
    }

    /// The listener for a Host header (HTTP) or SNI (TLS). [`Host::NONE`] asks for the listener
    /// without hostname, which is the one of a TCP or UDP port.
    ///
    /// "requests SHOULD match at most one Listener. For example, if Listeners are defined for
    /// "foo.example.com" and "*.example.com", a request to "foo.example.com" SHOULD only be routed
    /// using routes attached to the "foo.example.com" Listener" (`GatewaySpec.Listeners`).
    pub fn listener(&self, name: &Host<'_>) -> Option<&Arc<ListenerTable<P>>> {
        self.listeners.most_specific(name)
    }

    /// Whether a request for `host` may be served by `own`, the listener chosen by SNI.
    ///
    /// "Gateways SHOULD match the authority of the requests with all the SNI hostname(s)
    /// configured across all the Gateway Listeners on the same port and protocol: If another
    /// Listener has an exact match or more specific wildcard entry, the Gateway SHOULD return a
    /// 421. If the current Listener ... does not match the Host: If another Listener does match
    /// the Host, the Gateway SHOULD return a 421. If no other Listener matches the Host, the
    /// Gateway MUST return a 404." (`Listener.Hostname`) On a port that HTTPS and TLS listeners
    /// share, a Host does not lead out of HTTPS.
    pub fn authority(&self, own: &ListenerId, host: &Host<'_>) -> Authority<'_, P> {
        let is_https = |listener: &&Arc<ListenerTable<P>>| {
            matches!(listener.protocol, ListenerProtocol::Https(_))
        };
        let mut listeners = self.listeners.matching(host.as_str());
        match listeners.find(is_https) {
            Some(listener) if listener.id == *own => Authority::Own(listener),
            Some(_) => Authority::Misdirected,
            None => Authority::Unknown,
        }
    }
}

impl<P: Parts> ListenerTable<P> {
    /// The rule for a request on an HTTP or HTTPS listener; `None` is answered 404.
    pub fn select(&self, host: &Host<'_>, request: &RequestParts<'_>) -> Option<Selected<'_, P>> {
        match &self.routes {
            Routes::Http(hosts) => {
                let name = host.as_str();
                hosts
                    .matching(name)
                    .flat_map(|names| &names.0)
                    .find_map(|(_, paths)| paths.select(request))
            }
            Routes::Forward(_) => None,
        }
    }

    /// The rule for a connection or datagram on a TLS, TCP or UDP listener. `name` is the SNI;
    /// [`Host::NONE`] for TCP and UDP.
    pub fn forward(&self, name: &Host<'_>) -> Option<&Arc<ForwardRule<P>>> {
        match &self.routes {
            Routes::Forward(rules) => rules.select(name),
            Routes::Http(_) => None,
        }
    }
}
