//! From messages to the IR.
//!
//! Messages are taken apart whole, and every value is parsed into its type here; nothing behind
//! this module meets a text that is no hostname or a port that is none.

use std::num::NonZeroU16;
use std::sync::Arc;

use portcullis_ir::hostname::InvalidHostname;
use portcullis_ir::{
    Backend, BackendProtocol, Endpoint, EndpointHost, HostPattern, Listener, ListenerProtocol,
    ObjectKey, Snapshot,
};

use crate::delta::{self, Base, Update};
use crate::error::{At, Cause, InvalidField, InvalidResource, InvalidUpdate};
use crate::messages::{self, Nothing, endpoint, host_pattern, listener, resource, resource_id};
use crate::resource::{Resource, ResourceId};

mod filter;
mod matcher;
mod parts;
mod reply;
mod route;
mod tls;

pub use parts::Assembly;
pub use reply::reply;

/// An update as it was read, without what could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What could be read.
    pub update: Update,
    /// What could not.
    pub refused: Vec<InvalidResource>,
}

impl Received {
    /// The snapshot to serve after `held`. What was held under the id of a refused resource stays.
    ///
    /// The caller has seen to it that `held` is of the version the update starts from, if it names
    /// one.
    pub fn apply(self, held: &Snapshot) -> Snapshot {
        let Self { update, refused } = self;
        let Update {
            version: _,
            base,
            mut delta,
        } = update;
        let start = match base {
            Base::Version(_) => held.clone(),
            Base::Empty => {
                let ids = refused.iter().filter_map(|resource| resource.id.as_ref());
                let kept = ids.filter_map(|id| delta::entry(held, id));
                delta.upserts.extend(kept);
                Snapshot::empty(held.gateway.clone(), held.generation)
            }
        };
        delta::apply(start, delta)
    }
}

/// Reads an update that comes in one message. Resources that cannot be read are set aside in
/// [`Received::refused`].
pub fn state_update(message: messages::StateUpdate) -> Result<Received, InvalidUpdate> {
    let whole = Assembly::default().push(message)?;
    whole.ok_or(InvalidUpdate::Incomplete)
}

/// Reads one resource.
pub fn resource(message: messages::Resource) -> Result<Resource, InvalidResource> {
    let messages::Resource { kind } = message;
    let Some(kind) = kind else {
        return Err(InvalidResource {
            id: None,
            field: "kind".to_owned(),
            cause: Cause::Absent,
        });
    };
    let id = named(&kind);
    let refuse = |InvalidField { path: field, cause }| InvalidResource {
        id: resource_id(messages::ResourceId { kind: Some(id) }).ok(),
        field,
        cause,
    };
    typed(kind).map_err(refuse)
}

/// The id a resource says it has.
fn named(kind: &resource::Kind) -> resource_id::Kind {
    match kind {
        resource::Kind::Listener(m) => resource_id::Kind::Listener(m.id.clone()),
        resource::Kind::Certificate(m) => resource_id::Kind::Certificate(m.id.clone()),
        resource::Kind::TrustBundle(m) => resource_id::Kind::TrustBundle(m.id.clone()),
        resource::Kind::HttpRoute(m) => resource_id::Kind::HttpRoute(m.id.clone()),
        resource::Kind::L4Route(m) => resource_id::Kind::L4Route(m.id.clone()),
        resource::Kind::Backend(m) => resource_id::Kind::Backend(m.id.clone()),
    }
}

fn typed(kind: resource::Kind) -> Result<Resource, InvalidField> {
    Ok(match kind {
        resource::Kind::Listener(message) => {
            let (id, value) = listener(message)?;
            Resource::Listener(id, value)
        }
        resource::Kind::Certificate(message) => {
            let (id, value) = tls::certificate(message)?;
            Resource::Certificate(id, value)
        }
        resource::Kind::TrustBundle(message) => {
            let (id, value) = tls::trust_bundle(message)?;
            Resource::TrustBundle(id, value)
        }
        resource::Kind::HttpRoute(message) => {
            let (id, value) = route::http_route(message)?;
            Resource::HttpRoute(id, Arc::new(value))
        }
        resource::Kind::L4Route(message) => {
            let (id, value) = route::l4_route(message)?;
            Resource::L4Route(id, Arc::new(value))
        }
        resource::Kind::Backend(message) => {
            let (id, value) = backend(message)?;
            Resource::Backend(id, Arc::new(value))
        }
    })
}

