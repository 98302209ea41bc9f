use serde_json::{Value as Json, json};

use super::{Action, Memory, Ownership, action, ownership};
use crate::infra::render::Rendered;
use crate::infra::resource::{ResourceId, ResourceKind};

fn metadata() -> Json {
    json!({
        "name": "web-portcullis",
        "namespace": "apps",
        "labels": { "app.kubernetes.io/managed-by": "portcullis" },
        "ownerReferences": [{ "kind": "Gateway", "name": "web", "uid": "g1", "controller": true }],
    })
}

fn rendered(kind: ResourceKind, spec: &Json) -> Rendered {
    let id = ResourceId {
        namespace: "apps".to_owned(),
        name: "web-portcullis".to_owned(),
        kind,
    };
    let object = json!({ "metadata": metadata(), "spec": spec });
    Rendered { id, object }
}

fn decided(rendered: &Rendered, live: Option<&Json>, memory: Option<&Memory>) -> Action {
    action(rendered, live, memory, "web", "g1")
}

/// What the API server has after `object` was created, with more than was asked for.
fn stored(object: &Json, more: &Json) -> Json {
    let mut stored = object.clone();
    crate::infra::overlay::merge(&mut stored, more);
    let of_server = json!({ "metadata": { "uid": "o1", "resourceVersion": "7" } });
    crate::infra::overlay::merge(&mut stored, &of_server);
    stored
}

fn created(rendered: &Rendered) -> Json {
    match decided(rendered, None, None) {
        Action::Create(object) => object,
        other => panic!("{other:?}"),
    }
}

fn applied(action: Action) -> (Json, Option<Json>) {
    match action {
        Action::Apply { object, before } => (object, before),
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_what_has_our_label_and_this_very_owner_is_ours() {
    let owned = |name: &str, uid: &str, label: &str| {
        json!({ "metadata": {
            "labels": { "app.kubernetes.io/managed-by": label },
            "ownerReferences": [{ "kind": "Gateway", "name": name, "uid": uid, "controller": true }],
        } })
    };
    let cases = [
        (owned("web", "g1", "portcullis"), Ownership::Ours),
        (
            owned("web", "g0", "portcullis"),
            Ownership::OfEarlierGateway,
        ),
        (owned("other", "g2", "portcullis"), Ownership::Foreign),
        (owned("web", "g1", "Helm"), Ownership::Foreign),
        (json!({ "metadata": {} }), Ownership::Foreign),
        (
            json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "portcullis" } } }),
            Ownership::Foreign,
        ),
    ];
    for (live, whose) in cases {
        assert_eq!(ownership(&live, "web", "g1"), whose, "{live}");
    }
}

#[test]
fn what_is_as_wanted_is_not_written_whatever_the_cluster_added() {
    let service = rendered(
        ResourceKind::Service,
        &json!({ "type": "LoadBalancer", "ports": [{ "port": 80, "protocol": "TCP" }] }),
    );
    let more = json!({
        "spec": { "clusterIP": "10.96.0.9", "ports": [{ "port": 80, "nodePort": 31000 }] },
        "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } },
    });
    let live = stored(&created(&service), &more);
    assert_eq!(decided(&service, Some(&live), None), Action::Nothing);
}

#[test]
fn units_in_their_normal_form_are_no_difference_once_written() {
    let spec = |memory: &str| {
        json!({ "template": { "spec": { "containers": [
            { "name": "portcullis", "resources": { "requests": { "cpu": memory } } }] } } })
    };
    let wanted = rendered(ResourceKind::Deployment, &spec("1000m"));
    let sent = created(&wanted);
    let live = stored(&sent, &json!({ "spec": spec("1") }));
    let memory = Memory::of(sent, &live);
    assert_eq!(
        decided(&wanted, Some(&live), Some(&memory)),
        Action::Nothing
    );
    let drifted = stored(&live, &json!({ "spec": spec("2") }));
    applied(decided(&wanted, Some(&drifted), Some(&memory)));
}

#[test]
fn a_field_that_is_no_longer_rendered_is_noticed_after_a_restart() {
    let with = rendered(
        ResourceKind::Service,
        &json!({ "type": "LoadBalancer", "loadBalancerIP": "192.0.2.9" }),
    );
    let live = stored(&created(&with), &json!({}));
    let without = rendered(ResourceKind::Service, &json!({ "type": "LoadBalancer" }));
    let (object, _) = applied(decided(&without, Some(&live), None));
    assert_eq!(object["spec"].get("loadBalancerIP"), None);
    assert_eq!(
        object["metadata"]["uid"], "o1",
        "applied to this object only"
    );
}

