//! What the table carries for us: everything that a request needs once its rule is found.

use std::sync::Arc;

use portcullis_ir::filter::Filter;
use portcullis_ir::route::Timeouts;
use portcullis_ir::{BackendId, ListenerId, ObjectKey, Snapshot};
use portcullis_table::{Attach, ForwardSite, Parts, RuleSite, Table};

use super::filter::{Cors, Filters, Redirect};
use super::mirror::Mirror;
use super::retry::Policy;
use super::spot::Spot;
use crate::metrics::GatewayMetrics;
use crate::stream::spot::ForwardSpot;
use crate::upstream::cluster::{Cluster, Clusters};

/// What listeners and routes alone decide: kept when only endpoints or certificates change.
#[derive(Debug)]
pub(crate) struct Routing {
    pub(crate) table: Table<Carried>,
    /// For requests that no listener takes.
    pub(crate) nowhere: Arc<Spot>,
}

/// The types of what the table carries.
#[derive(Clone, Debug)]
pub(crate) enum Carried {}

impl Parts for Carried {
    /// For requests that no route of the listener takes.
    type Listener = Arc<Spot>;
    type Rule = Action;
    type Forward = Arc<ForwardSpot>;
    type Backend = Arc<Upstream>;
}

/// What is done with the requests of a rule, whatever backend they go to.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) spot: Arc<Spot>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Option<Arc<Policy>>,
    /// The answer; no backend is asked.
    pub(crate) redirect: Option<Box<Redirect>>,
    /// Which pages of other origins may read answers. Preflights are answered by it, and no backend
    /// is asked.
    pub(crate) cors: Option<Arc<Cors>>,
}

/// A backendRef of a rule.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) cluster: Arc<Cluster>,
    /// What is done to requests that go there and to their answers.
    pub(crate) filters: Filters,
    /// Who gets copies of them.
    pub(crate) mirrors: Box<[Mirror]>,
}

impl Routing {
    /// Compiles `snapshot`, whose backends are `clusters`.
    pub(crate) fn new(
        snapshot: &Snapshot,
        before: Option<&Self>,
        clusters: &Clusters,
        metrics: &GatewayMetrics,
    ) -> Self {
        let gateway = &snapshot.gateway;
        let mut carrier = Carrier {
            gateway,
            clusters,
            metrics,
        };
        let before = before.map(|before| &before.table);
        Self {
            table: Table::build(snapshot, before, &mut carrier),
            nowhere: Spot::unrouted(gateway, None),
        }
    }
}

/// Makes what the table carries.
struct Carrier<'a> {
    gateway: &'a ObjectKey,
    clusters: &'a Clusters,
    metrics: &'a GatewayMetrics,
}

impl Attach for Carrier<'_> {
    type Parts = Carried;

    fn listener(&mut self, id: &ListenerId) -> Arc<Spot> {
        Spot::unrouted(self.gateway, Some(id))
    }

    fn rule(&mut self, site: &RuleSite<'_>) -> Action {
        let before_backend = Filters::compile(&site.rule.filters, &[]);
        Action {
            spot: Spot::of_rule(self.gateway, site, self.metrics),
            timeouts: site.rule.timeouts,
            retry: site.rule.retry.as_ref().map(Policy::new).map(Arc::new),
            redirect: before_backend.redirect().cloned().map(Box::new),
            cors: before_backend.cors().cloned(),
        }
    }

    fn forward(&mut self, site: &ForwardSite<'_>) -> Arc<ForwardSpot> {
        ForwardSpot::new(self.gateway, site, self.metrics)
    }

    fn backend(&mut self, id: &BackendId, of_rule: &[Filter], of_ref: &[Filter]) -> Arc<Upstream> {
        Arc::new(Upstream {
            cluster: self.clusters.cluster(id).unwrap_or_else(Cluster::empty),
            filters: Filters::compile(of_rule, of_ref),
            mirrors: Mirror::all(of_rule, of_ref, self.clusters),
        })
    }
}
