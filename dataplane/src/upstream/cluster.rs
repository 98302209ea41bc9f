//! One backend with its current endpoints.
//!
//! A cluster outlives snapshots: when only endpoints change, the table that names it stays, and
//! this swaps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portcullis_ir::backend::{BackendTarget, WeightedBackend};
use portcullis_ir::filter::Filter;
use portcullis_ir::shared::Change;
use portcullis_ir::{
    Backend, BackendId, BackendProtocol, Endpoint, EndpointHost, SharedMap, Snapshot,
};
use tokio::time::Instant;

use super::budget::Budget;
use super::resolve::{Name, Names};
use super::shunned::{Shunned, Standing};
use super::tls::TlsClient;
use super::tls::clients::{Setup, TrustStores};

mod pick;

pub(crate) use pick::{Errand, Others, Pick};

/// A backend as requests see it.
#[derive(Debug)]
pub(crate) struct Cluster {
    current: ArcSwap<Members>,
    turn: AtomicUsize,
    turn_of_retries: AtomicUsize,
    shunned: Shunned,
    /// How often it may be asked again.
    pub(crate) budget: Budget,
}

/// What a cluster consists of now.
#[derive(Debug)]
pub(crate) struct Members {
    /// What they speak.
    pub(crate) protocol: BackendProtocol,
    /// How they are reached over TLS; `None` is in clear text.
    pub(crate) tls: Option<Arc<TlsClient>>,
    endpoints: Box<[Member]>,
    source: Arc<Backend>,
}

#[derive(Debug)]
enum Member {
    Address(SocketAddr),
    Name { name: Arc<Name>, port: u16 },
}

impl Cluster {
    /// A cluster of `backend`'s endpoints.
    fn new(backend: &Arc<Backend>, tls: Option<Arc<TlsClient>>, names: &Names) -> Self {
        let members = Members::new(backend, tls, names);
        Self {
            current: ArcSwap::from_pointee(members),
            turn: AtomicUsize::new(0),
            turn_of_retries: AtomicUsize::new(0),
            shunned: Shunned::default(),
            budget: Budget::new(),
        }
    }

    /// The cluster of a backend that is not there.
    pub(crate) fn empty() -> Arc<Self> {
        let backend = Backend {
            protocol: BackendProtocol::Http1,
            tls: None,
            endpoints: Vec::new(),
        };
        Arc::new(Self::new(&Arc::new(backend), None, &Names::default()))
    }