#[test]
fn what_cannot_be_changed_of_a_service_is_left_as_it_is() {
    let wanted = rendered(
        ResourceKind::Service,
        &json!({ "type": "LoadBalancer", "loadBalancerClass": "new", "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"], "externalTrafficPolicy": "Local" }),
    );
    let mut live = stored(
        &created(&wanted),
        &json!({ "spec": { "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"] } }),
    );
    live["spec"]["loadBalancerClass"] = json!("old");
    assert_eq!(decided(&wanted, Some(&live), None), Action::Nothing);
    live["spec"]["externalTrafficPolicy"] = json!("Cluster");
    let (object, _) = applied(decided(&wanted, Some(&live), None));
    assert_eq!(
        object["spec"],
        json!({ "type": "LoadBalancer", "loadBalancerClass": "old", "externalTrafficPolicy": "Local" })
    );
}

#[test]
fn a_port_that_is_not_wanted_any_more_is_a_difference() {
    let ports = |ports: &[u16]| {
        let ports: Vec<Json> = ports.iter().map(|port| json!({ "port": port })).collect();
        rendered(ResourceKind::Service, &json!({ "ports": ports }))
    };
    let live = stored(
        &created(&ports(&[80])),
        &json!({ "spec": { "ports": [{ "port": 8080 }] } }),
    );
    applied(decided(&ports(&[80]), Some(&live), None));
}

#[test]
fn the_number_of_pods_belongs_to_who_scales() {
    let fixed = rendered(ResourceKind::Deployment, &json!({ "replicas": 2 }));
    let live = stored(
        &created(&fixed),
        &json!({ "metadata": { "managedFields": [
            { "manager": "portcullis", "operation": "Apply", "fieldsV1": { "f:spec": { "f:a": {} } } },
            { "manager": "kubectl", "operation": "Update", "subresource": "scale",
                "fieldsV1": { "f:spec": { "f:replicas": {} } } },
        ] }, "spec": { "replicas": 5 } }),
    );
    assert_eq!(decided(&fixed, Some(&live), None), Action::Nothing);
}

#[test]
fn a_number_of_pods_that_is_no_longer_wanted_is_given_up_before_it_would_be_reset() {
    let live = stored(
        &created(&rendered(
            ResourceKind::Deployment,
            &json!({ "replicas": 5 }),
        )),
        &json!({ "metadata": { "managedFields": [
            { "manager": "portcullis", "operation": "Apply", "fieldsV1": { "f:spec": { "f:replicas": {} } } },
        ] } }),
    );
    let free = rendered(ResourceKind::Deployment, &json!({}));
    let (object, before) = applied(decided(&free, Some(&live), None));
    assert_eq!(object["spec"].get("replicas"), None);
    let before = before.expect("the field is given up");
    assert_eq!(
        before["metadata"]["managedFields"][0]["fieldsV1"],
        json!({ "f:spec": {} })
    );
    assert_eq!(before["metadata"]["resourceVersion"], "7");
}

#[test]
fn what_was_created_becomes_what_is_applied() {
    let before_entry = json!({ "manager": "portcullis", "operation": "Update", "fieldsV1": { "f:spec": { "f:type": {} } } });
    let status = json!({ "manager": "portcullis", "operation": "Update", "subresource": "status" });
    let live = stored(
        &created(&rendered(
            ResourceKind::Service,
            &json!({ "type": "NodePort" }),
        )),
        &json!({ "metadata": { "managedFields": [before_entry, status] } }),
    );
    let changed = rendered(ResourceKind::Service, &json!({ "type": "ClusterIP" }));
    let (_, before) = applied(decided(&changed, Some(&live), None));
    let fields = before.expect("is converted")["metadata"]["managedFields"].clone();
    assert_eq!(fields[0]["operation"], "Apply");
    assert_eq!(fields[1], status);
}

#[test]
fn a_stranger_is_left_alone() {
    let wanted = rendered(ResourceKind::ServiceAccount, &json!({}));
    let stranger = json!({ "metadata": { "name": "web-portcullis", "uid": "s" } });
    assert_eq!(
        decided(&wanted, Some(&stranger), None),
        Action::Leave(Ownership::Foreign)
    );
}
