//! The data planes of this process, one for each Gateway.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use portcullis_dataplane::admin::{AdminState, Hold};
use portcullis_dataplane::{Applied, BindFailure, Config, DataPlane, Drained, StartError};
use portcullis_ir::{ObjectKey, Snapshot};
use tokio::task::JoinSet;

use super::control::{Order, overlap};

/// How a data plane is started.
type Starter = fn(Config) -> Result<DataPlane, StartError>;

/// Carries out orders.
pub(crate) struct Fleet {
    /// What all data planes have in common.
    template: Config,
    start: Starter,
    admin: Arc<AdminState>,
    members: BTreeMap<ObjectKey, Member>,
    leaving: JoinSet<(ObjectKey, Drained)>,
}

/// What serves a Gateway.
struct Member {
    snapshot: Arc<Snapshot>,
    bind: Vec<IpAddr>,
    /// The one for `bind`.
    data_plane: Started,
    /// One at other addresses, which serves until that one can.
    predecessor: Option<(Vec<IpAddr>, Arc<DataPlane>)>,
}

enum Started {
    Yes(Arc<DataPlane>),
    /// Not yet, and why.
    No(Option<Obstacle>),
}

/// Why a data plane could not be started.
struct Obstacle {
    told: String,
    /// Until it can.
    _unready: Hold,
}

impl Fleet {
    pub(crate) fn new(template: Config, admin: Arc<AdminState>) -> Self {
        Self::started_by(DataPlane::start, template, admin)
    }

    fn started_by(start: Starter, template: Config, admin: Arc<AdminState>) -> Self {
        Self {
            template,
            start,
            admin,
            members: BTreeMap::new(),
            leaving: JoinSet::new(),
        }
    }

    /// Carries out an order, and says what came of it.
    pub(crate) async fn carry_out(&mut self, order: Order) -> Option<(ObjectKey, Applied)> {
        match order {
            Order::Serve {
                gateway,
                bind,
                snapshot,
            } => {
                let applied = self.serve(&gateway, bind, snapshot).await?;
                Some((gateway, applied))
            }
            Order::Stop { gateway } => {
                self.admin.unregister(&gateway);
                for data_plane in self.members.remove(&gateway)?.end() {
                    self.dismiss(&gateway, data_plane);
                }
                None
            }
        }
    }

    async fn serve(
        &mut self,
        gateway: &ObjectKey,
        bind: Vec<IpAddr>,
        snapshot: Arc<Snapshot>,
    ) -> Option<Applied> {
        let before = self.members.remove(gateway);
        let moves = before.as_ref().is_some_and(|before| before.bind != bind);
        let (mut member, goes) = match before {
            Some(before) => before.moved_to(bind, snapshot),
            None => (Member::new(bind, snapshot), None),
        };
        if let Some(goes) = goes {
            self.dismiss(gateway, goes);
        }
        let applied = self.advance(gateway, &mut member).await;
        self.show(gateway, &member);
        if let Some((old, predecessor)) = &member.predecessor {
            if moves {
                tracing::warn!(
                    "Gateway {gateway}: cannot be served at {:?}; it stays at {old:?} until it can",
                    member.bind
                );
            }
            predecessor.apply(Arc::clone(&member.snapshot)).await;
        }
        self.members.insert(gateway.clone(), member);
        applied
    }

    /// Brings a member as near to what was ordered as it gets now. At other addresses it is
    /// another data plane: the one before serves until this one does, and where their addresses
    /// meet, this one gets a port when the other has let go.
    async fn advance(&mut self, gateway: &ObjectKey, member: &mut Member) -> Option<Applied> {
        let data_plane = self.started(gateway, member)?;
        let applied = data_plane.apply(Arc::clone(&member.snapshot)).await;
        let goes = member
            .predecessor
            .take_if(|(_, predecessor)| takes_over(&applied, &member.bind, predecessor));
        let Some((_, goes)) = goes else {
            return Some(applied);
        };
        self.dismiss(gateway, goes);
        Some(apply_patiently(&data_plane, &member.snapshot).await)
    }

    /// The data plane of a member, started if it is not yet.
    fn started(&self, gateway: &ObjectKey, member: &mut Member) -> Option<Arc<DataPlane>> {
        let before = match &mut member.data_plane {
            Started::Yes(data_plane) => return Some(Arc::clone(data_plane)),
            Started::No(obstacle) => obstacle,
        };
        let config = Config {
            bind: member.bind.clone(),
            ..self.template.clone()
        };
        match (self.start)(config) {
            Ok(data_plane) => {
                let data_plane = Arc::new(data_plane);
                member.data_plane = Started::Yes(Arc::clone(&data_plane));
                Some(data_plane)
            }
            Err(error) => {
                let told = format!("Gateway {gateway}: {error}");
                if before.as_ref().is_none_or(|before| before.told != told) {
                    tracing::error!("{told}");
                    let unready = self.admin.hold(told.clone());
                    *before = Some(Obstacle {
                        told,
                        _unready: unready,
                    });
                }
                None
            }
        }
    }

    /// Makes the admin pages show what serves.
    fn show(&self, gateway: &ObjectKey, member: &Member) {
        let serves = match (&member.predecessor, &member.data_plane) {
            (Some((_, data_plane)), _) | (None, Started::Yes(data_plane)) => data_plane,
            (None, Started::No(_)) => return,
        };
        self.admin
            .register(gateway.clone(), Arc::clone(serves) as _);
    }

