mod policies;
mod routes;

use std::time::Duration;

use portcullis_api::gateway::{AddressType, GatewayAddress};
use portcullis_api::manifest;
use portcullis_translate::ObservedInfra;
use serde_json::{Value, json};

use super::*;
use crate::infra::{Observed, Pod, Readiness};
use crate::serve::{Report, StreamState};
use crate::status::Subject;

const OURS: &str = "portcullis.dev/gateway-controller";

const CLASS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portcullis, generation: 1}
spec: {controllerName: portcullis.dev/gateway-controller}
";

const FOREIGN: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: other, generation: 1}
spec: {controllerName: example.com/other}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: theirs, namespace: default, generation: 1}
spec:
  gatewayClassName: other
  listeners: [{name: http, port: 80, protocol: HTTP}]
";

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: default, generation: 1}
spec:
  parentRefs: [{name: gw}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
";

fn gateway(generation: i64) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: default, uid: u1, generation: {generation}}}
spec:
  gatewayClassName: portcullis
  listeners: [{{name: http, port: 80, protocol: HTTP}}]
"
    )
}

const HTTPS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: default, uid: u1, generation: 2}
spec:
  gatewayClassName: portcullis
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
";

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: default}
data: {}
";

fn objects(text: &str) -> Vec<AnyObject> {
    let read = manifest::parse(text);
    assert!(read.errors.is_empty(), "{:?}", read.errors);
    read.objects.into_iter().map(|it| it.object).collect()
}

struct Bench {
    control: Control,
    start: Instant,
    millis: u64,
}

impl Bench {
    /// A leader for which everything is in sync and there is nothing.
    fn new() -> Self {
        let start = Instant::now();
        let mut bench = Self {
            control: Control::new(OURS.to_owned()),
            start,
            millis: 0,
        };
        bench.control.lead(true, start);
        bench
    }

    fn in_sync() -> Self {
        let mut bench = Self::new();
        bench.sync();
        bench
    }

    fn sync(&mut self) {
        for kind in Kind::ALL {
            self.control.watched(watch::Event::InSync(kind));
        }
        self.control.observed(infra::Event::InSync);
    }

    fn put(&mut self, text: &str) {
        for object in objects(text) {
            self.control.watched(watch::Event::Changed(watch::Batch {
                kind: object.kind(),
                upserts: vec![object],
                removals: Vec::new(),
            }));
        }
    }

    fn take(&mut self, kind: Kind, name: &str) {
        self.control.watched(watch::Event::Changed(watch::Batch {
            kind,
            upserts: Vec::new(),
            removals: vec![ObjectKey::new("default", name)],
        }));
    }

    fn pods(&mut self, pods: &[(&str, Readiness)]) {
        let pod = |(name, readiness): &(&str, Readiness)| {
            let pod = Pod {
                uid: Arc::from(*name),
                readiness: *readiness,
            };
            (Arc::from(*name), pod)
        };
        let address = GatewayAddress {
            address_type: Some(AddressType::IpAddress),
            value: Some("192.0.2.1".to_owned()),
            routability: None,
        };
        let observed = Observed {
            gateway_uid: "u1".into(),
            addresses: vec![address],
            pods: pods.iter().map(pod).collect(),
            infra: ObservedInfra {
                service_type: Some(portcullis_api::parameters::ServiceType::LoadBalancer),
                service_ports: [80, 443].map(port).into(),
                ..ObservedInfra::default()
            },
        };
        self.control.observed(infra::Event::Observed {
            gateway: gw(),
            observed,
        });
    }

    fn report(&mut self, pod: &str, state: StreamState) {
        self.control.reported(Report {
            gateway: gw(),
            pod: Arc::from(pod),
            state,
        });
    }

    /// Another leads, and pod `a` goes there.
    fn deposed(&mut self) {
        self.control.lead(false, self.start);
        self.report("a", StreamState::Gone);
    }

    fn ack(&mut self, pod: &str, generation: i64) {
        let state = StreamState::Acked {
            version: portcullis_ir::Version(0),
            generation,
            port_failures: BTreeMap::new(),
            refused: Vec::new(),
        };
        self.report(pod, state);
    }

    fn step(&mut self) -> Step {
        let now = Moment {
            unix: 1_893_456_000,
            tick: self.start + Duration::from_millis(self.millis),
        };
        self.control.step(now)
    }

    /// A Gateway that one pod serves, as it is told.
    fn programmed() -> Self {
        let mut bench = Self::in_sync();
        bench.put(CLASS);
        bench.put(&gateway(1));
        bench.step();
        bench.pods(&[("a", Readiness::Ready)]);
        bench.ack("a", 1);
        assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 1)));
        bench
    }
}

