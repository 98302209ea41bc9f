//! The endpoints behind a port of a Service.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use portcullis_api::core::{Endpoint as SliceEndpoint, EndpointPort, EndpointSlice, ServicePort};
use portcullis_ir::{Endpoint, EndpointHost};

/// The endpoint of a Service of type ExternalName: on the referred port, or on its `targetPort` if
/// the Service lists the port and gives one as a number.
pub(super) fn external(name: &str, port: u16, listed: Option<&ServicePort>) -> Vec<Endpoint> {
    let target = listed.and_then(target_number);
    let target = target.and_then(|number| u16::try_from(number).ok());
    vec![Endpoint {
        host: host(name.trim_end_matches('.')),
        port: target.filter(|number| *number != 0).unwrap_or(port),
    }]
}

/// The endpoints that take requests, sorted and without duplicates, of all slices and address
/// families together: the ready ones, or, if there are none, those that still serve while they
/// terminate.
pub(super) fn ready(slices: &[&EndpointSlice], port: &ServicePort) -> Vec<Endpoint> {
    let mut ready = BTreeSet::new();
    let mut terminating = BTreeSet::new();
    for slice in slices {
        let Some(number) = endpoint_port(slice, port) else {
            continue;
        };
        for endpoint in &slice.endpoints {
            let into = match state(endpoint) {
                State::Ready => &mut ready,
                State::ServingWhileTerminating => &mut terminating,
                State::Out => continue,
            };
            into.extend(endpoint.addresses.iter().map(|address| Endpoint {
                host: host(address),
                port: number,
            }));
        }
    }
    let chosen = if ready.is_empty() { terminating } else { ready };
    chosen.into_iter().collect()
}

/// Whether an endpoint takes requests.
enum State {
    Ready,
    /// Not ready because it is terminating, and serving still.
    ServingWhileTerminating,
    Out,
}

fn state(endpoint: &SliceEndpoint) -> State {
    let conditions = endpoint.conditions.as_ref();
    // "A nil value should be interpreted as "true"" of ready; of serving, as ready; "false" of
    // terminating (`EndpointConditions`).
    let ready = conditions.and_then(|c| c.ready).unwrap_or(true);
    let serving = conditions.and_then(|c| c.serving).unwrap_or(ready);
    let terminating = conditions.and_then(|c| c.terminating).unwrap_or(false);
    match (ready, serving && terminating) {
        (true, _) => State::Ready,
        (false, true) => State::ServingWhileTerminating,
        (false, false) => State::Out,
    }
}

/// The port of a slice that stands for a port of the Service: the one of the same name. A slice
/// that somebody wrote by hand may have left the name out; then the number decides.
fn endpoint_port(slice: &EndpointSlice, port: &ServicePort) -> Option<u16> {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let target = target_number(port);
    let ports = slice.ports.iter().flatten();
    let by_name = ports
        .clone()
        .find(|candidate| name(&candidate.name) == name(&port.name));
    let mut by_number = ports.filter(|candidate| name(&candidate.name).is_empty());
    let found = by_name.or_else(|| by_number.find(|candidate| candidate.port == target));
    let EndpointPort { port: number, .. } = found?;
    // "If this is not specified, ports are not restricted" (`EndpointPort.Port`)
    u16::try_from((*number).or(target)?)
        .ok()
        .filter(|n| *n != 0)
}

/// `targetPort` as a number: "If this is not specified, the value of the 'port' field is used".
fn target_number(port: &ServicePort) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(_)) => None,
    }
}

fn host(address: &str) -> EndpointHost {
    match address.parse::<IpAddr>() {
        Ok(ip) => EndpointHost::Ip(ip),
        Err(_) => EndpointHost::Dns(Arc::from(address.to_ascii_lowercase())),
    }
}
