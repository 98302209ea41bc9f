use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const OURS: &str = "portcullis.dev/gateway-controller";
const NOW: &str = "2030-01-01T00:00:00Z";

fn context(kind: Kind) -> Context<'static> {
    Context {
        kind,
        controller_name: OURS,
        now: NOW,
    }
}

fn condition(name: &str, status: &str) -> Value {
    json!({"type": name, "status": status, "reason": "R", "message": "", "observedGeneration": 2})
}

fn at(mut condition: Value, time: &str) -> Value {
    condition["lastTransitionTime"] = json!(time);
    condition
}

fn entry(parent: &str, controller: &str, conditions: &[Value]) -> Value {
    json!({
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": parent},
        "controllerName": controller,
        "conditions": conditions,
    })
}

fn applied(live: &Value, merged: &Merged) -> Value {
    let mut after = live.clone();
    for (field, value) in &merged.patch {
        after[field] = value.clone();
    }
    after
}

#[test]
fn entries_of_others_stay_byte_for_byte_and_in_their_places() {
    let foreign = json!({
        "controllerName": "example.com/other",
        "parentRef": {"name": "gw"},
        "conditions": [{"zeta": 1, "type": "Accepted", "alpha": [1.50, null]}],
        "unknown": {"b": 1, "a": 2},
    });
    let old = at(condition("Accepted", "False"), "2029-01-01T00:00:00Z");
    let live = json!({"parents": [
        entry("gone", OURS, std::slice::from_ref(&old)), foreign, entry("gw", OURS, &[old]),
    ]});
    let wanted = json!({"parents": [
        {"parentRef": {"name": "new"}, "controllerName": OURS, "conditions": [condition("Accepted", "True")]},
        {"parentRef": {"name": "gw"}, "controllerName": OURS, "conditions": [condition("Accepted", "False")]},
    ]});
    let merged = merge(context(Kind::HttpRoute), &live, &wanted);
    let kept = at(condition("Accepted", "False"), "2029-01-01T00:00:00Z");
    let expected = json!([
        foreign,
        entry("gw", OURS, &[kept]),
        entry("new", OURS, &[at(condition("Accepted", "True"), NOW)]),
    ]);
    assert_eq!(Value::Object(merged.patch), json!({"parents": expected}));
    assert_eq!(merged.left_out, 0);
}

#[test]
fn what_says_the_same_already_is_not_written() {
    let wanted = json!({"parents": [
        {"parentRef": {"name": "gw"}, "controllerName": OURS, "conditions": [condition("Accepted", "True")]},
    ]});
    let live = json!({"parents": [
        entry("gw", OURS, &[at(condition("Accepted", "True"), "2020-01-01T00:00:00Z")]),
    ]});
    assert!(
        merge(context(Kind::HttpRoute), &live, &wanted)
            .patch
            .is_empty()
    );
    let nothing = json!({"parents": []});
    assert!(
        merge(context(Kind::HttpRoute), &Value::Null, &nothing)
            .patch
            .is_empty()
    );
}

#[test]
fn ours_never_push_out_others_when_the_list_is_full() {
    for (kind, field, reference, most) in [
        (Kind::HttpRoute, "parents", "parentRef", 32),
        (Kind::BackendTlsPolicy, "ancestors", "ancestorRef", 16),
    ] {
        let of = |name: String, controller: &str| json!({reference: {"name": name}, "controllerName": controller, "conditions": []});
        let foreign: Vec<_> = (0..most - 1)
            .map(|n| of(format!("f{n}"), "other/one"))
            .collect();
        let live = json!({ field: foreign });
        let wanted = json!({ field: [of("a".to_owned(), OURS), of("b".to_owned(), OURS)] });
        let merged = merge(context(kind), &live, &wanted);
        let after = merged.patch[field].as_array().unwrap();
        assert_eq!(after.len(), most);
        assert_eq!(after[..most - 1], foreign[..]);
        assert_eq!(after[most - 1][reference]["name"], "a");
        assert_eq!(merged.left_out, 1);
        // And it stays like that.
        let again = merge(context(kind), &json!({ field: after }), &wanted);
        assert!(again.patch.is_empty());
    }
}

