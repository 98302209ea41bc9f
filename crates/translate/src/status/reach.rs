//! Whether clients can come to a Gateway: its Service and its addresses.

use std::net::IpAddr;

use portcullis_api::gateway::GatewayAddress;
use portcullis_api::parameters::ServiceType;
use portcullis_api::status::ConditionReason;

use crate::infra::object_name;
use crate::inputs::{InfraTrouble, ObservedGateway, ObservedInfra};
use crate::listeners::{GatewayDraft, ListenerDraft};
use crate::problem::Problem;

/// Why there cannot be data planes, or nothing can lead to them.
pub(super) fn trouble(observed: &ObservedGateway) -> Option<Problem> {
    let trouble = observed.infra.as_ref()?.trouble.as_ref()?;
    let (reason, why) = match trouble {
        // "This reason is used with the "Programmed" condition when the Gateway is not scheduled
        // because insufficient infrastructure resources are available." (`GatewayReasonNoResources`)
        InfraTrouble::NoResources(why) => (ConditionReason::NoResources, why),
        InfraTrouble::AddressNotUsable(why) => (ConditionReason::AddressNotUsable, why),
    };
    Some(Problem::new(reason, why.clone()))
}

/// What is missing between clients and the data planes.
pub(super) fn obstacle(gateway: &GatewayDraft<'_>, observed: &ObservedGateway) -> Option<Problem> {
    let closed = observed.infra.as_ref().and_then(|infra| {
        let listeners = gateway.listeners.iter().filter_map(ListenerDraft::lower);
        let mut ports = listeners.map(|listener| listener.port_key());
        ports.find(|port| !infra.service_ports.contains(port))
    });
    if let Some(port) = closed {
        let message = format!("waiting for the Service to have port {}", port.port);
        return Some(Problem::new(ConditionReason::Pending, message));
    }
    address_obstacle(gateway, observed)
}

/// "the implementation SHOULD provide a clear message explaining the underlying problem, ideally
/// with some hints as to what actions can be taken" (`GatewayReasonAddressNotAssigned`)
fn address_obstacle(gateway: &GatewayDraft<'_>, observed: &ObservedGateway) -> Option<Problem> {
    let wanted = &gateway.object.spec.addresses;
    let service_type = service_type(observed.infra.as_ref());
    let mut asked = wanted.iter().map(value).filter(|value| !value.is_empty());
    if observed.addresses.is_empty() && (asked.next().is_none() || service_type.is_none()) {
        let message = match service_type {
            Some(service_type) => not_assigned(gateway, service_type),
            None => "no address is assigned yet; a Service of type LoadBalancer gets one from its \
                     cluster"
                .to_owned(),
        };
        return Some(Problem::new(ConditionReason::AddressNotAssigned, message));
    }
    let is_given = |wanted: &&GatewayAddress| {
        let wanted = value(wanted);
        let mut given = observed.addresses.iter().map(value);
        wanted.is_empty() || given.any(|given| is_same_address(&given, &wanted))
    };
    let missing = value(wanted.iter().find(|address| !is_given(address))?);
    Some(Problem::new(
        ConditionReason::AddressNotUsable,
        not_usable(gateway, &missing, observed),
    ))
}

fn service_type(infra: Option<&ObservedInfra>) -> Option<&ServiceType> {
    infra?.service_type.as_ref()
}

fn not_assigned(gateway: &GatewayDraft<'_>, service_type: &ServiceType) -> String {
    let service = service(gateway);
    match service_type {
        ServiceType::LoadBalancer => format!(
            "no address is assigned yet to {service}; a Service of type LoadBalancer gets one from \
             the cloud provider or from a load balancer such as MetalLB: if the cluster has none, \
             set service.type to NodePort or ClusterIP in GatewayParameters"
        ),
        ServiceType::NodePort => format!(
            "no address is known yet: {service} is reached at the addresses of the nodes that run a \
             ready pod of it, and none does"
        ),
        ServiceType::ClusterIp | ServiceType::Other(_) => {
            format!("no cluster IP is assigned yet to {service}")
        }
    }
}

/// "the implementation SHOULD provide prescriptive information on which address is causing the
/// problem and how to resolve it in the condition message." (`GatewayReasonAddressNotUsable`)
fn not_usable(gateway: &GatewayDraft<'_>, missing: &str, observed: &ObservedGateway) -> String {
    let Some(service_type) = service_type(observed.infra.as_ref()) else {
        return format!("the address {missing} cannot be used here; name one that can, or none");
    };
    if is_beyond_first_of_family(gateway, missing) {
        return format!(
            "the address {missing} cannot be used: a Service has one address of each family, and \
             another one is before it in spec.addresses; take one of them away"
        );
    }
    let service = service(gateway);
    let given: Vec<String> = observed.addresses.iter().map(value).collect();
    let given = if given.is_empty() {
        "none".to_owned()
    } else {
        given.join(", ")
    };
    match service_type {
        ServiceType::LoadBalancer => format!(
            "the load balancer has not given the address {missing} to {service}, which has {given}; \
             name an address of its pool that is free, or none (the Service's events may say more)"
        ),
        ServiceType::NodePort => format!(
            "the address {missing} is none of the nodes that run a ready pod of {service}, which \
             are {given}; name one of these, or none"
        ),
        ServiceType::ClusterIp | ServiceType::Other(_) => format!(
            "{service} has the cluster IP {given}, which Kubernetes does not let anybody change to \
             {missing}; name the one it has, or delete the Service to have it made anew"
        ),
    }
}

/// Whether the address was not asked for, because one of its family was before it.
fn is_beyond_first_of_family(gateway: &GatewayDraft<'_>, missing: &str) -> bool {
    let Ok(missing) = missing.parse::<IpAddr>() else {
        return false;
    };
    let addresses = gateway.object.spec.addresses.iter();
    let mut asked = addresses.filter_map(|address| value(address).parse::<IpAddr>().ok());
    let first = asked.find(|address| address.is_ipv4() == missing.is_ipv4());
    first.is_some_and(|first| first != missing)
}

fn service(gateway: &GatewayDraft<'_>) -> String {
    let namespace = &gateway.key.namespace;
    let class = &gateway.object.spec.gateway_class_name;
    let name = object_name(&gateway.key.name, class);
    format!("Service {namespace}/{name}")
}

fn value(address: &GatewayAddress) -> String {
    address.value.clone().unwrap_or_default()
}

/// Whether two texts name one address: there are many ways to write an IPv6 address.
fn is_same_address(a: &str, b: &str) -> bool {
    match (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}