fn port(number: u16) -> portcullis_ir::PortKey {
    portcullis_ir::PortKey {
        port: number.try_into().unwrap(),
        transport: portcullis_ir::Transport::Tcp,
    }
}

fn gw() -> portcullis_ir::ObjectKey {
    portcullis_ir::ObjectKey::new("default", "gw")
}

fn wanted(step: &Step, kind: Kind) -> Option<Value> {
    step.statuses.iter().rev().find_map(|order| match order {
        Order::Want { live, status } if live.kind() == kind => Some((**status).clone()),
        _ => None,
    })
}

/// Status and `observedGeneration` of "Programmed", if a status of a Gateway is told.
fn programmed(step: &Step) -> Option<(String, i64)> {
    let status = wanted(step, Kind::Gateway)?;
    let conditions = status["conditions"].as_array().unwrap().iter();
    let mut programmed = conditions.filter(|it| it["type"] == "Programmed");
    let condition = programmed.next().unwrap();
    let generation = condition["observedGeneration"].as_i64().unwrap();
    Some((condition["status"].as_str().unwrap().to_owned(), generation))
}

fn is_empty(step: &Step) -> bool {
    let Step {
        references,
        publish,
        withdraw,
        infra,
        statuses,
        has_translated: _,
    } = step;
    references.is_none()
        && publish.is_empty()
        && withdraw.is_empty()
        && infra.is_none()
        && statuses.is_empty()
}

#[test]
fn nothing_is_done_before_everything_is_in_sync() {
    let mut bench = Bench::new();
    bench.put(CLASS);
    bench.put(&gateway(1));
    assert!(!bench.control.owes_a_step());
    assert!(is_empty(&bench.step()));
    bench.sync();
    assert!(bench.control.owes_a_step());
    let step = bench.step();
    assert_eq!(step.publish.len(), 1);
    assert_eq!(step.infra.unwrap().gateways.len(), 1);
    assert!(
        wanted(
            &Step {
                infra: None,
                ..step
            },
            Kind::GatewayClass
        )
        .is_some()
    );
}

#[test]
fn a_kind_that_the_cluster_lacks_is_not_waited_for() {
    let mut bench = Bench::new();
    bench.put(CLASS);
    bench.put(&gateway(1));
    for kind in Kind::ALL {
        bench.control.watched(match kind {
            Kind::TcpRoute => watch::Event::Absent(kind),
            kind => watch::Event::InSync(kind),
        });
    }
    assert_eq!(bench.step().publish.len(), 1);
}

#[test]
fn what_no_gateway_of_ours_reaches_costs_nothing() {
    let mut bench = Bench::programmed();
    bench.put(FOREIGN);
    bench.put(&ROUTE.replace("{name: gw}", "{name: theirs}"));
    bench.put(SECRET);
    bench.put("{apiVersion: v1, kind: Service, metadata: {name: unrelated, namespace: default}}");
    bench.put("{apiVersion: v1, kind: Namespace, metadata: {name: default, labels: {a: b}}}");
    assert!(!bench.control.owes_a_step());
}

#[test]
fn the_echo_of_an_own_write_is_told_to_the_writer_and_translates_nothing() {
    let mut bench = Bench::programmed();
    bench.put(ROUTE);
    let step = bench.step();
    let status = wanted(&step, Kind::HttpRoute).unwrap();
    let mut echo = objects(ROUTE).remove(0);
    if let AnyObject::HttpRoute(route) = &mut echo {
        Arc::make_mut(route).status = serde_json::from_value(status).unwrap();
    }
    bench.control.watched(watch::Event::Changed(watch::Batch {
        kind: Kind::HttpRoute,
        upserts: vec![echo.clone()],
        removals: Vec::new(),
    }));
    assert!(bench.control.owes_a_step());
    assert!(!bench.control.is_dirty);
    assert_eq!(bench.step().statuses, [Order::Seen(echo)]);
}

