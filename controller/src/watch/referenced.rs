//! Follows the Secrets or ConfigMaps that are referred to, and of all others only that they change.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, FuturesUnordered, SelectAll};
use kube::api::{ApiResource, PartialObjectMeta};
use kube::runtime::watcher;
use kube::{Api, Client};
use portcullis_api::{AnyObject, Kind, ObjectKey};
use tokio::sync::{mpsc, watch};

use super::changes::{changes, error_chain};
use super::decode;
use super::follower::resource;
use super::ledger::{Changes, Progress};
use super::sighting::Sighting;
use super::{Batch, Event, References};
use crate::config::Namespaces;

/// Objects fetched at a time.
const FETCHES: usize = 16;

/// Before an object that could not be fetched is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Which objects are wanted, and what is known of each.
#[derive(Debug, Default)]
struct Wanted {
    objects: BTreeMap<ObjectKey, Knowledge>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Knowledge {
    /// What was told last: its resource version, or that there is none. `None` before.
    told: Option<Told>,
    fetch: Fetch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Version(String),
    Missing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fetch {
    /// What was told is the newest.
    Idle,
    /// To be fetched.
    #[default]
    Due,
    /// Being fetched.
    Running,
    /// Being fetched, and changed since that began.
    RunningAndDue,
}

impl Wanted {
    /// These are wanted now, and no others.
    fn want(&mut self, keys: &BTreeSet<ObjectKey>) {
        self.objects.retain(|key, _| keys.contains(key));
        for key in keys {
            if !self.objects.contains_key(key) {
                self.objects.insert(key.clone(), Knowledge::default());
            }
        }
    }

    /// The object has this resource version now; `None`: it is gone.
    fn seen(&mut self, key: &ObjectKey, version: Option<&str>) {
        let Some(knowledge) = self.objects.get_mut(key) else {
            return;
        };
        let seen = version.map_or(Told::Missing, |version| Told::Version(version.to_owned()));
        if knowledge.told.as_ref() != Some(&seen) {
            knowledge.fetch = match knowledge.fetch {
                Fetch::Idle | Fetch::Due => Fetch::Due,
                Fetch::Running | Fetch::RunningAndDue => Fetch::RunningAndDue,
            };
        }
    }

    /// What to fetch next; it is running from now on.
    fn next_due(&mut self) -> Option<ObjectKey> {
        let mut due = self.objects.iter_mut();
        let (key, knowledge) = due.find(|(_, knowledge)| knowledge.fetch == Fetch::Due)?;
        knowledge.fetch = Fetch::Running;
        Some(key.clone())
    }

    /// A fetch ended with this; whether it is news. A fetch that failed is due again.
    fn fetched(&mut self, key: &ObjectKey, found: Option<Told>) -> News {
        let Some(knowledge) = self.objects.get_mut(key) else {
            return News::None;
        };
        let Some(found) = found else {
            knowledge.fetch = Fetch::Due;
            return News::None;
        };
        knowledge.fetch = match knowledge.fetch {
            // Due: begun when the object was wanted before, and may be older than this want.
            Fetch::RunningAndDue | Fetch::Due => Fetch::Due,
            Fetch::Idle | Fetch::Running => Fetch::Idle,
        };
        let before = knowledge.told.replace(found);
        if before == knowledge.told {
            News::None
        } else {
            News::Tell
        }
    }
}

/// Whether there is something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    Tell,
}

/// Follows one kind of object by reference.
pub(super) struct ReferenceFollower {
    client: Client,
    kind: Kind,
    resource: ApiResource,
    namespaces: Namespaces,
    events: mpsc::Sender<Event>,
}

/// What a fetch brought: the object and its version, or that there is none; `None` when it failed.
type Fetched = (ObjectKey, Option<(Told, Option<AnyObject>)>);

impl ReferenceFollower {
    pub(super) fn new(
        client: Client,
        kind: Kind,
        namespaces: Namespaces,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            client,
            kind,
            resource: resource(kind, kind.versions().first().copied().unwrap_or("v1")),
            namespaces,
            events,
        }
    }

