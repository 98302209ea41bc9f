use std::sync::Arc;

use portcullis_api::gateway::{Gateway, GatewayStatus};
use portcullis_api::meta::ObjectMeta;
use portcullis_api::status::{
    Condition, ConditionReason, ConditionStatus, ConditionType, ListenerStatus,
};

use super::*;

fn condition(kind: ConditionType, status: ConditionStatus, message: &str) -> Condition {
    Condition {
        r#type: kind,
        status,
        reason: ConditionReason::Pending,
        message: message.to_owned(),
        observed_generation: None,
        last_transition_time: None,
    }
}

/// A Gateway whose own Programmed, and whose listeners' ResolvedRefs, are as given.
fn gateway(
    programmed: ConditionStatus,
    message: &str,
    listeners: &[(&str, ConditionStatus)],
) -> Objects {
    let listener = |(name, status): &(&str, ConditionStatus)| ListenerStatus {
        name: (*name).to_owned(),
        supported_kinds: Vec::new(),
        attached_routes: 0,
        conditions: vec![condition(ConditionType::ResolvedRefs, status.clone(), "")],
    };
    let status = GatewayStatus {
        conditions: vec![condition(ConditionType::Programmed, programmed, message)],
        listeners: listeners.iter().map(listener).collect(),
        ..GatewayStatus::default()
    };
    let metadata = ObjectMeta {
        name: Some("g".to_owned()),
        ..ObjectMeta::default()
    };
    let gateway = Gateway {
        metadata,
        spec: Arc::default(),
        status: Some(Arc::new(status)),
    };
    std::iter::once(gateway.into()).collect()
}

fn told(old: &Objects, new: &Objects) -> Vec<String> {
    changes(old, new).iter().map(ToString::to_string).collect()
}

const TRUE: ConditionStatus = ConditionStatus::True;
const FALSE: ConditionStatus = ConditionStatus::False;

#[test]
fn a_good_new_object_is_one_line() {
    let new = gateway(TRUE, "", &[("a", TRUE), ("b", TRUE)]);
    assert_eq!(
        told(&Objects::default(), &new),
        ["Gateway g: added; Programmed True, ResolvedRefs True"]
    );
}

#[test]
fn a_bad_new_object_is_told_by_what_is_bad() {
    let new = gateway(FALSE, "why", &[("a", TRUE), ("b", FALSE)]);
    assert_eq!(
        told(&Objects::default(), &new),
        [
            "Gateway g: Programmed False, Pending: why",
            "Gateway g: listener b: ResolvedRefs False, Pending",
        ]
    );
}

#[test]
fn only_what_changed_is_told() {
    let bad = gateway(FALSE, "why", &[("a", TRUE)]);
    assert_eq!(told(&bad, &bad), [""; 0]);
    assert_eq!(
        told(&bad, &gateway(TRUE, "", &[("a", TRUE)])),
        ["Gateway g: Programmed True, Pending"]
    );
    let other = gateway(FALSE, "another why", &[("a", TRUE)]);
    assert_eq!(
        told(&bad, &other),
        ["Gateway g: Programmed False, Pending: another why"]
    );
    let good = gateway(TRUE, "one", &[]);
    assert_eq!(
        told(&good, &gateway(TRUE, "two", &[])),
        [""; 0],
        "good news stay good news"
    );
}

#[test]
fn parts_and_objects_come_and_go() {
    let (one, two) = (
        gateway(TRUE, "", &[("a", TRUE)]),
        gateway(TRUE, "", &[("b", TRUE)]),
    );
    assert_eq!(
        told(&one, &two),
        [
            "Gateway g: listener b: added",
            "Gateway g: listener a: removed"
        ]
    );
    assert_eq!(told(&one, &Objects::default()), ["Gateway g: deleted"]);
}
