mod accounts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use portcullis_ir::ObjectKey;
use portcullis_translate::InfraTrouble;
use portcullis_translate::infra::{Infra, Intent};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::{Control, Order, Outcome, Request, Source};
use crate::infra::overlay::merge;
use crate::infra::render::tests::{settings, wanted};
use crate::infra::resource::{ResourceId, ResourceKind};
use crate::infra::{Event, Observed, Readiness, Wanted};
use crate::serve::identity::Accounts;

/// An API server that has what it was given.
struct Cluster {
    control: Control,
    now: Instant,
    objects: BTreeMap<ResourceId, Json>,
    version: u64,
    /// Every request that was answered, as `create Service`.
    log: Vec<String>,
    told: BTreeMap<ObjectKey, Observed>,
    in_sync: bool,
    accounts: Arc<Accounts>,
    /// What is refused, and with which code.
    refused: BTreeMap<ResourceKind, u16>,
}

impl Cluster {
    fn empty() -> Self {
        Self::of(BTreeMap::new())
    }

    /// A controller that starts in a cluster that has these objects.
    fn of(objects: BTreeMap<ResourceId, Json>) -> Self {
        let version = |object: &Json| -> Option<u64> {
            object["metadata"]["resourceVersion"].as_str()?.parse().ok()
        };
        Self {
            version: objects.values().filter_map(version).max().unwrap_or(100),
            control: Control::new(settings(), sources()),
            now: Instant::now(),
            objects,
            log: Vec::new(),
            told: BTreeMap::new(),
            in_sync: false,
            accounts: Arc::default(),
            refused: BTreeMap::new(),
        }
    }

    fn sync(&mut self) {
        for source in sources() {
            if let Some(kind) = source.kind {
                let ours = |object: &Json| {
                    object["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "portcullis"
                };
                let objects = self.objects.iter();
                let objects = objects.filter(|(id, object)| id.kind == kind && ours(object));
                let objects = objects.map(|(id, object)| (id.clone(), object.clone()));
                self.control.replace(&source, objects.collect());
            } else {
                self.control.replace_pods(&source, Vec::new());
            }
        }
    }

    fn lead_and_trust(&mut self) {
        self.control.lead(true);
        self.control.trust("PEM".into());
    }

    /// Answers until there is nothing more to be done.
    fn settle(&mut self) {
        for _ in 0..20 {
            let step = self.control.step(self.now);
            self.accounts = step.accounts.unwrap_or_else(|| Arc::clone(&self.accounts));
            for event in step.events {
                match event {
                    Event::Observed { gateway, observed } => {
                        assert!(!self.in_sync || self.told.get(&gateway) != Some(&observed));
                        self.told.insert(gateway, observed);
                    }
                    Event::InSync => self.in_sync = true,
                }
            }
            if step.orders.is_empty() {
                return;
            }
            for order in step.orders {
                let id = order.id.clone();
                let outcome = self.answer(order);
                self.control.note(&id, outcome, self.now);
            }
        }
        panic!("no end: {:?}", self.log);
    }

    fn answer(&mut self, order: Order) -> Outcome {
        let Order { id, request } = order;
        let verb = match &request {
            Request::Create(_) => "create",
            Request::Apply { .. } => "apply",
            Request::Delete { .. } => "delete",
            Request::Look => "look",
        };
        self.log.push(format!("{verb} {}", id.kind));
        if let Some(code) = self.refused.get(&id.kind) {
            let status =
                json!({ "code": code, "message": "exceeded quota", "reason": "Forbidden" });
            return Outcome::Refused {
                verb,
                status: Box::new(serde_json::from_value(status).expect("is a status")),
            };
        }
        match request {
            Request::Look => Outcome::Found(self.objects.get(&id).cloned()),
            Request::Create(_) if self.objects.contains_key(&id) => Outcome::AlreadyExists,
            Request::Create(object) | Request::Apply { object, .. } => {
                let response = self.store(&id, &object);
                Outcome::Stored { object, response }
            }
            Request::Delete { uid, .. } => {
                let there = self.objects.remove(&id).expect("it is there");
                assert_eq!(there["metadata"]["uid"], uid);
                Outcome::Deleted
            }
        }
    }

    fn store(&mut self, id: &ResourceId, object: &Json) -> Json {
        self.version += 1;
        let mut stored = object.clone();
        let uid = format!("{}-{}", id.kind, id.name);
        let version = self.version.to_string();
        merge(
            &mut stored,
            &json!({ "metadata": { "uid": uid, "resourceVersion": version } }),
        );
        self.objects.insert(id.clone(), stored.clone());
        stored
    }

    fn want(&mut self, gateways: impl IntoIterator<Item = (ObjectKey, Infra)>) {
        let gateways = gateways.into_iter();
        self.control.want(Arc::new(Wanted {
            gateways: gateways
                .map(|(key, infra)| (key, Arc::new(infra)))
                .collect(),
            foreign: BTreeSet::new(),
        }));
    }

    fn kinds(&self) -> Vec<ResourceKind> {
        self.objects.keys().map(|id| id.kind).collect()
    }

    fn trouble(&self) -> Option<&InfraTrouble> {
        self.told.values().next()?.infra.trouble.as_ref()
    }
}

fn sources() -> Vec<Source> {
    let kinds = ResourceKind::ALL.into_iter().map(Some).chain([None]);
    kinds
        .map(|kind| Source {
            namespace: None,
            kind,
        })
        .collect()
}

fn gateway(class: &str, port: u16) -> (ObjectKey, Infra) {
    wanted(&format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: web}}\n\
         spec: {{gatewayClassName: {class}, listeners: [{{name: a, port: {port}, protocol: HTTP}}]}}\n"
    ))
}