#[test]
fn an_entry_of_ours_is_taken_back_when_the_route_names_us_no_more() {
    let mut bench = Bench::programmed();
    let mut left = objects(&ROUTE.replace("{name: gw}", "{name: theirs}")).remove(0);
    if let AnyObject::HttpRoute(route) = &mut left {
        let status = json!({"parents": [{
            "parentRef": {"name": "gw"}, "controllerName": OURS, "conditions": [],
        }]});
        Arc::make_mut(route).status = serde_json::from_value(status).unwrap();
    }
    bench.control.watched(watch::Event::Changed(watch::Batch {
        kind: Kind::HttpRoute,
        upserts: vec![left],
        removals: Vec::new(),
    }));
    let step = bench.step();
    assert_eq!(wanted(&step, Kind::HttpRoute), Some(json!({"parents": []})));
    // And when it is taken back, it is nothing of ours any more.
    bench.put(&ROUTE.replace("{name: gw}", "{name: theirs}"));
    let forget = bench.step().statuses;
    let subject = Subject {
        kind: Kind::HttpRoute,
        key: ObjectKey::new("default", "web"),
    };
    assert_eq!(forget.last(), Some(&Order::Forget(subject)));
}

#[test]
fn equal_snapshots_are_not_published_again() {
    let mut bench = Bench::programmed();
    bench.put(&gateway(1).replace("uid: u1", "uid: u1, labels: {a: b}"));
    assert!(bench.control.owes_a_step());
    assert!(bench.step().publish.is_empty());
    bench.put(ROUTE);
    assert_eq!(bench.step().publish.len(), 1);
}

#[test]
fn a_gateway_that_goes_is_withdrawn_and_its_infrastructure_left_to_the_cluster() {
    let mut bench = Bench::programmed();
    bench.take(Kind::Gateway, "gw");
    let step = bench.step();
    assert_eq!(step.withdraw, [gw()]);
    assert!(step.infra.unwrap().gateways.is_empty());
}

#[test]
fn a_gateway_waits_for_the_secrets_it_names_and_others_do_not() {
    let mut bench = Bench::programmed();
    bench.put(HTTPS);
    let step = bench.step();
    let asked = step.references.as_ref().unwrap();
    assert!(asked.secrets.contains(&ObjectKey::new("default", "cert")));
    assert!(step.publish.is_empty() && step.infra.is_none());
    assert_eq!(wanted(&step, Kind::Gateway), None);
    bench.put(&gateway(1).replace("name: gw", "name: second"));
    assert_eq!(bench.step().publish.len(), 1);

    bench.take(Kind::Secret, "cert-cacert");
    assert!(bench.step().publish.is_empty());
    bench.put(SECRET);
    let step = bench.step();
    assert_eq!(step.publish.len(), 1);
    assert!(step.infra.is_some());
}

#[test]
fn a_secret_that_is_named_no_more_is_dropped() {
    let mut bench = Bench::programmed();
    bench.put(HTTPS);
    bench.step();
    bench.put(SECRET);
    bench.step();
    bench.put(&gateway(3));
    let step = bench.step();
    assert!(step.references.unwrap().secrets.is_empty());
    assert!(bench.control.objects.secrets.is_empty());
}

#[test]
fn programmed_waits_for_the_first_ack_of_every_ready_pod() {
    let mut bench = Bench::in_sync();
    bench.put(CLASS);
    bench.put(&gateway(1));
    assert_eq!(programmed(&bench.step()), Some(("False".to_owned(), 1)));
    bench.pods(&[("a", Readiness::NotReady)]);
    bench.ack("a", 1);
    assert_ne!(programmed(&bench.step()), Some(("True".to_owned(), 1)));
    bench.pods(&[("a", Readiness::Ready), ("b", Readiness::Ready)]);
    assert_ne!(programmed(&bench.step()), Some(("True".to_owned(), 1)));
    bench.ack("b", 1);
    assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 1)));
}

#[test]
fn programmed_stays_as_it_was_said_while_an_edit_is_under_way() {
    let mut bench = Bench::programmed();
    bench.put(&gateway(2));
    assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 1)));
    bench.ack("a", 2);
    assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 2)));
}

#[test]
fn programmed_becomes_false_when_a_pod_is_waited_for_too_long() {
    let mut bench = Bench::programmed();
    bench.put(&gateway(2));
    bench.step();
    let deadline = bench.control.deadline().unwrap();
    assert_eq!(deadline, bench.start + Duration::from_secs(10));
    bench.millis = 10_000;
    assert_eq!(programmed(&bench.step()), Some(("False".to_owned(), 2)));
    assert_eq!(bench.control.deadline(), None);
    bench.ack("a", 2);
    assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 2)));
}