    fn update(&self, backend: &Arc<Backend>, tls: Option<Arc<TlsClient>>, names: &Names) {
        let current = self.current.load();
        let same_tls = match (&current.tls, &tls) {
            (Some(current), Some(next)) => Arc::ptr_eq(current, next),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if *current.source != **backend || !same_tls {
            let members = Arc::new(Members::new(backend, tls, names));
            self.shunned.keep(|address| members.offer(address));
            self.current.store(members);
        }
    }

    /// What it consists of now.
    pub(crate) fn members(&self) -> arc_swap::Guard<Arc<Members>> {
        self.current.load()
    }

    /// Whether there is nowhere to go.
    pub(crate) fn is_empty(&self) -> bool {
        self.members().endpoints.is_empty()
    }

    /// The next address in turn: one of those that are not in `tried` and were not found unreachable
    /// lately, as far as there are any. `None` if there is no endpoint, or none whose name resolves.
    pub(crate) async fn next(&self, tried: &[SocketAddr]) -> Option<Pick> {
        // Were turns shared, every request would begin at the endpoint that fails, if it is one of two.
        if !tried.is_empty() {
            let turn = self.turn_of_retries.fetch_add(1, Ordering::Relaxed);
            return Box::pin(self.choose(turn, tried)).await;
        }
        let members = self.members();
        let count = members.endpoints.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let member = members.endpoints.get(turn.checked_rem(count)?)?;
        if let Some(address) = member.address(turn).await {
            if self.shunned.is_empty() {
                return Some(members.pick(address, Errand::Request));
            }
            let now = Instant::now();
            match self.shunned.standing(address, now) {
                Standing::Sound => return Some(members.pick(address, Errand::Request)),
                Standing::Due => {
                    self.shunned.try_out(address, now);
                    return Some(members.pick(address, Errand::Trial));
                }
                Standing::Resting => {}
            }
        }
        Box::pin(self.choose(turn, tried)).await
    }

    /// One of the best endpoints, by `turn`: that all of them get alike of what one cannot have.
    async fn choose(&self, turn: usize, tried: &[SocketAddr]) -> Option<Pick> {
        let members = self.members();
        for member in &members.endpoints {
            // Its name is looked up, if it never was.
            member.address(0).await;
        }
        let now = Instant::now();
        let rank = |address| match self.shunned.standing(address, now) {
            _ if tried.contains(&address) => Rank::Tried,
            standing => Rank::Untried(standing),
        };
        let addresses = members.endpoints.iter().flat_map(Member::addresses);
        let ranked: Vec<_> = addresses.map(|it| (rank(it), it)).collect();
        let best = ranked.iter().map(|(rank, _)| *rank).min()?;
        let mut those = ranked.iter().filter(|(rank, _)| *rank == best);
        let (_, address) = those.nth(turn.checked_rem(those.clone().count())?)?;
        let errand = match best {
            Rank::Untried(Standing::Due) => {
                self.shunned.try_out(*address, now);
                Errand::Trial
            }
            Rank::Untried(Standing::Sound | Standing::Resting) | Rank::Tried => Errand::Request,
        };
        Some(members.pick(*address, errand))
    }

    /// What there is beside the endpoint of `pick` and those in `tried`.
    pub(crate) fn others(&self, pick: &Pick, tried: &[SocketAddr]) -> Others {
        let members = self.members();
        let now = Instant::now();
        let addresses = members.endpoints.iter().flat_map(Member::addresses);
        let mut others = Others::None;
        for address in addresses.filter(|it| *it != pick.address && !tried.contains(it)) {
            if self.shunned.standing(address, now) == Standing::Sound {
                return Others::Sound;
            }
            others = Others::Unsound;
        }
        others
    }

    /// No connection came about.
    pub(crate) fn note_unreached(&self, pick: &Pick) {
        if self.members().offer(pick.address) {
            self.shunned.shun(pick.address, Instant::now());
        }
    }

    /// A connection came about.
    pub(crate) fn note_reached(&self, pick: &Pick) {
        self.shunned.welcome(pick.address);
    }
}

/// What speaks against an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Untried(Standing),
    /// The request has failed there already.
    Tried,
}

impl Member {
    /// One of its addresses, by `turn`; `None` if its name has none.
    async fn address(&self, turn: usize) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name { name, port } => name.address(*port, turn).await,
        }
    }

    /// All of them, as far as they are known.
    fn addresses(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        let (own, of_name) = match self {
            Self::Address(address) => (Some(*address), Vec::new()),
            Self::Name { name, port } => (None, name.addresses(*port)),
        };
        own.into_iter().chain(of_name)
    }
}

impl Members {
    /// Whether there is no endpoint.
    pub(crate) fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// Whether `endpoint` is one of them, or one of the addresses of one given by name.
    pub(crate) fn offer(&self, endpoint: SocketAddr) -> bool {
        self.endpoints.iter().any(|member| match member {
            Member::Address(address) => *address == endpoint,
            Member::Name { name, port } => *port == endpoint.port() && name.has(endpoint.ip()),
        })
    }

    fn new(backend: &Arc<Backend>, tls: Option<Arc<TlsClient>>, names: &Names) -> Self {
        let Backend {
            protocol,
            tls: _,
            endpoints,
        } = &**backend;
        let member = |Endpoint { host, port }: &Endpoint| match host {
            EndpointHost::Ip(ip) => Member::Address(SocketAddr::new(*ip, *port)),
            EndpointHost::Dns(name) => Member::Name {
                name: names.name(name),
                port: *port,
            },
        };
        Self {
            protocol: *protocol,
            tls,
            endpoints: endpoints.iter().map(member).collect(),
            source: Arc::clone(backend),
        }
    }

    fn pick(&self, address: SocketAddr, errand: Errand) -> Pick {
        Pick {
            address,
            protocol: self.protocol,
            tls: self.tls.clone(),
            errand,
        }
    }
}

/// All clusters of a data plane, by backend.
#[derive(Debug, Default)]
pub(crate) struct Clusters {
    known: Mutex<Known>,
    names: Names,
    trust: TrustStores,
}