fn id(kind: ResourceKind) -> ResourceId {
    ResourceId {
        namespace: "default".to_owned(),
        name: "web-portcullis".to_owned(),
        kind,
    }
}

/// A cluster with a Gateway's infrastructure, made by a controller that has gone.
fn made() -> BTreeMap<ResourceId, Json> {
    let mut cluster = Cluster::empty();
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    cluster.objects
}

fn ready_pod(deployment: &str) -> crate::infra::live::LivePod {
    serde_json::from_value(json!({
        "metadata": { "name": "p", "namespace": "default", "uid": "u",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet",
                "name": format!("{deployment}-abc"), "uid": "r" }] },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    }))
    .expect("is a pod")
}

#[test]
fn a_gateway_gets_all_it_needs_and_its_pods_last() {
    let mut cluster = Cluster::empty();
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    let made = [
        "create ServiceAccount",
        "create ConfigMap",
        "create Service",
        "create Deployment",
    ];
    assert_eq!(cluster.log, made);
    assert!(cluster.in_sync);
}

#[test]
fn nothing_is_written_before_everything_that_counts_is_known() {
    type Missing = fn(&mut Cluster);
    let cases: [(&str, Missing); 4] = [
        ("the caches", |c| {
            c.lead_and_trust();
            c.want([gateway("portcullis", 80)]);
        }),
        ("leadership", |c| {
            c.sync();
            c.control.trust("PEM".into());
            c.want([gateway("portcullis", 80)]);
        }),
        ("the controller's certificates", |c| {
            c.sync();
            c.control.lead(true);
            c.want([gateway("portcullis", 80)]);
        }),
        ("what is wanted", |c| {
            c.sync();
            c.lead_and_trust();
        }),
    ];
    for (name, known) in cases {
        let mut cluster = Cluster::of(made());
        cluster.objects.remove(&id(ResourceKind::Service));
        known(&mut cluster);
        cluster.settle();
        assert!(cluster.log.is_empty(), "without {name}: {:?}", cluster.log);
    }
}

#[test]
fn a_controller_that_starts_writes_nothing_if_all_is_well() {
    let mut cluster = Cluster::of(made());
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    assert!(cluster.log.is_empty(), "{:?}", cluster.log);
}

