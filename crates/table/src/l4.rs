//! Rules that forward bytes as they are.

use std::sync::Arc;

use portcullis_ir::order::OriginRank;
use portcullis_ir::{HostPattern, L4Route, RouteHost, RouteId};

use crate::backends::Backends;
use crate::host::{Host, HostMap};
use crate::parts::Parts;

/// Where the connections or datagrams of a TLSRoute, TCPRoute or UDPRoute go, on one listener.
#[derive(Debug)]
pub struct ForwardRule<P: Parts> {
    /// The route it is of.
    pub route: RouteId,
    /// What the data plane attached to it.
    pub attached: P::Forward,
    /// Where its connections or datagrams go.
    pub backends: Arc<Backends<P::Backend>>,
    /// What it was compiled from.
    pub(crate) source: Arc<L4Route>,
}

/// The rules of one listener by SNI; those of TCP and UDP stand under no name.
#[derive(Clone, Debug)]
pub(crate) struct ForwardRules<P: Parts>(HostMap<Vec<ForwardCandidate<P>>>);

/// One rule under one name.
#[derive(Clone, Debug)]
struct ForwardCandidate<P: Parts> {
    configured: HostPattern,
    rule: Arc<ForwardRule<P>>,
}

impl<P: Parts> Default for ForwardRules<P> {
    fn default() -> Self {
        Self(HostMap::default())
    }
}

impl<P: Parts> ForwardRules<P> {
    /// Adds a rule under a name. Of several rules under one name, the one of the more specific
    /// configured name wins, then the older route.
    pub(crate) fn insert(&mut self, host: &RouteHost, rule: Arc<ForwardRule<P>>) {
        let RouteHost {
            effective,
            configured,
        } = host;
        let candidate = ForwardCandidate {
            configured: configured.clone(),
            rule,
        };
        if let Some(candidates) = self.0.get_mut(effective) {
            let rank = candidate.rank();
            let at = candidates.partition_point(|other| other.rank() < rank);
            candidates.insert(at, candidate);
        } else {
            self.0.insert_new(effective, vec![candidate]);
        }
    }

    /// Takes out what a route has under a name.
    pub(crate) fn remove(&mut self, host: &RouteHost, route: &RouteId) {
        let effective = &host.effective;
        let Some(candidates) = self.0.get_mut(effective) else {
            return;
        };
        candidates.retain(|candidate| candidate.rule.route != *route);
        if candidates.is_empty() {
            self.0.remove(effective);
        }
    }

    pub(crate) fn select(&self, name: &Host<'_>) -> Option<&Arc<ForwardRule<P>>> {
        let best = self.0.most_specific(name)?.first()?;
        Some(&best.rule)
    }
}

impl<P: Parts> ForwardCandidate<P> {
    /// "The oldest Route", then alphabetical order: as between HTTP routes.
    fn rank(&self) -> (&HostPattern, OriginRank) {
        (&self.configured, OriginRank::new(&self.rule.source.origin))
    }
}
