//! Follows the objects of one kind.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use kube::api::{ApiResource, PartialObjectMeta};
use kube::core::DynamicResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use portcullis_api::core::Namespace;
use portcullis_api::kind::Scope;
use portcullis_api::{AnyObject, Kind};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use super::Event;
use super::changes::changes_since;
use super::decode::{self, Unreadable};
use super::ledger::{Changes, Ledger};
use super::sighting::{LAST_APPLIED, Sighting};
use super::teller::Teller;
use crate::config::Namespaces;

/// How a kind is to be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Not known yet.
    Unknown,
    /// The cluster does not have it.
    Absent,
    /// In this version.
    Watched(&'static str),
}

/// What a watch yields of an object.
pub(super) trait Seen:
    Resource<DynamicType = ApiResource, Scope = DynamicResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + 'static
{
    /// The object of its kind.
    fn read(self, kind: Kind) -> Result<AnyObject, Unreadable>;
}

impl Seen for Sighting {
    fn read(self, kind: Kind) -> Result<AnyObject, Unreadable> {
        decode::object(kind, &self.json)
    }
}

/// Namespaces: all that is read of them is in their metadata.
impl Seen for PartialObjectMeta {
    fn read(self, _: Kind) -> Result<AnyObject, Unreadable> {
        let mut metadata = self.metadata;
        metadata.managed_fields = None;
        if let Some(annotations) = &mut metadata.annotations {
            annotations.remove(LAST_APPLIED);
        }
        Ok(Namespace {
            metadata,
            ..Namespace::default()
        }
        .into())
    }
}

/// Follows one kind, from one version to another, through absence and return.
pub(super) struct Follower {
    client: Client,
    kind: Kind,
    /// `None` is all namespaces.
    scopes: Vec<Option<String>>,
    events: mpsc::Sender<Event>,
}

/// The changes of a kind in each scope, by the scope's place in [`Follower::scopes`].
type Watches<S> = SelectAll<BoxStream<'static, (usize, Changes<S>)>>;

/// What each scope's watch told. Kept when the version changes: what went meanwhile must be told.
type Ledgers = Vec<Arc<Mutex<Ledger>>>;

impl Follower {
    pub(super) fn new(
        client: Client,
        kind: Kind,
        namespaces: &Namespaces,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let scopes = match (kind.scope(), namespaces) {
            (Scope::Namespaced, Namespaces::Only(names)) => {
                names.iter().cloned().map(Some).collect()
            }
            (Scope::Cluster, _) | (_, Namespaces::All) => vec![None],
        };
        Self {
            client,
            kind,
            scopes,
            events,
        }
    }

    /// Follows until nobody listens or plans any more.
    pub(super) async fn run<S: Seen>(self, mut plan: watch::Receiver<Plan>) {
        let mut teller = Teller::new(self.kind, self.scopes.len());
        let mut ledgers = self.blank();
        loop {
            let planned = *plan.borrow_and_update();
            let mut watches = match planned {
                Plan::Unknown => Watches::<S>::new(),
                Plan::Absent => {
                    ledgers = self.blank();
                    if self.send(teller.absent()).await.is_err() {
                        return;
                    }
                    Watches::new()
                }
                Plan::Watched(version) => self.watches(version, &ledgers),
            };
            loop {
                tokio::select! {
                    changed = plan.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    Some((scope, changes)) = watches.next() => {
                        if self.send(teller.tell(scope, changes)).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn blank(&self) -> Ledgers {
        self.scopes.iter().map(|_| Arc::default()).collect()
    }

    fn watches<S: Seen>(&self, version: &str, ledgers: &Ledgers) -> Watches<S> {
        let resource = resource(self.kind, version);
        let watches = self.scopes.iter().zip(ledgers).enumerate();
        watches
            .map(|(at, (scope, ledger))| {
                let api = match scope {
                    Some(namespace) => {
                        Api::namespaced_with(self.client.clone(), namespace, &resource)
                    }
                    None => Api::all_with(self.client.clone(), &resource),
                };
                let config = watcher::Config::default();
                changes_since::<S>(Arc::clone(ledger), api, config, self.kind.plural())
                    .map(move |changes| (at, changes))
                    .boxed()
            })
            .collect()
    }

    async fn send(&self, events: Vec<Event>) -> Result<(), mpsc::error::SendError<Event>> {
        for event in events {
            self.events.send(event).await?;
        }
        Ok(())
    }
}

/// A kind in one of its versions, as requests name it.
pub(super) fn resource(kind: Kind, version: &str) -> ApiResource {
    let group = kind.group();
    let api_version = match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version,
        kind: kind.as_str().to_owned(),
        plural: kind.plural().to_owned(),
    }
}
