//! What a data plane says, as messages. Texts and lists are cut to what the other end takes.

use portcullis_ir::{PortKey, Transport};

use crate::limits::{MAX_PORT_FAILURES, MAX_REFUSED, MAX_TEXT};
use crate::messages::{self, data_plane_message};
use crate::reply::{Ack, Hello, Nack, RefusedResource, Reply};

impl From<&Reply> for messages::DataPlaneMessage {
    fn from(reply: &Reply) -> Self {
        let kind = match reply {
            Reply::Hello(hello) => data_plane_message::Kind::Hello(hello.into()),
            Reply::Ack(ack) => data_plane_message::Kind::Ack(ack.into()),
            Reply::Nack(nack) => data_plane_message::Kind::Nack(nack.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Hello> for messages::Hello {
    fn from(hello: &Hello) -> Self {
        let Hello {
            gateway,
            holds,
            build,
        } = hello;
        Self {
            gateway: Some(gateway.into()),
            holds: holds.map(|version| version.0),
            build: text(build),
        }
    }
}

impl From<&Ack> for messages::Ack {
    fn from(ack: &Ack) -> Self {
        let Ack {
            version,
            generation,
            port_failures,
            refused,
        } = ack;
        let port_failures = port_failures.iter().take(MAX_PORT_FAILURES);
        let refused = refused.iter().take(MAX_REFUSED);
        Self {
            version: version.0,
            generation: *generation,
            port_failures: port_failures.map(messages::PortFailure::from).collect(),
            refused: refused.map(messages::RefusedResource::from).collect(),
        }
    }
}

impl From<&Nack> for messages::Nack {
    fn from(nack: &Nack) -> Self {
        let Nack { version, reason } = nack;
        Self {
            version: version.0,
            reason: text(reason),
        }
    }
}

impl From<(&PortKey, &String)> for messages::PortFailure {
    fn from((key, reason): (&PortKey, &String)) -> Self {
        let PortKey { port, transport } = key;
        let transport = match transport {
            Transport::Tcp => messages::Transport::Tcp,
            Transport::Udp => messages::Transport::Udp,
        };
        Self {
            port: port.get().into(),
            transport: transport.into(),
            reason: text(reason),
        }
    }
}

impl From<&RefusedResource> for messages::RefusedResource {
    fn from(refused: &RefusedResource) -> Self {
        let RefusedResource { id, field, reason } = refused;
        Self {
            id: id.as_ref().map(Into::into),
            field: text(field),
            reason: text(reason),
        }
    }
}

/// The beginning of a text.
fn text(whole: &str) -> String {
    let end = whole.floor_char_boundary(MAX_TEXT);
    whole.get(..end).unwrap_or_default().to_owned()
}
