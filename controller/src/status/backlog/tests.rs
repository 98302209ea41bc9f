use portcullis_api::HttpRoute;
use portcullis_api::meta::ObjectMeta;
use portcullis_api::status::RouteStatus;
use serde_json::json;

use super::*;

const OURS: &str = "portcullis.dev/gateway-controller";

/// A route as the watch shows it.
fn shown(version: u32, status: &Value) -> AnyObject {
    shown_of("1", version, status)
}

fn shown_of(uid: &str, version: u32, status: &Value) -> AnyObject {
    let status: Option<Arc<RouteStatus>> = serde_json::from_value(status.clone()).unwrap();
    let metadata = ObjectMeta {
        name: Some("web".to_owned()),
        namespace: Some("default".to_owned()),
        uid: Some(uid.to_owned()),
        resource_version: Some(version.to_string()),
        ..ObjectMeta::default()
    };
    AnyObject::from(HttpRoute {
        metadata,
        status,
        ..HttpRoute::default()
    })
}

fn said(controller: &str, generation: u32) -> Value {
    json!({
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"},
        "controllerName": controller,
        "conditions": [{
            "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
            "observedGeneration": generation, "lastTransitionTime": "2030-01-01T00:00:00Z",
        }],
    })
}

fn status(generation: u32) -> Value {
    json!({"parents": [said(OURS, generation)]})
}

fn want(live: AnyObject, generation: u32) -> Order {
    let mut status = status(generation);
    let condition = &mut status["parents"][0]["conditions"][0];
    condition
        .as_object_mut()
        .unwrap()
        .remove("lastTransitionTime");
    Order::Want {
        live,
        status: Arc::new(status),
    }
}

fn settled(version: u32, status: Value) -> Outcome {
    Outcome::Settled(Live {
        uid: "1".to_owned(),
        resource_version: version.to_string(),
        status,
    })
}

struct Bench {
    backlog: Backlog,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            backlog: Backlog::new(OURS),
            start: Instant::now(),
        }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn take(&mut self, order: Order, millis: u64) {
        self.backlog.take(order, self.at(millis));
    }

    fn next(&mut self, millis: u64) -> Option<Job> {
        self.backlog.next(self.at(millis))
    }

    fn done(&mut self, job: &Job, outcome: Outcome, millis: u64) {
        self.backlog.done(&job.subject, outcome, self.at(millis));
    }

    /// In how many milliseconds from the start there is something to do.
    fn due(&self) -> Option<u128> {
        let due = self.backlog.due()?;
        Some(due.saturating_duration_since(self.start).as_millis())
    }
}

#[test]
fn what_is_new_is_written_at_once_and_its_echo_is_no_news() {
    let mut bench = Bench::new();
    bench.take(want(shown(1, &Value::Null), 1), 0);
    let job = bench.next(0).unwrap();
    assert_eq!(job.live.as_ref().unwrap().resource_version, "1");
    assert_eq!(bench.next(0), None, "one at a time");
    bench.done(&job, settled(2, status(1)), 5);
    bench.take(Order::Seen(shown(1, &Value::Null)), 6);
    assert_eq!(bench.next(1_000), None, "older than our write");
    bench.take(Order::Seen(shown(2, &status(1))), 7);
    assert_eq!(bench.due(), None);
}

#[test]
fn changes_in_quick_succession_are_written_together() {
    let mut bench = Bench::new();
    bench.take(want(shown(1, &Value::Null), 1), 0);
    let job = bench.next(0).unwrap();
    bench.take(want(shown(1, &Value::Null), 2), 1);
    bench.take(want(shown(1, &Value::Null), 3), 2);
    bench.done(&job, settled(2, status(1)), 5);
    assert_eq!(bench.next(5), None);
    assert_eq!(bench.due(), Some(255));
    let job = bench.next(255).unwrap();
    assert_eq!(
        job.wanted["parents"][0]["conditions"][0]["observedGeneration"],
        3
    );
    // The answer to our own write is newer than what the watch has shown.
    assert_eq!(job.live.unwrap().resource_version, "2");
}

#[test]
fn pauses_grow_while_there_is_always_more_and_end_with_a_rest() {
    let mut bench = Bench::new();
    let mut now = 0;
    let mut pauses = Vec::new();
    for generation in 1..6 {
        bench.take(
            want(shown(generation, &status(generation - 1)), generation),
            now,
        );
        let due = u64::try_from(bench.due().unwrap()).unwrap();
        pauses.push(due - now);
        now = due;
        let job = bench.next(now).unwrap();
        bench.done(&job, settled(generation + 1, status(generation)), now);
        bench.take(Order::Seen(shown(generation + 1, &status(generation))), now);
    }
    assert_eq!(pauses, [0, 250, 500, 1_000, 1_000]);
    bench.take(want(shown(9, &status(5)), 9), now + 61_000);
    assert!(bench.next(now + 61_000).is_some());
}

#[test]
fn what_others_undo_is_written_less_and_less_often() {
    let mut bench = Bench::new();
    bench.take(want(shown(1, &Value::Null), 1), 0);
    let (mut now, mut version, mut writes) = (0, 1, 0);
    while now < 120_000 {
        if let Some(job) = bench.next(now) {
            writes += 1;
            version += 1;
            bench.done(&job, settled(version, status(1)), now);
            bench.take(Order::Seen(shown(version, &status(1))), now);
        }
        // Somebody who takes our entry away ten times a second.
        version += 1;
        bench.take(Order::Seen(shown(version, &json!({"parents": []}))), now);
        now += 100;
    }
    assert!((5..15).contains(&writes), "{writes} writes in two minutes");
    // What is new goes out all the same.
    bench.take(want(shown(version, &json!({"parents": []})), 2), now);
    assert!(bench.next(now + 1_000).is_some());
}