#[test]
fn a_changed_port_is_changed_in_place() {
    let mut cluster = Cluster::of(made());
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 8080)]);
    cluster.settle();
    assert_eq!(cluster.log, ["apply Service"]);
}

#[test]
fn drift_is_undone() {
    let mut cluster = Cluster::of(made());
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    let service = id(ResourceKind::Service);
    let mut changed = cluster.objects[&service].clone();
    merge(&mut changed, &json!({ "spec": { "type": "NodePort" } }));
    let changed = cluster.store(&service, &changed);
    cluster.control.see(service.clone(), changed);
    cluster.settle();
    assert_eq!(cluster.log, ["apply Service"]);
    let deployment = id(ResourceKind::Deployment);
    cluster.objects.remove(&deployment);
    cluster.control.miss(&deployment);
    cluster.settle();
    assert_eq!(cluster.log, ["apply Service", "create Deployment"]);
}

#[test]
fn a_strangers_object_is_left_alone_and_said_to_be_in_the_way() {
    let mut cluster = Cluster::empty();
    let stranger =
        json!({ "metadata": { "name": "web-portcullis", "uid": "s" }, "spec": { "mine": true } });
    let service = id(ResourceKind::Service);
    cluster.objects.insert(service.clone(), stranger.clone());
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    assert_eq!(cluster.objects[&service], stranger);
    let Some(InfraTrouble::NoResources(why)) = cluster.trouble() else {
        panic!("{:?}", cluster.told)
    };
    assert!(
        why.starts_with("Service default/web-portcullis exists"),
        "{why}"
    );
    cluster.objects.remove(&service);
    cluster.now += Duration::from_mins(1);
    cluster.settle();
    assert!(cluster.kinds().contains(&ResourceKind::Service));
    assert_eq!(cluster.trouble(), None);
}

#[test]
fn what_is_left_of_an_earlier_gateway_is_waited_for() {
    let mut objects = made();
    for object in objects.values_mut() {
        object["metadata"]["ownerReferences"][0]["uid"] = json!("earlier");
    }
    let mut cluster = Cluster::of(objects);
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    assert!(
        cluster.log.iter().all(|done| done.starts_with("look")),
        "{:?}",
        cluster.log
    );
    assert_eq!(cluster.trouble(), None);
    for id in std::mem::take(&mut cluster.objects).into_keys() {
        cluster.control.miss(&id);
    }
    cluster.settle();
    assert_eq!(cluster.kinds().len(), 4);
}

#[test]
fn a_refusal_is_told_and_what_is_mended_is_tried_at_once() {
    let mut cluster = Cluster::empty();
    cluster.refused.insert(ResourceKind::Service, 403);
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    let Some(InfraTrouble::NoResources(why)) = cluster.trouble() else {
        panic!("{:?}", cluster.told)
    };
    assert!(why.contains("(create): exceeded quota"), "{why}");
    cluster.refused.clear();
    cluster.want([gateway("portcullis", 8080)]);
    cluster.settle();
    assert!(cluster.kinds().contains(&ResourceKind::Service));
    assert_eq!(cluster.trouble(), None);
}

#[test]
fn what_passes_by_itself_is_tried_again_without_a_word() {
    let mut cluster = Cluster::empty();
    cluster.refused.insert(ResourceKind::ConfigMap, 503);
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    assert_eq!(cluster.trouble(), None);
    let wake_at = cluster
        .control
        .step(cluster.now)
        .wake_at
        .expect("it is tried again");
    cluster.refused.clear();
    cluster.now = wake_at;
    cluster.settle();
    assert!(cluster.kinds().contains(&ResourceKind::Deployment));
}

#[test]
fn a_gateway_that_is_not_wanted_keeps_what_it_has() {
    let mut cluster = Cluster::of(made());
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([]);
    cluster.settle();
    let (key, mut infra) = gateway("portcullis", 80);
    infra.intent = Intent::Keep;
    cluster.want([(key, infra)]);
    cluster.settle();
    assert!(cluster.log.is_empty(), "{:?}", cluster.log);
}

