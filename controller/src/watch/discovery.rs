//! Whether the cluster has a kind of Kubernetes' own that not every cluster has, and in which
//! version: from its discovery documents.
//!
//! "Detect availability at startup and at periodic intervals by probing the discovery document …
//! for the `certificates.k8s.io` group, rather than by issuing client requests that would fail."
//! (GEP-5075)

use std::time::Duration;

use kube::Client;
use portcullis_api::Kind;
use tokio::sync::watch;

use super::changes::error_chain;
use super::follower::Plan;
use super::served::Served;

/// Between looks. Nobody waits for a cluster to learn a new kind.
const INTERVAL: Duration = Duration::from_mins(1);
/// After the first look that failed while none has succeeded; doubled with each.
const RETRY: Duration = Duration::from_millis(250);
/// Between such looks at most: nothing is served until one succeeds.
const LONGEST_RETRY: Duration = Duration::from_secs(4);

/// Plans how a kind is watched.
pub(super) struct Discovery {
    pub(super) client: Client,
    pub(super) kind: Kind,
    pub(super) plan: watch::Sender<Plan>,
    /// Told to whoever else asks for objects of this kind.
    pub(super) served: Served,
}

impl Discovery {
    /// Looks again and again until nobody cares any more.
    pub(super) async fn run(self) {
        let mut retry = RETRY;
        let mut told = None;
        while !self.plan.is_closed() {
            match self.look().await {
                Ok(planned) => {
                    told = None;
                    self.tell(planned);
                }
                Err(error) => {
                    let error = error_chain(&error);
                    if told.as_ref() != Some(&error) {
                        tracing::warn!(kind = %self.kind, error, "cannot be looked for; trying again");
                    }
                    told = Some(error);
                }
            }
            if *self.plan.borrow() == Plan::Unknown {
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(LONGEST_RETRY);
            } else {
                tokio::time::sleep(INTERVAL).await;
            }
        }
    }

    fn tell(&self, planned: Plan) {
        if let Plan::Watched(version) = planned {
            self.served.note(self.kind, version);
        }
        self.plan
            .send_if_modified(|plan| std::mem::replace(plan, planned) != planned);
    }

    async fn look(&self) -> Result<Plan, kube::Error> {
        let groups = self.client.list_api_groups().await?.groups;
        let own = groups.iter().find(|it| it.name == self.kind.group());
        for version in self.kind.versions() {
            let mut served = own.iter().flat_map(|group| &group.versions);
            let Some(served) = served.find(|served| served.version == *version) else {
                continue;
            };
            let group_version = &served.group_version;
            let resources = match self.client.list_api_group_resources(group_version).await {
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                found => found?.resources,
            };
            if resources.iter().any(|it| it.name == self.kind.plural()) {
                return Ok(Plan::Watched(version));
            }
        }
        Ok(Plan::Absent)
    }
}
