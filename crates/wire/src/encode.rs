//! From the IR to messages. Every struct is taken apart whole, so that a new field of the IR does
//! not compile until it is sent.

use portcullis_ir::{
    Backend, BackendProtocol, Endpoint, EndpointHost, HostPattern, Listener, ListenerProtocol,
    ObjectKey,
};

use crate::messages::{self, Nothing, endpoint, host_pattern, listener, resource, resource_id};
use crate::resource::{Resource, ResourceId};

mod filter;
mod parts;
mod reply;
mod route;
mod tls;

pub use parts::Parts;

impl From<&Resource> for messages::Resource {
    fn from(resource: &Resource) -> Self {
        let kind = match resource {
            Resource::Listener(id, value) => resource::Kind::Listener((id.as_str(), value).into()),
            Resource::Certificate(id, value) => {
                resource::Kind::Certificate((id.as_str(), value).into())
            }
            Resource::TrustBundle(id, value) => {
                resource::Kind::TrustBundle((id.as_str(), value).into())
            }
            Resource::HttpRoute(id, value) => {
                resource::Kind::HttpRoute((id.as_str(), &**value).into())
            }
            Resource::L4Route(id, value) => resource::Kind::L4Route((id.as_str(), &**value).into()),
            Resource::Backend(id, value) => resource::Kind::Backend((id.as_str(), &**value).into()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&ResourceId> for messages::ResourceId {
    fn from(id: &ResourceId) -> Self {
        let kind = match id {
            ResourceId::Listener(id) => resource_id::Kind::Listener(id.to_string()),
            ResourceId::Certificate(id) => resource_id::Kind::Certificate(id.to_string()),
            ResourceId::TrustBundle(id) => resource_id::Kind::TrustBundle(id.to_string()),
            ResourceId::HttpRoute(id) => resource_id::Kind::HttpRoute(id.to_string()),
            ResourceId::L4Route(id) => resource_id::Kind::L4Route(id.to_string()),
            ResourceId::Backend(id) => resource_id::Kind::Backend(id.to_string()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&ObjectKey> for messages::ObjectKey {
    fn from(key: &ObjectKey) -> Self {
        let ObjectKey { namespace, name } = key;
        Self {
            namespace: namespace.to_string(),
            name: name.to_string(),
        }
    }
}

impl From<&HostPattern> for messages::HostPattern {
    fn from(pattern: &HostPattern) -> Self {
        let pattern = match pattern {
            HostPattern::Exact(name) => host_pattern::Pattern::Exact(name.to_string()),
            HostPattern::Wildcard(suffix) => host_pattern::Pattern::Wildcard(suffix.to_string()),
            HostPattern::Any => host_pattern::Pattern::Any(Nothing {}),
        };
        Self {
            pattern: Some(pattern),
        }
    }
}

impl From<(&str, &Listener)> for messages::Listener {
    fn from((id, listener): (&str, &Listener)) -> Self {
        let Listener {
            port,
            hostname,
            protocol,
        } = listener;
        let protocol = match protocol {
            ListenerProtocol::Http => listener::Protocol::Http(Nothing {}),
            ListenerProtocol::Https(tls) => listener::Protocol::Https(tls.into()),
            ListenerProtocol::TlsTerminate(tls) => listener::Protocol::TlsTerminate(tls.into()),
            ListenerProtocol::TlsPassthrough => listener::Protocol::TlsPassthrough(Nothing {}),
            ListenerProtocol::Tcp => listener::Protocol::Tcp(Nothing {}),
            ListenerProtocol::Udp => listener::Protocol::Udp(Nothing {}),
        };
        Self {
            id: id.to_owned(),
            port: port.get().into(),
            hostname: Some(hostname.into()),
            protocol: Some(protocol),
        }
    }
}

impl From<(&str, &Backend)> for messages::Backend {
    fn from((id, backend): (&str, &Backend)) -> Self {
        let Backend {
            protocol,
            tls,
            endpoints,
        } = backend;
        let protocol = match protocol {
            BackendProtocol::Http1 => messages::BackendProtocol::Http1,
            BackendProtocol::H2c => messages::BackendProtocol::H2c,
            BackendProtocol::Opaque => messages::BackendProtocol::Opaque,
        };
        let (clear, tls) = match tls {
            None => (protocol, None),
            Some(tls) => {
                let within = tls::backend(protocol, tls);
                (messages::BackendProtocol::Unspecified, Some(within))
            }
        };
        Self {
            id: id.to_owned(),
            protocol: clear.into(),
            endpoints: all(endpoints),
            tls,
        }
    }
}

impl From<&Endpoint> for messages::Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        let Endpoint { host, port } = endpoint;
        let host = match host {
            EndpointHost::Ip(std::net::IpAddr::V4(ip)) => endpoint::Host::Ip(ip.octets().into()),
            EndpointHost::Ip(std::net::IpAddr::V6(ip)) => endpoint::Host::Ip(ip.octets().into()),
            EndpointHost::Dns(name) => endpoint::Host::Dns(name.to_string()),
        };
        Self {
            host: Some(host),
            port: (*port).into(),
        }
    }
}

/// Each value as its message.
fn all<'a, T, M: From<&'a T>>(values: &'a [T]) -> Vec<M> {
    values.iter().map(M::from).collect()
}
