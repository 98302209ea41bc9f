use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use serde_json::{Value as Json, json};

use super::{PodFacts, addresses, pod_facts, service_ports, why_not_ready};
use crate::infra::Readiness;
use crate::infra::live::LivePod;

fn pod(name: &str, more: &Json) -> LivePod {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "apps", "uid": format!("uid-{name}"),
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-portcullis-6d4f", "uid": "r" }] },
        "status": { "hostIPs": [{ "ip": "10.0.0.1" }, { "ip": "fd00::1" }],
            "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    crate::infra::overlay::merge(&mut pod, more);
    serde_json::from_value(pod).expect("is a pod")
}

fn pods(pods: &[LivePod]) -> BTreeMap<Arc<str>, PodFacts> {
    let facts = pods.iter().filter_map(|pod| {
        let (deployment, facts) = pod_facts(pod)?;
        assert_eq!(deployment, "web-portcullis");
        Some((
            pod.metadata.name.as_deref().unwrap_or_default().into(),
            facts,
        ))
    });
    facts.collect()
}

fn not_ready() -> Json {
    json!({ "status": { "conditions": [{ "type": "Ready", "status": "False" }] } })
}

fn shown(service: &Json, of: &[LivePod]) -> Vec<String> {
    let service: Service = serde_json::from_value(service.clone()).expect("is a Service");
    let addresses = addresses(Some(&service), &pods(of));
    let show = |a: &portcullis_api::gateway::GatewayAddress| {
        format!(
            "{} {}",
            a.address_type(),
            a.value.as_deref().unwrap_or_default()
        )
    };
    addresses.iter().map(show).collect()
}

#[test]
fn addresses_are_those_of_the_type_of_service() {
    let ready = [pod("a", &json!({}))];
    let waiting = [pod("a", &not_ready())];
    let ingress = json!({ "spec": { "type": "LoadBalancer", "externalIPs": ["198.51.100.1"] },
        "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }, { "hostname": "lb.example.com" }, { "ip": "192.0.2.1" }] } } });
    assert_eq!(
        shown(&ingress, &[]),
        ["IPAddress 192.0.2.1", "Hostname lb.example.com"]
    );
    let external = json!({ "spec": { "type": "LoadBalancer", "clusterIP": "10.96.0.1", "externalIPs": ["198.51.100.1"] } });
    assert_eq!(shown(&external, &ready), ["IPAddress 198.51.100.1"]);
    let pending = json!({ "spec": { "type": "LoadBalancer", "clusterIP": "10.96.0.1" } });
    assert!(
        shown(&pending, &ready).is_empty(),
        "a pending load balancer is no address"
    );
    let nodes = json!({ "spec": { "type": "NodePort", "clusterIP": "10.96.0.1" } });
    assert_eq!(
        shown(&nodes, &ready),
        ["IPAddress 10.0.0.1", "IPAddress fd00::1"]
    );
    assert!(shown(&nodes, &waiting).is_empty());
    let cluster = json!({ "spec": { "type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd01::1"] } });
    assert_eq!(
        shown(&cluster, &[]),
        ["IPAddress 10.96.0.1", "IPAddress fd01::1"]
    );
}

#[test]
fn a_status_holds_sixteen_addresses() {
    let ingress: Vec<Json> = (0..20)
        .map(|i| json!({ "ip": format!("192.0.2.{i}") }))
        .collect();
    let service = json!({ "spec": { "type": "LoadBalancer" }, "status": { "loadBalancer": { "ingress": ingress } } });
    assert_eq!(shown(&service, &[]).len(), 16);
}

#[test]
fn ports_are_told_apart_by_protocol() {
    let service: Service = serde_json::from_value(json!({ "spec": { "ports": [
        { "port": 53, "protocol": "UDP" }, { "port": 53 }, { "port": 132, "protocol": "SCTP" }] } }))
    .expect("is a Service");
    assert_eq!(service_ports(&service).len(), 2);
}

#[test]
fn pods_that_go_are_not_ready_and_those_that_went_are_none() {
    let deleted = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
    let (_, facts) = pod_facts(&pod("a", &deleted)).expect("is one of ours");
    assert_eq!(facts.pod.readiness, Readiness::Terminating);
    assert_eq!(
        pod_facts(&pod("a", &json!({ "status": { "phase": "Failed" } }))),
        None
    );
    assert_eq!(
        pod_facts(&pod(
            "a",
            &json!({ "metadata": { "ownerReferences": null } })
        )),
        None
    );
}

#[test]
fn the_cluster_says_why_no_pod_is_ready() {
    let unscheduled = json!({ "status": { "conditions": [
        { "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available" }] } });
    let pulling = json!({ "status": { "conditions": [], "containerStatuses": [
        { "name": "portcullis", "image": "i:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } } }] } });
    let starting = json!({ "status": { "conditions": [], "containerStatuses": [
        { "name": "portcullis", "image": "i:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "ContainerCreating" } } }] } });
    let why = |more: &Json| why_not_ready(None, &pods(&[pod("a", more)]));
    assert_eq!(
        why(&unscheduled).as_deref(),
        Some("pod a has no node: 0/1 nodes are available")
    );
    assert_eq!(
        why(&pulling).as_deref(),
        Some("pod a cannot have its image i:1")
    );
    assert_eq!(why(&starting), None);
    let refused = serde_json::from_value(json!({ "spec": { "replicas": 1, "selector": {}, "template": {} }, "status": { "conditions": [
        { "type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity" }] } }))
    .expect("is a Deployment");
    assert_eq!(
        why_not_ready(Some(&refused), &BTreeMap::new()).as_deref(),
        Some("violates PodSecurity")
    );
}