#[derive(Debug, Default)]
struct Known {
    by_id: BTreeMap<BackendId, Arc<Cluster>>,
    /// What the clusters were brought to last.
    backends: SharedMap<BackendId, Arc<Backend>>,
    /// Of them, those over TLS: they depend on credentials too, of which the revision is known.
    over_tls: BTreeSet<BackendId>,
    credentials: u64,
    /// Backends that were asked for and not there.
    missed: BTreeSet<BackendId>,
}

impl Clusters {
    /// Brings every cluster to what `snapshot` says, makes those that are new, and forgets the
    /// rest (requests that still use one hold it). Costs what changed since the last time.
    ///
    /// Answers whether every rule that was compiled so far and is in `snapshot` has the clusters
    /// that it should have.
    pub(crate) fn update(&self, snapshot: &Snapshot, setup: &Setup<'_>) -> ClusterChange {
        let mut known = self.known.lock();
        let Known {
            by_id,
            backends,
            over_tls,
            credentials,
            missed,
        } = &mut *known;
        let mut gone = BTreeSet::new();
        let mut change = ClusterChange::None;
        let mut may_free_names = false;
        for Change { key, before, after } in snapshot.backends.changes_since(backends) {
            may_free_names |= before.is_some();
            let Some(backend) = after else {
                by_id.remove(key);
                over_tls.remove(key);
                gone.insert(key.clone());
                continue;
            };
            if missed.contains(key) {
                change = ClusterChange::Rewired;
            }
            self.bring(by_id, key, backend, setup);
            if backend.tls.is_some() {
                over_tls.insert(key.clone());
            } else {
                over_tls.remove(key);
            }
        }
        let revision = setup.credentials.revision();
        if std::mem::replace(credentials, revision) != revision {
            for id in &*over_tls {
                if let Some(backend) = snapshot.backends.get(id) {
                    self.bring(by_id, id, backend, setup);
                }
            }
        }
        *backends = snapshot.backends.clone();
        if may_free_names {
            self.names.forget_unused();
        }
        if !gone.is_empty() && names_any(snapshot, &gone) {
            change = ClusterChange::Rewired;
        }
        if change == ClusterChange::Rewired {
            missed.clear();
        }
        change
    }

    /// Brings a cluster to what its backend is now, or makes it.
    fn bring(
        &self,
        by_id: &mut BTreeMap<BackendId, Arc<Cluster>>,
        id: &BackendId,
        backend: &Arc<Backend>,
        setup: &Setup<'_>,
    ) {
        if let Some(cluster) = by_id.get(id) {
            let before = cluster.members().tls.clone();
            let tls = self.trust.client(backend, setup, before.as_ref());
            cluster.update(backend, tls, &self.names);
        } else {
            let tls = self.trust.client(backend, setup, None);
            let cluster = Cluster::new(backend, tls, &self.names);
            by_id.insert(id.clone(), Arc::new(cluster));
        }
    }

    /// The cluster of a backend.
    pub(crate) fn cluster(&self, id: &BackendId) -> Option<Arc<Cluster>> {
        let mut known = self.known.lock();
        let found = known.by_id.get(id).cloned();
        if found.is_none() {
            known.missed.insert(id.clone());
        }
        found
    }
}

/// Whether a route names one of these backends. `translate` lets none name a backend that the
/// snapshot lacks; a snapshot of which a part was refused may.
fn names_any(snapshot: &Snapshot, backends: &BTreeSet<BackendId>) -> bool {
    let is_one = |target: &BackendTarget| match target {
        BackendTarget::Backend(id) => backends.contains(id),
        BackendTarget::Invalid { .. } => false,
    };
    let mirrors = |filters: &[Filter]| {
        (filters.iter()).any(|filter| match filter {
            Filter::Mirror(mirror) => backends.contains(&mirror.backend),
            _ => false,
        })
    };
    let any = |of_rule: &[WeightedBackend]| {
        (of_rule.iter()).any(|it| is_one(&it.target) || mirrors(&it.filters))
    };
    let mut http = snapshot.http_routes.values().flat_map(|route| &route.rules);
    let mut l4 = snapshot.l4_routes.values().flat_map(|route| &route.rules);
    http.any(|rule| any(&rule.backends) || mirrors(&rule.filters)) || l4.any(|it| any(&it.backends))
}

/// What [`Clusters::update`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClusterChange {
    /// Rules that were compiled before have the clusters they should have.
    None,
    /// A backend came or went that they name.
    Rewired,
}

#[cfg(test)]
mod tests;