fn resource_id(message: messages::ResourceId) -> Result<ResourceId, Cause> {
    let messages::ResourceId { kind } = message;
    Ok(match kind.ok_or(Cause::Absent)? {
        resource_id::Kind::Listener(text) => ResourceId::Listener(id(text)?),
        resource_id::Kind::Certificate(text) => ResourceId::Certificate(id(text)?),
        resource_id::Kind::TrustBundle(text) => ResourceId::TrustBundle(id(text)?),
        resource_id::Kind::HttpRoute(text) => ResourceId::HttpRoute(id(text)?),
        resource_id::Kind::L4Route(text) => ResourceId::L4Route(id(text)?),
        resource_id::Kind::Backend(text) => ResourceId::Backend(id(text)?),
    })
}

fn object_key(message: messages::ObjectKey) -> Result<ObjectKey, InvalidField> {
    let messages::ObjectKey { namespace, name } = message;
    if name.is_empty() {
        return Err(Cause::Empty.into()).at("name");
    }
    Ok(ObjectKey::new(namespace, name))
}

fn host_pattern(message: messages::HostPattern) -> Result<HostPattern, InvalidField> {
    let messages::HostPattern { pattern } = message;
    let parsed = match pattern.ok_or(Cause::Absent).map_err(InvalidField::from)? {
        host_pattern::Pattern::Any(Nothing {}) => return Ok(HostPattern::Any),
        host_pattern::Pattern::Wildcard(suffix) => hostname(&format!("*.{suffix}")),
        host_pattern::Pattern::Exact(name) if name.starts_with('*') => {
            Err(InvalidHostname::Malformed(name).into())
        }
        host_pattern::Pattern::Exact(name) => hostname(&name),
    };
    parsed.map_err(InvalidField::from)
}

/// A hostname that is there: an empty one would mean any.
fn hostname(text: &str) -> Result<HostPattern, Cause> {
    match HostPattern::parse(text)? {
        HostPattern::Any => Err(Cause::Empty),
        named => Ok(named),
    }
}

fn listener(
    message: messages::Listener,
) -> Result<(portcullis_ir::ListenerId, Listener), InvalidField> {
    let messages::Listener {
        id: text,
        port,
        hostname,
        protocol,
    } = message;
    let protocol = present(protocol, "protocol")?;
    let listener = Listener {
        port: u16_of(port)
            .and_then(|p| NonZeroU16::new(p).ok_or_else(|| Cause::OutOfRange(port).into()))
            .at("port")?,
        hostname: required(hostname, "hostname", host_pattern)?,
        protocol: match protocol {
            listener::Protocol::Http(Nothing {}) => ListenerProtocol::Http,
            listener::Protocol::Https(message) => {
                ListenerProtocol::Https(tls::termination(message).at("https")?)
            }
            listener::Protocol::TlsTerminate(message) => {
                ListenerProtocol::TlsTerminate(tls::termination(message).at("tls_terminate")?)
            }
            listener::Protocol::TlsPassthrough(Nothing {}) => ListenerProtocol::TlsPassthrough,
            listener::Protocol::Tcp(Nothing {}) => ListenerProtocol::Tcp,
            listener::Protocol::Udp(Nothing {}) => ListenerProtocol::Udp,
        },
    };
    Ok((id_field(text)?, listener))
}

fn backend(
    message: messages::Backend,
) -> Result<(portcullis_ir::BackendId, Backend), InvalidField> {
    let messages::Backend {
        id: text,
        protocol,
        endpoints,
        tls,
    } = message;
    let (protocol, tls) = match tls {
        None => (backend_protocol(protocol)?, None),
        Some(message) => {
            let (protocol, tls) = tls::backend(message).at("tls")?;
            (protocol, Some(Arc::new(tls)))
        }
    };
    let backend = Backend {
        protocol,
        tls,
        endpoints: each(endpoints, "endpoints", endpoint)?,
    };
    Ok((id_field(text)?, backend))
}

