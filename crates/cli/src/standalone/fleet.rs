//! The data planes of this process, one for each Gateway.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_dataplane::admin::AdminState;
use portcullis_dataplane::{Applied, Config, DataPlane, Drained};
use portcullis_ir::{ObjectKey, Snapshot};
use tokio::task::JoinSet;

use super::control::Order;

/// Carries out orders.
pub(crate) struct Fleet {
    /// What all data planes have in common.
    template: Config,
    admin: Arc<AdminState>,
    members: BTreeMap<ObjectKey, Member>,
    leaving: JoinSet<(ObjectKey, Drained)>,
}

struct Member {
    bind: Vec<IpAddr>,
    snapshot: Arc<Snapshot>,
    /// `None` if it could not be started.
    data_plane: Option<Arc<DataPlane>>,
}

impl Fleet {
    pub(crate) fn new(template: Config, admin: Arc<AdminState>) -> Self {
        Self {
            template,
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
                let data_plane = self.members.remove(&gateway)?.data_plane?;
                self.dismiss(gateway, data_plane);
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
        let (stays, goes) = match before {
            Some(member) if member.bind == bind => (member.data_plane, None),
            Some(member) => (None, member.data_plane),
            None => (None, None),
        };
        let data_plane = stays.or_else(|| self.start(gateway, &bind));
        let mut applied = None;
        if let Some(data_plane) = &data_plane {
            applied = Some(data_plane.apply(Arc::clone(&snapshot)).await);
            // At other addresses it is another data plane. The one before serves until this one
            // does; where their addresses meet, this one gets a port when the other has let go.
            if let Some(goes) = goes {
                self.dismiss(gateway.clone(), goes);
                applied = Some(apply_patiently(data_plane, &snapshot).await);
            }
        } else if let Some(goes) = goes {
            self.dismiss(gateway.clone(), goes);
        }
        self.members.insert(
            gateway.clone(),
            Member {
                bind,
                snapshot,
                data_plane,
            },
        );
        applied
    }

    fn start(&self, gateway: &ObjectKey, bind: &[IpAddr]) -> Option<Arc<DataPlane>> {
        let config = Config {
            bind: bind.to_vec(),
            ..self.template.clone()
        };
        match DataPlane::start(config) {
            Ok(data_plane) => {
                let data_plane = Arc::new(data_plane);
                self.admin
                    .register(gateway.clone(), Arc::clone(&data_plane) as _);
                Some(data_plane)
            }
            Err(error) => {
                tracing::error!("Gateway {gateway}: {error}");
                None
            }
        }
    }

    /// Lets a data plane end when its requests have.
    fn dismiss(&mut self, gateway: ObjectKey, data_plane: Arc<DataPlane>) {
        self.leaving.spawn(async move {
            let drained = data_plane.drain().await;
            // Waits for the workers' threads to end.
            let _ = tokio::task::spawn_blocking(move || drop(data_plane)).await;
            (gateway, drained)
        });
    }

    /// Tries ports again that could not be bound. Says what changed.
    pub(crate) async fn retry(&mut self) -> Vec<(ObjectKey, Applied)> {
        let mut news = Vec::new();
        for (gateway, member) in &self.members {
            let Some(data_plane) = &member.data_plane else {
                continue;
            };
            let before = data_plane.applied();
            if before.as_ref().is_some_and(Applied::is_complete) {
                continue;
            }
            let applied = data_plane.apply(Arc::clone(&member.snapshot)).await;
            if before.is_none_or(|before| before.ports != applied.ports) {
                news.push((gateway.clone(), applied));
            }
        }
        news
    }

    /// Whether [`Fleet::retry`] has something to do.
    pub(crate) fn is_incomplete(&self) -> bool {
        let data_planes = self
            .members
            .values()
            .filter_map(|member| member.data_plane.as_ref());
        data_planes
            .filter_map(|it| it.applied())
            .any(|applied| !applied.is_complete())
    }

    /// Lets all end when their requests have. Answers how many connections had to be cut off.
    pub(crate) async fn drain(mut self) -> usize {
        for (gateway, member) in std::mem::take(&mut self.members) {
            if let Some(data_plane) = member.data_plane {
                self.dismiss(gateway, data_plane);
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