#[test]
fn what_others_say_beside_us_is_no_reason_to_write() {
    let mut bench = Bench::new();
    bench.take(want(shown(1, &Value::Null), 1), 0);
    let job = bench.next(0).unwrap();
    bench.done(&job, settled(2, status(1)), 1);
    for version in 2..200 {
        let both = json!({"parents": [said(OURS, 1), said("example.com/other", version)]});
        bench.take(Order::Seen(shown(version, &both)), u64::from(version) * 100);
        assert_eq!(bench.next(u64::from(version) * 100), None);
    }
}

#[test]
fn a_status_with_parts_of_others_is_read_before_it_is_written() {
    let mut bench = Bench::new();
    let both = json!({"parents": [said("example.com/other", 1)]});
    bench.take(want(shown(1, &both), 1), 0);
    assert_eq!(bench.next(0).unwrap().live, None);
}

#[test]
fn a_failed_write_is_tried_again_later_and_later() {
    let mut bench = Bench::new();
    bench.take(want(shown(1, &Value::Null), 1), 0);
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let job = bench.next(now).unwrap();
        bench.done(&job, Outcome::Failed, now);
        let due = u64::try_from(bench.due().unwrap()).unwrap();
        pauses.push(due - now);
        now = due;
    }
    assert_eq!(
        pauses,
        [
            250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000
        ]
    );
}

#[test]
fn what_is_gone_or_forgotten_is_not_written() {
    let mut bench = Bench::new();
    bench.take(want(shown(1, &Value::Null), 1), 0);
    let job = bench.next(0).unwrap();
    bench.done(&job, Outcome::Gone, 1);
    assert_eq!(bench.due(), None);
    bench.take(want(shown(5, &Value::Null), 1), 2);
    bench.take(Order::Forget(job.subject), 3);
    assert_eq!(bench.next(1_000), None);
}

/// What news there may be of an object made anew under its name, while a write to the one before is
/// under way, and when that write ends.
#[test]
fn an_object_made_anew_is_written_whatever_became_of_a_write_to_the_one_before() {
    let anew = || shown_of("2", 7, &Value::Null);
    let forget = |job: &Job| Order::Forget(job.subject.clone());
    let cases: [(&str, bool, bool, Outcome); 5] = [
        ("seen before, gone", false, true, Outcome::Gone),
        ("seen after, gone", false, false, Outcome::Gone),
        ("forgotten before, gone", true, true, Outcome::Gone),
        ("seen before, written", false, true, settled(2, status(1))),
        ("seen after, written", false, false, settled(2, status(1))),
    ];
    for (case, is_forgotten, is_told_before, outcome) in cases {
        let mut bench = Bench::new();
        bench.take(want(shown(1, &Value::Null), 1), 0);
        let job = bench.next(0).unwrap();
        if is_forgotten {
            bench.take(forget(&job), 1);
            bench.take(want(anew(), 1), 2);
        } else if is_told_before {
            bench.take(Order::Seen(anew()), 2);
        }
        bench.done(&job, outcome, 3);
        if !is_told_before {
            bench.take(Order::Seen(anew()), 4);
        }
        let job = bench.next(1_000).expect(case);
        assert_eq!(job.uid.as_deref(), Some("2"), "{case}");
    }
}

#[test]
fn what_the_server_does_not_keep_is_not_written_again_and_again() {
    let mut bench = Bench::new();
    let mut class = portcullis_api::GatewayClass::default();
    class.metadata.uid = Some("1".to_owned());
    let want = |features: &[&str]| Order::Want {
        live: class.clone().into(),
        status: Arc::new(json!({ "supportedFeatures": features })),
    };
    bench.take(want(&["a"]), 0);
    let job = bench.next(0).unwrap();
    bench.done(&job, settled(2, json!({})), 0);
    assert_eq!(bench.next(60_000), None);
    bench.take(want(&["a", "b"]), 60_000);
    assert!(bench.next(60_000).is_some(), "what is new may be kept");
}

#[test]
fn a_watch_that_never_shows_our_write_is_believed_in_the_end() {
    let mut bench = Bench::new();
    bench.take(want(shown(1, &Value::Null), 1), 0);
    let job = bench.next(0).unwrap();
    bench.done(&job, settled(2, status(1)), 0);
    // A relist passed over version 2; version 3 lacks what we said.
    bench.take(Order::Seen(shown(3, &Value::Null)), 10);
    assert_eq!(bench.next(1_999), None);
    let job = bench.next(2_000).unwrap();
    assert_eq!(job.live.unwrap().resource_version, "3");
}

#[test]
fn only_so_many_writes_are_under_way_and_gateways_go_first() {
    let mut bench = Bench::new();
    for number in 0..40 {
        let mut object = HttpRoute::default();
        object.metadata.name = Some(format!("r{number}"));
        bench.take(want(object.into(), 1), 0);
    }
    let mut gateway = portcullis_api::Gateway::default();
    gateway.metadata.name = Some("gw".to_owned());
    let status = json!({"conditions": [{"type": "Accepted", "status": "True"}]});
    let order = Order::Want {
        live: gateway.into(),
        status: Arc::new(status),
    };
    bench.take(order, 0);
    // It was not due with them, but is by now.
    let jobs: Vec<Job> = std::iter::from_fn(|| bench.next(50)).collect();
    assert_eq!(jobs.len(), MOST_IN_FLIGHT);
    assert_eq!(jobs[0].subject.kind, portcullis_api::Kind::Gateway);
    bench.done(&jobs[0], Outcome::Gone, 50);
    assert!(bench.next(50).is_some());
}
