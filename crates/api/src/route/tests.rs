use std::time::Duration;

use serde_json::json;

use super::{BackendRef, FilterType, GatewayDuration, ParentReference, RouteFilter};

#[test]
fn durations_are_those_of_gep_2257() {
    let cases = [
        ("0s", Some(Duration::ZERO)),
        ("10s", Some(Duration::from_secs(10))),
        ("1h30m", Some(Duration::from_mins(90))),
        ("1h1m1s1ms", Some(Duration::from_millis(3_661_001))),
        ("99999h", Some(Duration::from_hours(99_999))),
        ("", None),
        ("10", None),
        ("1.5s", None),
        ("-1s", None),
        ("1d", None),
        ("100000s", None),
        ("1s1s1s1s1s", None),
        ("1s ", None),
    ];
    for (text, expected) in cases {
        assert_eq!(
            GatewayDuration(text.to_owned()).parse(),
            expected,
            "{text:?}"
        );
    }
}

#[test]
fn references_have_the_defaults_of_the_specification() {
    let parent: ParentReference = serde_json::from_value(json!({"name": "g"})).expect("is valid");
    assert_eq!(parent.target().group, "gateway.networking.k8s.io");
    assert_eq!(parent.target().kind, "Gateway");
    let backend: BackendRef = serde_json::from_value(json!({"name": "s"})).expect("is valid");
    assert_eq!(backend.target().group, "");
    assert_eq!(backend.target().kind, "Service");
    assert_eq!(backend.weight(), 1);
}

#[test]
fn values_of_a_later_version_are_kept() {
    let filter = json!({"type": "RateLimit"});
    let read: RouteFilter = serde_json::from_value(filter.clone()).expect("is valid");
    assert_eq!(read.filter_type, FilterType::Other("RateLimit".to_owned()));
    assert_eq!(serde_json::to_value(read).expect("is serializable"), filter);
}