#[test]
fn a_pod_that_comes_or_breaks_off_does_not_make_programmed_flicker() {
    let mut bench = Bench::programmed();
    bench.report("a", StreamState::Gone);
    assert_eq!(programmed(&bench.step()), None);
    bench.report("a", StreamState::Connected);
    assert_eq!(programmed(&bench.step()), None);
    bench.pods(&[("a", Readiness::Ready), ("b", Readiness::Ready)]);
    assert_eq!(programmed(&bench.step()), None);
    bench.ack("b", 1);
    bench.pods(&[("a", Readiness::Terminating), ("b", Readiness::Ready)]);
    assert_eq!(programmed(&bench.step()), None);
}

#[test]
fn a_refused_snapshot_shows_in_the_status_of_the_gateway_only() {
    let mut bench = Bench::programmed();
    bench.put(ROUTE);
    bench.step();
    let refusal = StreamState::Nacked {
        version: portcullis_ir::Version(7),
        reason: "no room".to_owned(),
    };
    bench.report("a", refusal);
    bench.step();
    bench.millis = 10_000;
    let step = bench.step();
    assert_eq!(programmed(&step), Some(("False".to_owned(), 1)));
    assert!(
        wanted(&step, Kind::Gateway)
            .unwrap()
            .to_string()
            .contains("no room")
    );
    assert_eq!(wanted(&step, Kind::HttpRoute), None);
}

#[test]
fn a_new_leader_says_nothing_of_a_gateway_until_its_pods_have_come() {
    let mut bench = Bench::programmed();
    bench.deposed();
    bench.step();
    bench.millis = 1_000;
    let since = bench.start + Duration::from_secs(1);
    bench.control.lead(true, since);
    bench.put(&gateway(2));
    assert_eq!(programmed(&bench.step()), None);
    assert_eq!(
        bench.control.deadline(),
        Some(since + Duration::from_secs(10))
    );
    bench.ack("a", 2);
    assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 2)));
}

#[test]
fn a_new_leader_does_not_wait_for_ever() {
    let mut bench = Bench::programmed();
    bench.deposed();
    bench.control.lead(true, bench.start);
    bench.put(&gateway(2));
    assert_eq!(programmed(&bench.step()), None);
    bench.millis = 10_000;
    assert!(
        bench
            .step()
            .statuses
            .iter()
            .any(|it| matches!(it, Order::Want { .. }))
    );
}

#[test]
fn followers_publish_and_say_nothing_of_gateways() {
    let mut bench = Bench::in_sync();
    bench.control.lead(false, bench.start);
    bench.put(CLASS);
    bench.put(&gateway(1));
    let step = bench.step();
    assert_eq!(step.publish.len(), 1);
    assert_eq!(programmed(&step), None);
}

#[test]
fn a_gateway_made_anew_under_the_same_name_begins_anew() {
    let mut bench = Bench::programmed();
    bench.take(Kind::Gateway, "gw");
    bench.pods(&[]);
    bench.put(&gateway(1).replace("uid: u1", "uid: u2"));
    assert_eq!(programmed(&bench.step()), Some(("False".to_owned(), 1)));
}

/// As after `kubectl delete` and `kubectl apply` in quick succession: what the first one had is not
/// taken away yet.
#[test]
fn what_is_left_of_an_earlier_gateway_does_not_make_one_programmed() {
    let mut bench = Bench::programmed();
    bench.take(Kind::Gateway, "gw");
    bench.step();
    bench.put(&gateway(1).replace("uid: u1", "uid: u2"));
    let step = bench.step();
    assert_eq!(programmed(&step), Some(("False".to_owned(), 1)));
    let status = wanted(&step, Kind::Gateway).unwrap();
    assert!(status["addresses"].as_array().is_none_or(Vec::is_empty));
}

#[test]
fn who_leads_again_does_not_repeat_what_was_said_when_leading_before() {
    let mut bench = Bench::programmed();
    bench.deposed();
    let gateway = Subject {
        kind: Kind::Gateway,
        key: ObjectKey::new("default", "gw"),
    };
    let step = bench.step();
    assert!(step.statuses.contains(&Order::Forget(gateway)));
    assert_eq!(programmed(&step), None);
    bench.control.lead(true, bench.start);
    assert_eq!(
        programmed(&bench.step()),
        None,
        "not before its pod has come"
    );
    bench.ack("a", 1);
    assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 1)));
}

#[test]
fn a_pod_may_say_what_it_serves_before_it_is_observed() {
    let mut bench = Bench::in_sync();
    bench.put(CLASS);
    bench.put(&gateway(1));
    bench.ack("a", 1);
    bench.step();
    bench.pods(&[("a", Readiness::Ready)]);
    assert_eq!(programmed(&bench.step()), Some(("True".to_owned(), 1)));
}
