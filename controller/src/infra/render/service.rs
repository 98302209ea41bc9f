//! How clients come to the pods.

use std::collections::BTreeMap;

use portcullis_api::parameters::{NodePort, ServiceParameters, ServiceType};
use portcullis_ir::{PortKey, Transport};
use serde_json::{Map, Value as Json, json};

use super::Subject;

/// By which annotation MetalLB is asked for addresses. It refuses a Service with both this and
/// `spec.loadBalancerIP`.
const METALLB_ADDRESSES: &str = "metallb.io/loadBalancerIPs";

/// All of a Service but its metadata.
pub(super) fn body(subject: &Subject<'_>) -> Json {
    let parameters = subject.parameters.values.service.as_ref();
    let default = ServiceParameters::default();
    let ServiceParameters {
        service_type: _,
        external_traffic_policy,
        load_balancer_class,
        load_balancer_source_ranges,
        address_annotation: _,
        annotations: _,
        node_ports,
    } = parameters.unwrap_or(&default);
    let service_type = subject.service_type();
    let mut spec = Map::new();
    spec.insert("type".to_owned(), json!(service_type));
    spec.insert("selector".to_owned(), json!(subject.infra.selector()));
    spec.insert("ipFamilyPolicy".to_owned(), json!("PreferDualStack"));
    let node_ports = node_ports.as_deref().unwrap_or_default();
    let ports = subject.infra.ports.iter();
    let ports: Vec<Json> = ports.map(|port| self::port(*port, node_ports)).collect();
    spec.insert("ports".to_owned(), ports.into());
    if service_type != ServiceType::ClusterIp {
        let policy = external_traffic_policy.as_ref();
        insert(&mut spec, "externalTrafficPolicy", policy);
    }
    if service_type == ServiceType::LoadBalancer {
        insert(&mut spec, "loadBalancerClass", load_balancer_class.as_ref());
        let ranges = load_balancer_source_ranges.as_ref();
        insert(&mut spec, "loadBalancerSourceRanges", ranges);
    }
    ask_for_addresses(subject, &service_type, &mut spec);
    json!({ "spec": spec })
}

fn insert<T: serde::Serialize>(spec: &mut Map<String, Json>, field: &str, value: Option<&T>) {
    if let Some(value) = value {
        spec.insert(field.to_owned(), json!(value));
    }
}

/// Pods listen on the ports of the listeners themselves, so a port never has to be moved.
fn port(key: PortKey, node_ports: &[NodePort]) -> Json {
    let PortKey { port, transport } = key;
    let (protocol, prefix) = match transport {
        Transport::Tcp => ("TCP", "tcp"),
        Transport::Udp => ("UDP", "udp"),
    };
    let mut rendered = json!({
        "name": format!("{prefix}-{port}"),
        "protocol": protocol,
        "port": port,
        "targetPort": port,
    });
    let is_of = |wanted: &&NodePort| {
        wanted.port == port.get() && wanted.protocol.as_deref().unwrap_or("TCP") == protocol
    };
    if let (Some(node_port), Some(rendered)) =
        (node_ports.iter().find(is_of), rendered.as_object_mut())
    {
        rendered.insert("nodePort".to_owned(), json!(node_port.node_port));
    }
    rendered
}

/// "For implementations using a `Service`, this means the `clusterIP` or `loadBalancerIP`
/// (depending on the `Service` type)." (GEP-1762)
fn ask_for_addresses(
    subject: &Subject<'_>,
    service_type: &ServiceType,
    spec: &mut Map<String, Json>,
) {
    let addresses = &subject.infra.addresses;
    let Some(first) = addresses.first() else {
        return;
    };
    match service_type {
        ServiceType::LoadBalancer if subject.address_annotation().is_none() => {
            spec.insert("loadBalancerIP".to_owned(), json!(first));
        }
        ServiceType::ClusterIp => {
            spec.insert("clusterIP".to_owned(), json!(first));
            spec.insert("clusterIPs".to_owned(), json!(addresses));
        }
        // A node's address cannot be asked for: it is there, or it is not.
        ServiceType::LoadBalancer | ServiceType::NodePort | ServiceType::Other(_) => {}
    }
}

impl Subject<'_> {
    fn service_type(&self) -> ServiceType {
        let service = self.parameters.values.service.as_ref();
        let wanted = service.and_then(|service| service.service_type.clone());
        wanted.unwrap_or(ServiceType::LoadBalancer)
    }

    /// The annotation that asks the load balancer for addresses, if one does.
    fn address_annotation(&self) -> Option<&str> {
        let service = self.parameters.values.service.as_ref();
        let wanted = service.and_then(|service| service.address_annotation.as_deref());
        let several = self.infra.addresses.len() > 1;
        wanted.or(several.then_some(METALLB_ADDRESSES))
    }

    /// Annotations of the Service only.
    pub(super) fn service_annotations(&self) -> BTreeMap<String, String> {
        let service = self.parameters.values.service.as_ref();
        let annotations = service.and_then(|service| service.annotations.clone());
        let mut annotations = annotations.unwrap_or_default();
        let addresses: Vec<String> = self
            .infra
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect();
        if let Some(annotation) = self.address_annotation()
            && self.service_type() == ServiceType::LoadBalancer
            && !addresses.is_empty()
        {
            annotations.insert(annotation.to_owned(), addresses.join(","));
        }
        annotations
    }
}
