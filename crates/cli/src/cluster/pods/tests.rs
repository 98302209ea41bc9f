use portcullis_controller::sessions::Session;
use serde_json::json;

use super::*;

fn pod(name: &str, status: &Value) -> Pod {
    let item = json!({
        "metadata": {
            "namespace": "shop", "name": name,
            "labels": {"gateway.networking.k8s.io/gateway-name": "web"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "status": status,
    });
    Pod::read(&item).unwrap()
}

fn ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

#[test]
fn a_pod_that_is_not_ready_says_what_it_waits_for() {
    let cases = [
        (ready(), "Ready"),
        (json!({"phase": "Pending"}), "Pending"),
        (json!({"phase": "Running"}), "NotReady"),
        (
            json!({
                "phase": "Pending",
                "conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}],
            }),
            "ImagePullBackOff",
        ),
    ];
    for (status, expected) in cases {
        assert_eq!(pod("web-1", &status).readiness.word(), expected, "{status}");
    }
}

#[test]
fn the_table_says_what_each_pod_holds() {
    let pods = ["web-1", "web-2", "web-3"].map(|name| pod(name, &ready()));
    let session = |generation, problems: &[&str]| Session {
        namespace: "shop".into(),
        gateway: "web".into(),
        version: Some("00000000000000ab".into()),
        generation: Some(generation),
        problems: problems.iter().map(ToString::to_string).collect(),
        ..Session::default()
    };
    let sessions = Sessions::from([
        (pods[0].key.clone(), session(4, &[])),
        (pods[1].key.clone(), session(3, &["port 80: in use"])),
    ]);
    let now = pods[0].created.unwrap() + 90;
    assert_eq!(
        table(&pods, Some(&sessions), now).print(),
        "\
NAMESPACE   POD     GATEWAY   STATE   STREAM      GENERATION   VERSION            AGE
shop        web-1   web       Ready   Connected   4            00000000000000ab   90s
shop        web-2   web       Ready   Refusing    3            00000000000000ab   90s
shop        web-3   web       Ready   None        -            -                  90s
"
    );
    assert_eq!(
        problems(&pods, &sessions),
        "  pod shop/web-2: port 80: in use\n"
    );
    let unknown = table(&pods[..1], None, now).print();
    assert!(unknown.contains("Ready   Unknown   -"), "{unknown}");
}
