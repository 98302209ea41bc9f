//! What there is in the cluster for a Gateway, from its objects and pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use portcullis_api::gateway::{AddressType, GatewayAddress};
use portcullis_api::parameters::ServiceType;
use portcullis_ir::{PortKey, Transport};

use super::live::{ContainerStatus, LiveDeployment, LivePod};
use super::{Pod, Readiness};

/// "+kubebuilder:validation:MaxItems=16" (`GatewayStatus.Addresses`)
const MOST_ADDRESSES: usize = 16;

/// After how many ends of its container a pod will hardly start any more.
const ENDS_AGAIN_AND_AGAIN: i32 = 2;

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// What is told of it.
    pub pod: Pod,
    /// The addresses of its node.
    node_addresses: Vec<String>,
    /// Why it is not ready, as far as the cluster says.
    hint: Option<String>,
}

/// Name of the Deployment that a pod is of, and the pod. Pods that no ReplicaSet made are nobody's,
/// and those that have ended are no pods any more.
pub fn pod_facts(live: &LivePod) -> Option<(String, PodFacts)> {
    let metadata = &live.metadata;
    let status = live.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return None;
    }
    let mut owners = metadata.owner_references.as_deref()?.iter();
    let replica_set = owners.find(|owner| owner.kind == "ReplicaSet")?;
    let (deployment, _hash) = replica_set.name.rsplit_once('-')?;
    let conditions = status.and_then(|status| status.conditions.as_deref());
    let is_ready = conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let readiness = match (metadata.deletion_timestamp.is_some(), is_ready) {
        (true, _) => Readiness::Terminating,
        (false, true) => Readiness::Ready,
        (false, false) => Readiness::NotReady,
    };
    let ips = status.and_then(|status| status.host_ips.as_deref());
    let ips = ips.unwrap_or_default().iter().map(|ip| ip.ip.clone());
    let facts = PodFacts {
        pod: Pod {
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            readiness,
        },
        node_addresses: ips.collect(),
        hint: hint(live),
    };
    Some((deployment.to_owned(), facts))
}

/// Why a pod is not ready: it has no node, or its container does not start.
fn hint(live: &LivePod) -> Option<String> {
    let name = live.metadata.name.as_deref().unwrap_or_default();
    let status = live.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let unscheduled = conditions
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled {
        let why = condition.message.as_deref().unwrap_or("no node takes it");
        return Some(format!("pod {name} has no node: {why}"));
    }
    let mut containers = status.container_statuses.iter().flatten();
    containers.find_map(|container| container_hint(name, container))
}

/// Why a container does not start. What the kubelet says changes from second to second; this does
/// not, for it ends in a status.
fn container_hint(pod: &str, container: &ContainerStatus) -> Option<String> {
    let waiting = container
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    let image = &container.image;
    match reason.unwrap_or_default() {
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" => {
            Some(format!("pod {pod} cannot have its image {image}"))
        }
        _ if container.restart_count >= ENDS_AGAIN_AND_AGAIN && !container.ready => Some(format!(
            "pod {pod} ends again and again; look at its log (kubectl logs --previous)"
        )),
        // What every container goes through is no news.
        "" | "ContainerCreating" | "PodInitializing" => None,
        reason => {
            let message = waiting.and_then(|waiting| waiting.message.as_deref());
            let message = message.unwrap_or_default();
            Some(
                format!("pod {pod}: {reason} {message}")
                    .trim_end()
                    .to_owned(),
            )
        }
    }
}

/// Why there is no ready pod, in words, as far as the cluster says.
pub fn why_not_ready(
    deployment: Option<&LiveDeployment>,
    pods: &BTreeMap<Arc<str>, PodFacts>,
) -> Option<String> {
    let is_ready = |facts: &PodFacts| facts.pod.readiness == Readiness::Ready;
    if pods.values().any(is_ready) {
        return None;
    }
    if let Some(hint) = pods.values().find_map(|facts| facts.hint.clone()) {
        return Some(hint);
    }
    let deployment = deployment?;
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    if replicas == Some(0) {
        return Some("its Deployment is scaled to no pods".to_owned());
    }
    let status = deployment.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let failure = conditions.find(|c| c.type_ == "ReplicaFailure" && c.status == "True")?;
    failure.message.clone()
}

