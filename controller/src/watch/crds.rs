//! Which kinds the cluster has, and in which versions: from its CustomResourceDefinitions.
//!
//! The definitions are large, and a cluster may have hundreds; so only their metadata is watched,
//! and whole ones are fetched of the groups that matter, when they change.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::{ApiResource, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Api, Client};
use portcullis_api::Kind;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::Event;
use super::changes::{changes, error_chain};
use super::follower::Plan;
use super::ledger::{Changes, Progress};
use super::served::Served;
use super::sighting::Sighting;

/// Between attempts to fetch a definition.
const RETRY: Duration = Duration::from_secs(1);

/// The groups whose CRDs are the Gateway API's, read or not.
const GATEWAY_API_GROUPS: [&str; 2] = ["gateway.networking.k8s.io", "gateway.networking.x-k8s.io"];

/// "The version of a Gateway API CRD is defined by the gateway.networking.k8s.io/bundle-version
/// annotation on the CRD." (`GatewayClassConditionStatusSupportedVersion`)
const BUNDLE_VERSION: &str = "gateway.networking.k8s.io/bundle-version";

/// The CRDs that matter, as far as they do.
#[derive(Debug, Default)]
struct Catalogue {
    /// By name, `gateways.gateway.networking.k8s.io`.
    definitions: BTreeMap<Arc<str>, Definition>,
}

#[derive(Debug, PartialEq, Eq)]
struct Definition {
    bundle_version: Option<String>,
    /// The versions the API server answers to; none before it has established the CRD.
    served: Vec<String>,
}

impl Catalogue {
    /// The CRD is so now; `None`: it is gone.
    fn note(&mut self, name: Arc<str>, definition: Option<Definition>) {
        match definition {
            Some(definition) => self.definitions.insert(name, definition),
            None => self.definitions.remove(&name),
        };
    }

    fn plan(&self, kind: Kind) -> Plan {
        let name = format!("{}.{}", kind.plural(), kind.group());
        let served = self
            .definitions
            .get(name.as_str())
            .map_or(&[][..], |definition| &definition.served);
        let mut known = kind.versions().iter();
        match known.find(|version| served.iter().any(|served| served == *version)) {
            Some(version) => Plan::Watched(version),
            None => Plan::Absent,
        }
    }

    /// The Gateway API's CRDs with their bundle versions.
    fn bundle_versions(&self) -> BTreeMap<String, Option<String>> {
        let definitions = self.definitions.iter();
        definitions
            .filter(|(name, _)| is_of(name, &GATEWAY_API_GROUPS))
            .map(|(name, definition)| (name.to_string(), definition.bundle_version.clone()))
            .collect()
    }
}

/// A CustomResourceDefinition, as far as it is read.
#[derive(Deserialize)]
struct Crd {
    spec: CrdSpec,
    status: Option<CrdStatus>,
}

#[derive(Deserialize)]
struct CrdSpec {
    versions: Vec<CrdVersion>,
}

#[derive(Deserialize)]
struct CrdVersion {
    name: String,
    served: bool,
}

/// A CRD that was just made has `conditions: null`.
#[derive(Default, Deserialize)]
struct CrdStatus {
    conditions: Option<Vec<CrdCondition>>,
}

#[derive(Deserialize)]
struct CrdCondition {
    r#type: String,
    status: String,
}

impl Definition {
    fn of(sighting: &Sighting) -> Result<Self, serde_json::Error> {
        let Crd { spec, status } = Crd::deserialize(&sighting.json)?;
        let conditions = status.and_then(|status| status.conditions);
        let established = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.r#type == "Established" && condition.status == "True");
        let annotations = sighting.metadata.annotations.as_ref();
        let served = spec.versions.into_iter().filter(|version| version.served);
        Ok(Self {
            bundle_version: annotations.and_then(|all| all.get(BUNDLE_VERSION).cloned()),
            served: served
                .filter(|_| established)
                .map(|version| version.name)
                .collect(),
        })
    }
}

/// Follows the CRDs: plans how each kind is watched, and tells the bundle versions.
pub(super) struct CrdFollower {
    pub(super) client: Client,
    /// One per kind that comes with a CRD.
    pub(super) plans: BTreeMap<Kind, watch::Sender<Plan>>,
    /// Told to whoever else asks for objects of these kinds.
    pub(super) served: Served,
    pub(super) events: mpsc::Sender<Event>,
}

impl CrdFollower {
    /// Follows until nobody listens any more.
    pub(super) async fn run(self) {
        let resource = ApiResource {
            group: "apiextensions.k8s.io".to_owned(),
            version: "v1".to_owned(),
            api_version: "apiextensions.k8s.io/v1".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            plural: "customresourcedefinitions".to_owned(),
        };
        let metadata: Api<PartialObjectMeta> = Api::all_with(self.client.clone(), &resource);
        let whole: Api<Sighting> = Api::all_with(self.client.clone(), &resource);
        let mut watch = pin!(changes(
            metadata,
            watcher::Config::default(),
            "customresourcedefinitions"
        ));
        let mut catalogue = Catalogue::default();
        let mut told = None;
        while let Some(Changes { objects, sync }) = watch.next().await {
            for (key, object) in objects {
                if self.is_relevant(&key.name) {
                    let definition = match object {
                        Some(_) => fetch(&whole, &key.name).await,
                        None => None,
                    };
                    catalogue.note(key.name, definition);
                }
            }
            if sync == Progress::Listing {
                continue;
            }
            let versions = catalogue.bundle_versions();
            if told.as_ref() != Some(&versions) {
                let event = Event::BundleVersions(Arc::new(versions.clone()));
                if self.events.send(event).await.is_err() {
                    return;
                }
                told = Some(versions);
            }
            // After the versions, so that these are known before any kind is in sync.
            for (kind, plan) in &self.plans {
                let planned = catalogue.plan(*kind);
                if let Plan::Watched(version) = planned {
                    self.served.note(*kind, version);
                }
                plan.send_if_modified(|plan| std::mem::replace(plan, planned) != planned);
            }
        }
    }

    fn is_relevant(&self, crd: &str) -> bool {
        let groups = self.plans.keys().map(|kind| kind.group());
        let groups: Vec<&str> = groups.chain(GATEWAY_API_GROUPS).collect();
        is_of(crd, &groups)
    }
}

/// The CRD of that name; `None` when it is gone meanwhile.
async fn fetch(api: &Api<Sighting>, name: &str) -> Option<Definition> {
    loop {
        let error = match api.get_opt(name).await {
            Ok(None) => return None,
            Ok(Some(sighting)) => match Definition::of(&sighting) {
                Ok(definition) => return Some(definition),
                Err(error) => error.to_string(),
            },
            Err(error) => error_chain(&error),
        };
        tracing::warn!(crd = name, error, "cannot be fetched; trying again");
        tokio::time::sleep(RETRY).await;
    }
}

/// Whether a CRD's name, `<plural>.<group>`, is of one of these groups.
fn is_of(name: &str, groups: &[&str]) -> bool {
    let group = name.split_once('.').map(|(_, group)| group);
    group.is_some_and(|group| groups.contains(&group))
}