fn backend_protocol(value: i32) -> Result<BackendProtocol, InvalidField> {
    Ok(match enum_value(value, "protocol")? {
        messages::BackendProtocol::Http1 => BackendProtocol::Http1,
        messages::BackendProtocol::H2c => BackendProtocol::H2c,
        messages::BackendProtocol::Opaque => BackendProtocol::Opaque,
        messages::BackendProtocol::Unspecified => return unspecified("protocol"),
    })
}

fn endpoint(message: messages::Endpoint) -> Result<Endpoint, InvalidField> {
    let messages::Endpoint { host, port } = message;
    let host = match present(host, "host")? {
        endpoint::Host::Ip(octets) => EndpointHost::Ip(address(&octets).at("ip")?),
        endpoint::Host::Dns(name) if name.is_empty() => return Err(Cause::Empty.into()).at("dns"),
        endpoint::Host::Dns(name) => EndpointHost::Dns(name.into()),
    };
    let port = u16_of(port).at("port")?;
    Ok(Endpoint { host, port })
}

fn address(octets: &[u8]) -> Result<std::net::IpAddr, InvalidField> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(v4.into());
    }
    let v6 = <[u8; 16]>::try_from(octets).map_err(|_| Cause::Address(octets.len()))?;
    Ok(v6.into())
}

/// What ids are made from.
trait Id {
    fn new(text: String) -> Self;
}

macro_rules! ids {
    ($($id:ident),*) => {
        $(impl Id for portcullis_ir::$id {
            fn new(text: String) -> Self {
                Self::new(text)
            }
        })*
    };
}

ids!(ListenerId, CertificateId, TrustBundleId, RouteId, BackendId);

fn id<I: Id>(text: String) -> Result<I, Cause> {
    if text.is_empty() {
        Err(Cause::Empty)
    } else {
        Ok(I::new(text))
    }
}

fn id_field<I: Id>(text: String) -> Result<I, InvalidField> {
    id(text).map_err(InvalidField::from).at("id")
}

fn id_in<I: Id>(text: String) -> Result<I, InvalidField> {
    id(text).map_err(InvalidField::from)
}

/// What must be there.
fn present<T>(value: Option<T>, field: &str) -> Result<T, InvalidField> {
    value.ok_or_else(|| Cause::Absent.into()).at(field)
}

/// A message that must be there.
fn required<M, T>(
    message: Option<M>,
    field: &str,
    read: impl FnOnce(M) -> Result<T, InvalidField>,
) -> Result<T, InvalidField> {
    read(present(message, field)?).at(field)
}

/// A message that may be there.
fn optional<M, T>(
    message: Option<M>,
    field: &str,
    read: impl FnOnce(M) -> Result<T, InvalidField>,
) -> Result<Option<T>, InvalidField> {
    message.map(read).transpose().at(field)
}

/// The messages of a list.
fn each<M, T>(
    messages: Vec<M>,
    field: &str,
    mut read: impl FnMut(M) -> Result<T, InvalidField>,
) -> Result<Vec<T>, InvalidField> {
    let numbered = messages.into_iter().enumerate();
    numbered
        .map(|(index, message)| {
            let read = read(message);
            match read {
                Ok(value) => Ok(value),
                error @ Err(_) => error.at(&format!("{field}[{index}]")),
            }
        })
        .collect()
}

fn enum_value<E: TryFrom<i32>>(value: i32, field: &str) -> Result<E, InvalidField> {
    let known = E::try_from(value).map_err(|_| Cause::UnknownValue(value).into());
    known.at(field)
}

fn unspecified<T>(field: &str) -> Result<T, InvalidField> {
    Err(Cause::UnknownValue(0).into()).at(field)
}

fn u16_of(number: u32) -> Result<u16, InvalidField> {
    u16::try_from(number).map_err(|_| Cause::OutOfRange(number).into())
}