#[test]
fn conditions_of_others_stay_on_a_gateway_and_its_listeners() {
    let foreign = json!({"type": "example.com/Seeded", "status": "True", "reason": "Seeded"});
    let initial = at(condition("Accepted", "Unknown"), "1970-01-01T00:00:00Z");
    let live = json!({
        "conditions": [initial, foreign, condition("Programmed", "Unknown"), condition("Conflicted", "True")],
        "listeners": [
            {"name": "http", "attachedRoutes": 0, "conditions": [foreign, condition("Accepted", "False")]},
            {"name": "gone", "attachedRoutes": 7, "conditions": [foreign]},
        ],
        "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}],
        "somethingNew": 1,
    });
    let wanted = json!({
        "conditions": [condition("Accepted", "True"), condition("Programmed", "True")],
        "listeners": [{"name": "http", "attachedRoutes": 3, "conditions": [condition("Accepted", "True")]}],
    });
    let merged = merge(context(Kind::Gateway), &live, &wanted);
    let expected = json!({
        "conditions": [
            at(condition("Accepted", "True"), NOW), foreign, at(condition("Programmed", "True"), NOW),
        ],
        "listeners": [{
            "name": "http",
            "attachedRoutes": 3,
            "conditions": [foreign, at(condition("Accepted", "True"), NOW)],
            "supportedKinds": [],
        }],
        "addresses": null,
    });
    assert_eq!(Value::Object(merged.patch.clone()), expected);
    let after = applied(&live, &merged);
    assert!(
        merge(context(Kind::Gateway), &after, &wanted)
            .patch
            .is_empty()
    );
}

#[test]
fn defaults_that_the_api_server_fills_in_are_no_difference() {
    let wanted = json!({
        "conditions": [condition("Accepted", "True")],
        "addresses": [{"value": "192.0.2.1"}],
        "listeners": [{
            "name": "http", "attachedRoutes": 0, "conditions": [], "supportedKinds": [{"kind": "HTTPRoute"}],
        }],
    });
    let stored = json!({
        "conditions": [at(condition("Accepted", "True"), NOW)],
        "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}],
        "listeners": [{
            "name": "http", "attachedRoutes": 0, "conditions": [],
            "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
        }],
    });
    assert!(
        merge(context(Kind::Gateway), &stored, &wanted)
            .patch
            .is_empty()
    );
}

#[test]
fn foreign_parts_are_told_from_ours() {
    let foreign = condition("example.com/Other", "True");
    let cases = [
        (Kind::HttpRoute, Value::Null, false),
        (
            Kind::HttpRoute,
            json!({"parents": [entry("gw", OURS, &[])]}),
            false,
        ),
        (
            Kind::HttpRoute,
            json!({"parents": [entry("gw", "other", &[])]}),
            true,
        ),
        (
            Kind::Gateway,
            json!({"conditions": [condition("Accepted", "Unknown")]}),
            false,
        ),
        (Kind::Gateway, json!({"conditions": [foreign]}), true),
        (
            Kind::ListenerSet,
            json!({"listeners": [{"conditions": [foreign]}]}),
            true,
        ),
    ];
    for (kind, live, expected) in cases {
        assert_eq!(
            has_foreign_parts(kind, OURS, &live),
            expected,
            "{kind} {live}"
        );
    }
}

/// An entry made from three small numbers; the first decides whose it is.
fn any_entry(controllers: &'static [&'static str]) -> impl Strategy<Value = Value> {
    (0..controllers.len(), 0..6_u8, 0..3_u8, 0..4_u8).prop_map(|(whose, parent, status, extra)| {
        let status = ["True", "False", "Unknown"][usize::from(status)];
        let mut entry = entry(
            &format!("gw{parent}"),
            controllers[whose],
            &[
                condition("Accepted", status),
                condition("example.com/X", status),
            ],
        );
        if extra == 0 {
            entry["extra"] = json!({"n": parent});
        }
        entry
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_there_others_keep_theirs_and_a_second_merge_changes_nothing(
        live in vec(any_entry(&[OURS, "a/one", "b/two"]), 0..33),
        wanted in vec(any_entry(&[OURS]), 0..8),
    ) {
        let live = json!({"parents": live});
        let wanted = json!({"parents": wanted});
        let merged = merge(context(Kind::HttpRoute), &live, &wanted);
        let after = applied(&live, &merged);
        let foreign = |status: &Value| -> Vec<String> {
            list(status, "parents")
                .filter(|it| !is_own_entry(it, OURS))
                .map(ToString::to_string)
                .collect()
        };
        prop_assert_eq!(foreign(&live), foreign(&after));
        prop_assert!(list(&after, "parents").count() <= 32);
        let mut later = context(Kind::HttpRoute);
        later.now = "2031-01-01T00:00:00Z";
        prop_assert!(merge(later, &after, &wanted).patch.is_empty());
    }
}
