//! Rules that forward bytes as they are.

use std::sync::Arc;

use portcullis_ir::HostPattern;
use portcullis_ir::RouteId;
use portcullis_ir::order::OriginRank;

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
    pub backends: Backends<P::Backend>,
}

/// The rules of one listener by SNI; those of TCP and UDP stand under no name.
#[derive(Debug)]
pub(crate) struct ForwardRules<P: Parts>(HostMap<Arc<ForwardRule<P>>>);

/// One rule under one name.
pub(crate) struct ForwardCandidate<P: Parts> {
    /// "The oldest Route", then alphabetical order: as between HTTP routes.
    pub(crate) origin: OriginRank,
    pub(crate) configured: HostPattern,
    pub(crate) effective: HostPattern,
    pub(crate) rule: Arc<ForwardRule<P>>,
}

impl<P: Parts> ForwardRules<P> {
    /// Of several rules under one name, the one of the more specific configured name wins, then
    /// the older route.
    pub(crate) fn new(mut candidates: Vec<ForwardCandidate<P>>) -> Self {
        candidates.sort_by(|a, b| (&a.configured, &a.origin).cmp(&(&b.configured, &b.origin)));
        let mut rules = HostMap::default();
        for candidate in candidates {
            rules.entry_or_else(&candidate.effective, || candidate.rule);
        }
        Self(rules)
    }

    pub(crate) fn select(&self, name: &Host<'_>) -> Option<&Arc<ForwardRule<P>>> {
        self.0.most_specific(name)
    }
}