    /// Lets a data plane end when its requests have.
    fn dismiss(&mut self, gateway: &ObjectKey, data_plane: Arc<DataPlane>) {
        let gateway = gateway.clone();
        self.leaving.spawn(async move {
            let drained = data_plane.drain().await;
            // Waits for the workers' threads to end.
            let _ = tokio::task::spawn_blocking(move || drop(data_plane)).await;
            (gateway, drained)
        });
    }

    /// Tries again what could not be started or bound. Says what changed.
    pub(crate) async fn retry(&mut self) -> Vec<(ObjectKey, Applied)> {
        let mut news = Vec::new();
        let incomplete = self
            .members
            .extract_if(.., |_, member| member.is_incomplete());
        let incomplete: Vec<_> = incomplete.collect();
        for (gateway, mut member) in incomplete {
            let before = member.applied();
            let applied = self.advance(&gateway, &mut member).await;
            self.show(&gateway, &member);
            if let Some(applied) = applied
                && before.is_none_or(|before| before.ports != applied.ports)
            {
                news.push((gateway.clone(), applied));
            }
            self.members.insert(gateway, member);
        }
        news
    }

    /// Whether [`Fleet::retry`] has something to do.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.members.values().any(Member::is_incomplete)
    }

    /// Lets all end when their requests have. Answers how many connections had to be cut off.
    pub(crate) async fn drain(mut self) -> usize {
        for (gateway, member) in std::mem::take(&mut self.members) {
            for data_plane in member.end() {
                self.dismiss(&gateway, data_plane);
            }
        }
        let mut cut_off = 0;
        while let Some(ended) = self.leaving.join_next().await {
            if let Ok((gateway, Drained::CutOff { connections })) = ended {
                tracing::warn!("Gateway {gateway}: time is up, {connections} connections cut off");
                cut_off += connections;
            }
        }
        cut_off
    }
}

impl Member {
    fn new(bind: Vec<IpAddr>, snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot,
            bind,
            data_plane: Started::No(None),
            predecessor: None,
        }
    }

    /// The member as ordered now, and what it needs no more.
    fn moved_to(
        self,
        bind: Vec<IpAddr>,
        snapshot: Arc<Snapshot>,
    ) -> (Self, Option<Arc<DataPlane>>) {
        if self.bind == bind {
            return (Self { snapshot, ..self }, None);
        }
        let here = match self.data_plane {
            Started::Yes(data_plane) => Some(data_plane),
            Started::No(_) => None,
        };
        let (serves, goes) = match self.predecessor {
            Some(predecessor) => (Some(predecessor), here),
            None => (here.map(|data_plane| (self.bind, data_plane)), None),
        };
        let mut member = Self::new(bind, snapshot);
        match serves {
            Some((old, data_plane)) if old == member.bind => {
                member.data_plane = Started::Yes(data_plane);
            }
            serves => member.predecessor = serves,
        }
        (member, goes)
    }

    fn applied(&self) -> Option<Applied> {
        match &self.data_plane {
            Started::Yes(data_plane) => data_plane.applied(),
            Started::No(_) => None,
        }
    }

    fn is_incomplete(&self) -> bool {
        self.applied().is_none_or(|applied| !applied.is_complete())
    }

    /// All data planes it has.
    fn end(self) -> impl Iterator<Item = Arc<DataPlane>> {
        let data_plane = match self.data_plane {
            Started::Yes(data_plane) => Some(data_plane),
            Started::No(_) => None,
        };
        let predecessor = self.predecessor.map(|(_, data_plane)| data_plane);
        data_plane.into_iter().chain(predecessor)
    }
}

/// Whether a data plane serves, or would if its predecessor let go of what it holds.
fn takes_over(applied: &Applied, bind: &[IpAddr], predecessor: &DataPlane) -> bool {
    if applied.ports.is_empty() || applied.ports.values().any(Result::is_ok) {
        return true;
    }
    let held = predecessor.applied();
    let held = held.iter().flat_map(|held| &held.ports);
    let held = held.filter_map(|(key, state)| Some((key.transport, state.as_ref().ok()?)));
    let held: Vec<_> = held
        .flat_map(|(transport, held)| held.iter().map(move |held| (transport, held)))
        .collect();
    let in_the_way = |failure: &BindFailure| {
        let BindFailure::InUse { real } = failure else {
            return false;
        };
        let is_real = |held: &SocketAddr| held.port() == real.number;
        held.iter().any(|(transport, held)| {
            *transport == real.transport
                && is_real(held)
                && bind.iter().any(|ip| overlap(*ip, held.ip()))
        })
    };
    let mut failures = applied
        .ports
        .values()
        .filter_map(|port| port.as_ref().err());
    failures.any(in_the_way) && bind.iter().all(|ip| is_here(*ip))
}

/// Whether this machine has the address.
fn is_here(ip: IpAddr) -> bool {
    let bound = TcpListener::bind((ip, 0));
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// Applies until every port is bound, while another data plane of ours gives its ports up.
async fn apply_patiently(data_plane: &DataPlane, snapshot: &Arc<Snapshot>) -> Applied {
    const ATTEMPTS: usize = 50;
    const PAUSE: Duration = Duration::from_millis(10);
    let mut applied = data_plane.apply(Arc::clone(snapshot)).await;
    for _ in 0..ATTEMPTS {
        if applied.is_complete() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        applied = data_plane.apply(Arc::clone(snapshot)).await;
    }
    applied
}

#[cfg(test)]
mod tests;
