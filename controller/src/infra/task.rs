//! The task: moves messages between the cluster, the reconcile loop and [`Control`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use kube::api::DynamicObject;
use kube::runtime::watcher;
use serde_json::Value as Json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::cluster::{News, carry_out, follow, plain};
use super::control::{Control, Order, Outcome, Source};
use super::live::LivePod;
use super::render::Settings;
use super::resource::{ResourceId, ResourceKind};
use super::{Event, Wanted};
use crate::config::Namespaces;
use crate::leader::Leadership;
use crate::serve::identity::Accounts;

/// How many requests may be under way at once.
const AT_ONCE: usize = 8;

/// What the task needs.
pub struct Parts {
    /// The cluster.
    pub client: kube::Client,
    /// Where to look.
    pub namespaces: Namespaces,
    /// What is the same for all Gateways.
    pub settings: Settings,
    /// Whether to write.
    pub leadership: Leadership,
    /// What is wanted.
    pub wanted: watch::Receiver<Option<Arc<Wanted>>>,
    /// The certificates (PEM) by which data planes know the controller; nothing is made without.
    pub bundle: watch::Receiver<Option<Arc<str>>>,
    /// Where to tell what there is.
    pub events: mpsc::Sender<Event>,
    /// Where to tell which service accounts are whose.
    pub accounts: watch::Sender<Arc<Accounts>>,
}

/// Runs until nobody listens any more.
pub async fn run(parts: Parts) {
    let Parts {
        client,
        namespaces,
        settings,
        leadership,
        mut wanted,
        mut bundle,
        events,
        accounts,
    } = parts;
    let sources = sources(&namespaces);
    let mut news: SelectAll<_> = select_all(sources.iter().map(|source| follow(&client, source)));
    let mut control = Control::new(settings, sources);
    let mut lists = Lists::default();
    let mut leads = leadership.changes();
    let mut waiting: VecDeque<Order> = VecDeque::new();
    let mut under_way: JoinSet<(ResourceId, Outcome)> = JoinSet::new();
    let mut wake_at = None;
    leads.mark_changed();
    wanted.mark_changed();
    bundle.mark_changed();
    loop {
        tokio::select! {
            Some((source, news)) = news.next() => lists.tell(&source, news, &mut control),
            Ok(()) = leads.changed() => control.lead(*leads.borrow_and_update()),
            Ok(()) = wanted.changed() => {
                if let Some(wanted) = wanted.borrow_and_update().clone() {
                    control.want(wanted);
                }
            }
            Ok(()) = bundle.changed() => {
                if let Some(bundle) = bundle.borrow_and_update().clone() {
                    control.trust(bundle);
                }
            }
            Some(done) = under_way.join_next() => match done {
                Ok((id, outcome)) => control.note(&id, outcome, Instant::now()),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            },
            () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {}
            () = events.closed() => return,
        }
        let step = control.step(Instant::now());
        wake_at = step.wake_at;
        if let Some(proven) = step.accounts {
            tell_news(&accounts, proven);
        }
        for event in step.events {
            if events.send(event).await.is_err() {
                return;
            }
        }
        waiting.extend(step.orders);
        while under_way.len() < AT_ONCE
            && let Some(order) = waiting.pop_front()
        {
            under_way.spawn(carry_out(client.clone(), leadership.clone(), order));
        }
    }
}

fn tell_news(accounts: &watch::Sender<Arc<Accounts>>, proven: Arc<Accounts>) {
    accounts.send_if_modified(|told| {
        let is_news = *told != proven;
        *told = proven;
        is_news
    });
}

fn sources(namespaces: &Namespaces) -> Vec<Source> {
    let namespaces: Vec<Option<String>> = match namespaces {
        Namespaces::All => vec![None],
        Namespaces::Only(names) => names.iter().cloned().map(Some).collect(),
    };
    let kinds = ResourceKind::ALL.into_iter().map(Some).chain([None]);
    let kinds: Vec<_> = kinds.collect();
    namespaces
        .iter()
        .flat_map(|namespace| {
            kinds.iter().map(|kind| Source {
                namespace: namespace.clone(),
                kind: *kind,
            })
        })
        .collect()
}

/// Lists that are being told, by source: what is not in one when it ends is gone.
#[derive(Debug, Default)]
struct Lists {
    objects: BTreeMap<Source, Vec<(ResourceId, Json)>>,
    pods: BTreeMap<Source, Vec<(String, String, LivePod)>>,
}

impl Lists {
    fn tell(&mut self, source: &Source, news: News, control: &mut Control) {
        match news {
            News::Object(event) => self.tell_object(source, *event, control),
            News::Pod(event) => self.tell_pod(source, *event, control),
            News::Broken(error) => {
                let kind = source.kind.map_or("Pod", ResourceKind::as_str);
                tracing::warn!(kind, namespace = source.namespace, %error,
                    "infrastructure cannot be watched; trying again");
            }
        }
    }

    fn tell_object(
        &mut self,
        source: &Source,
        event: watcher::Event<DynamicObject>,
        control: &mut Control,
    ) {
        let Some(kind) = source.kind else { return };
        match event {
            watcher::Event::Init => {
                self.objects.insert(source.clone(), Vec::new());
            }
            watcher::Event::InitApply(object) => {
                let list = self.objects.entry(source.clone()).or_default();
                list.push((id(kind, &object), plain(kind, &object)));
            }
            watcher::Event::InitDone => {
                let list = self.objects.remove(source).unwrap_or_default();
                control.replace(source, list);
            }
            watcher::Event::Apply(object) => control.see(id(kind, &object), plain(kind, &object)),
            watcher::Event::Delete(object) => control.miss(&id(kind, &object)),
        }
    }

    fn tell_pod(&mut self, source: &Source, event: watcher::Event<LivePod>, control: &mut Control) {
        match event {
            watcher::Event::Init => {
                self.pods.insert(source.clone(), Vec::new());
            }
            watcher::Event::InitApply(pod) => {
                let (namespace, name) = place(&pod);
                let list = self.pods.entry(source.clone()).or_default();
                list.push((namespace, name, pod));
            }
            watcher::Event::InitDone => {
                let list = self.pods.remove(source).unwrap_or_default();
                control.replace_pods(source, list);
            }
            watcher::Event::Apply(pod) => {
                let (namespace, name) = place(&pod);
                control.see_pod(&namespace, &name, &pod);
            }
            watcher::Event::Delete(pod) => {
                let (namespace, name) = place(&pod);
                control.miss_pod(&namespace, &name);
            }
        }
    }
}

fn id(kind: ResourceKind, object: &DynamicObject) -> ResourceId {
    ResourceId {
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        name: object.metadata.name.clone().unwrap_or_default(),
        kind,
    }
}

/// Namespace and name.
fn place(pod: &LivePod) -> (String, String) {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    (namespace, pod.metadata.name.clone().unwrap_or_default())
}