#[test]
fn what_was_made_for_a_gateway_of_another_controller_is_deleted() {
    let mut cluster = Cluster::of(made());
    let stranger = ResourceId {
        name: "other".to_owned(),
        ..id(ResourceKind::ConfigMap)
    };
    let object =
        json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "portcullis" } } });
    cluster.objects.insert(stranger.clone(), object);
    cluster.sync();
    cluster.lead_and_trust();
    let (key, _) = gateway("portcullis", 80);
    cluster.control.want(Arc::new(Wanted {
        gateways: BTreeMap::new(),
        foreign: [key].into(),
    }));
    cluster.settle();
    assert_eq!(cluster.objects.keys().collect::<Vec<_>>(), [&stranger]);
}

#[test]
fn a_deletion_that_is_refused_is_tried_again_after_a_pause() {
    let mut cluster = Cluster::of(made());
    cluster.refused.insert(ResourceKind::Service, 403);
    cluster.sync();
    cluster.lead_and_trust();
    let (key, _) = gateway("portcullis", 80);
    cluster.control.want(Arc::new(Wanted {
        gateways: BTreeMap::new(),
        foreign: [key].into(),
    }));
    cluster.settle();
    assert_eq!(cluster.kinds(), [ResourceKind::Service]);
    cluster.refused.clear();
    let step = cluster.control.step(cluster.now);
    cluster.now = step.wake_at.expect("it is tried again");
    cluster.settle();
    assert!(cluster.objects.is_empty());
}

#[test]
fn what_a_gateway_had_under_another_class_serves_until_the_new_one_does() {
    let mut cluster = Cluster::of(made());
    cluster.sync();
    cluster.lead_and_trust();
    let (key, mut infra) = gateway("portcullis", 80);
    infra.name = "web-other".to_owned();
    cluster.want([(key, infra)]);
    cluster.settle();
    assert_eq!(cluster.objects.len(), 8);
    cluster
        .control
        .see_pod("default", "p", &ready_pod("web-other"));
    cluster.settle();
    assert!(cluster.objects.keys().all(|id| id.name == "web-other"));
}

#[test]
fn a_follower_writes_nothing_and_tells_what_there_is() {
    let mut cluster = Cluster::of(made());
    cluster.objects.remove(&id(ResourceKind::Service));
    cluster.sync();
    cluster
        .control
        .see_pod("default", "p", &ready_pod("web-portcullis"));
    cluster.settle();
    assert!(cluster.in_sync && cluster.log.is_empty());
    let (key, _) = gateway("portcullis", 80);
    let pods = &cluster.told[&key].pods;
    assert_eq!(pods["p"].readiness, Readiness::Ready);
    cluster.control.miss_pod("default", "p");
    cluster.settle();
    assert!(cluster.told[&key].pods.is_empty());
}

#[test]
fn a_write_that_was_not_sent_for_want_of_leadership_is_made_by_who_leads_next() {
    let mut cluster = Cluster::empty();
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    let orders = cluster.control.step(cluster.now).orders;
    cluster.control.lead(false);
    for order in orders {
        cluster
            .control
            .note(&order.id, Outcome::NotLeader, cluster.now);
    }
    cluster.settle();
    assert!(cluster.log.is_empty());
    cluster.control.lead(true);
    cluster.settle();
    assert_eq!(cluster.kinds().len(), 4);
}

#[test]
fn news_that_are_older_than_our_own_write_do_not_count() {
    let mut cluster = Cluster::of(made());
    cluster.sync();
    cluster.lead_and_trust();
    cluster.want([gateway("portcullis", 80)]);
    cluster.settle();
    let service = id(ResourceKind::Service);
    let old = cluster.objects[&service].clone();
    cluster.want([gateway("portcullis", 8080)]);
    cluster.settle();
    cluster.control.see(service, old);
    cluster.settle();
    assert_eq!(cluster.log, ["apply Service"]);
}