    /// Follows until nobody listens or refers any more.
    pub(super) async fn run(self, mut references: watch::Receiver<Arc<References>>) {
        let mut wanted = Wanted::default();
        let mut watches = self.watches();
        let mut fetches = FuturesUnordered::new();
        let mut listing: BTreeSet<usize> = (0..watches.len()).collect();
        let mut told_in_sync = false;
        references.mark_changed();
        loop {
            while fetches.len() < FETCHES
                && let Some(key) = wanted.next_due()
            {
                fetches.push(self.fetch(key));
            }
            if listing.is_empty() && !told_in_sync {
                told_in_sync = true;
                if self.events.send(Event::InSync(self.kind)).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                changed = references.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    wanted.want(references.borrow_and_update().of(self.kind));
                }
                Some((scope, Changes { objects, sync })) = watches.next() => {
                    for (key, object) in &objects {
                        let version = object.as_ref();
                        let version = version.and_then(|o| o.metadata.resource_version.as_deref());
                        wanted.seen(key, version);
                    }
                    if sync == Progress::InSync {
                        listing.remove(&scope);
                    }
                }
                Some((key, fetched)) = fetches.next() => {
                    if self.tell(&mut wanted, key, fetched).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn watches(&self) -> SelectAll<BoxStream<'static, (usize, Changes<PartialObjectMeta>)>> {
        let all = |api| changes(api, watcher::Config::default(), self.kind.plural());
        let apis: Vec<Api<PartialObjectMeta>> = match &self.namespaces {
            Namespaces::All => vec![Api::all_with(self.client.clone(), &self.resource)],
            Namespaces::Only(names) => names
                .iter()
                .map(|name| Api::namespaced_with(self.client.clone(), name, &self.resource))
                .collect(),
        };
        let watches = apis.into_iter().map(all).enumerate();
        watches
            .map(|(scope, watch)| watch.map(move |changes| (scope, changes)).boxed())
            .collect()
    }

    async fn tell(
        &self,
        wanted: &mut Wanted,
        key: ObjectKey,
        fetched: Option<(Told, Option<AnyObject>)>,
    ) -> Result<(), mpsc::error::SendError<Event>> {
        let (found, object) = fetched.unzip();
        if wanted.fetched(&key, found) == News::None {
            return Ok(());
        }
        let object = object.flatten();
        let batch = Batch {
            kind: self.kind,
            removals: object.is_none().then_some(key).into_iter().collect(),
            upserts: object.into_iter().collect(),
        };
        self.events.send(Event::Changed(batch)).await
    }

    async fn fetch(&self, key: ObjectKey) -> Fetched {
        if let Namespaces::Only(names) = &self.namespaces
            && !names.contains(&*key.namespace)
        {
            return (key, Some((Told::Missing, None)));
        }
        let api: Api<Sighting> =
            Api::namespaced_with(self.client.clone(), &key.namespace, &self.resource);
        let missing = Some((Told::Missing, None));
        let found = match api.get_opt(&key.name).await {
            Ok(Some(sighting)) => Some(self.read(&key, &sighting)),
            Ok(None) => missing,
            Err(kube::Error::Api(status)) if status.code == 403 => {
                let (kind, reason) = (self.kind, &status.message);
                tracing::error!(%kind, object = %key, reason, "cannot be read: grant get");
                missing
            }
            Err(error) => {
                let (kind, error) = (self.kind, error_chain(&error));
                tracing::warn!(%kind, object = %key, error, "cannot be fetched; trying again");
                tokio::time::sleep(RETRY).await;
                None
            }
        };
        (key, found)
    }

    fn read(&self, key: &ObjectKey, sighting: &Sighting) -> (Told, Option<AnyObject>) {
        let version = sighting
            .metadata
            .resource_version
            .clone()
            .unwrap_or_default();
        match decode::object(self.kind, &sighting.json) {
            Ok(object) => (Told::Version(version), Some(object)),
            Err(unreadable) => {
                let kind = self.kind;
                tracing::error!(%kind, object = %key, %unreadable, "cannot be read");
                (Told::Missing, None)
            }
        }
    }
}