/// The type of a Service, as a Gateway has it.
pub fn service_type(service: &Service) -> ServiceType {
    let spec = service.spec.as_ref();
    let type_ = spec.and_then(|spec| spec.type_.as_deref());
    ServiceType::from(type_.unwrap_or("ClusterIP"))
}

/// The ports of a Service.
pub fn service_ports(service: &Service) -> BTreeSet<PortKey> {
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter());
    let key = |port: &k8s_openapi::api::core::v1::ServicePort| {
        let transport = match port.protocol.as_deref() {
            None | Some("TCP") => Transport::Tcp,
            Some("UDP") => Transport::Udp,
            Some(_) => return None,
        };
        let port = u16::try_from(port.port).ok()?.try_into().ok()?;
        Some(PortKey { port, transport })
    };
    ports.flatten().filter_map(key).collect()
}

/// Where clients reach a Gateway, by the type of its Service:
///
/// - LoadBalancer: what the load balancer gave; if it gave nothing, `spec.externalIPs`.
/// - NodePort: the nodes that run a ready pod. Every node would do with `externalTrafficPolicy:
///   Cluster`, but these do with `Local` too, and no right to read nodes is needed to know them.
/// - ClusterIP: the cluster IPs.
pub fn addresses(
    service: Option<&Service>,
    pods: &BTreeMap<Arc<str>, PodFacts>,
) -> Vec<GatewayAddress> {
    let Some(service) = service else {
        return Vec::new();
    };
    let mut addresses = match service_type(service) {
        ServiceType::LoadBalancer => of_load_balancer(service),
        ServiceType::NodePort => of_nodes(pods),
        ServiceType::ClusterIp | ServiceType::Other(_) => of_cluster(service),
    };
    let mut seen = BTreeSet::new();
    addresses.retain(|address| seen.insert(address.clone()));
    addresses.truncate(MOST_ADDRESSES);
    addresses
}

fn of_load_balancer(service: &Service) -> Vec<GatewayAddress> {
    let status = service.status.as_ref();
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let ingress = balancer.iter().flat_map(|balancer| balancer.ingress.iter());
    let given: Vec<GatewayAddress> = ingress
        .flatten()
        .filter_map(|ingress| match (&ingress.ip, &ingress.hostname) {
            (Some(ip), _) => Some(ip_address(ip)),
            (None, Some(hostname)) => Some(GatewayAddress {
                address_type: Some(AddressType::Hostname),
                value: Some(hostname.clone()),
                routability: None,
            }),
            (None, None) => None,
        })
        .collect();
    if given.is_empty() {
        let external = service
            .spec
            .iter()
            .flat_map(|spec| spec.external_ips.iter());
        return external.flatten().map(|ip| ip_address(ip)).collect();
    }
    given
}

fn of_nodes(pods: &BTreeMap<Arc<str>, PodFacts>) -> Vec<GatewayAddress> {
    let ready = pods
        .values()
        .filter(|facts| facts.pod.readiness == Readiness::Ready);
    let addresses: BTreeSet<&String> = ready.flat_map(|facts| &facts.node_addresses).collect();
    addresses.into_iter().map(|ip| ip_address(ip)).collect()
}

fn of_cluster(service: &Service) -> Vec<GatewayAddress> {
    let default = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&default);
    let ips = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
    let real = ips.filter(|ip| !ip.is_empty() && *ip != "None");
    real.map(|ip| ip_address(ip)).collect()
}

fn ip_address(ip: &str) -> GatewayAddress {
    GatewayAddress {
        address_type: Some(AddressType::IpAddress),
        value: Some(ip.to_owned()),
        routability: None,
    }
}

#[cfg(test)]
mod tests;
