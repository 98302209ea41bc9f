//! What a data plane says. It is not trusted: lists and texts longer than ours are refused or cut,
//! and no text controls a terminal.

use std::num::NonZeroU16;

use portcullis_ir::{PortKey, Transport, Version};

use super::{each, enum_value, object_key, required, resource_id, u16_of, unspecified};
use crate::error::{At, Cause, InvalidField, InvalidMessage};
use crate::limits::{MAX_PORT_FAILURES, MAX_REFUSED, MAX_TEXT};
use crate::messages::{self, data_plane_message};
use crate::reply::{Ack, Hello, Nack, RefusedResource, Reply};

/// Reads a message of a data plane. `None` is one of a kind that this release does not know, which
/// is to be passed over.
pub fn reply(message: messages::DataPlaneMessage) -> Result<Option<Reply>, InvalidMessage> {
    let messages::DataPlaneMessage { kind } = message;
    let Some(kind) = kind else {
        return Ok(None);
    };
    Ok(Some(match kind {
        data_plane_message::Kind::Hello(message) => Reply::Hello(hello(message).at("hello")?),
        data_plane_message::Kind::Ack(message) => Reply::Ack(ack(message).at("ack")?),
        data_plane_message::Kind::Nack(message) => Reply::Nack(nack(message)),
    }))
}

fn hello(message: messages::Hello) -> Result<Hello, InvalidField> {
    let messages::Hello {
        gateway,
        holds,
        build,
    } = message;
    Ok(Hello {
        gateway: required(gateway, "gateway", object_key)?,
        holds: holds.map(Version),
        build: cut(build),
    })
}

fn ack(message: messages::Ack) -> Result<Ack, InvalidField> {
    let messages::Ack {
        version,
        generation,
        port_failures,
        refused,
    } = message;
    at_most(MAX_PORT_FAILURES, port_failures.len()).at("port_failures")?;
    at_most(MAX_REFUSED, refused.len()).at("refused")?;
    let port_failures = each(port_failures, "port_failures", port_failure)?;
    Ok(Ack {
        version: Version(version),
        generation,
        port_failures: port_failures.into_iter().collect(),
        refused: refused.into_iter().map(refused_resource).collect(),
    })
}

fn nack(message: messages::Nack) -> Nack {
    let messages::Nack { version, reason } = message;
    Nack {
        version: Version(version),
        reason: cut(reason),
    }
}

fn port_failure(message: messages::PortFailure) -> Result<(PortKey, String), InvalidField> {
    let messages::PortFailure {
        port,
        transport,
        reason,
    } = message;
    let transport = match enum_value(transport, "transport")? {
        messages::Transport::Tcp => Transport::Tcp,
        messages::Transport::Udp => Transport::Udp,
        messages::Transport::Unspecified => return unspecified("transport"),
    };
    let port = u16_of(port)
        .and_then(|p| NonZeroU16::new(p).ok_or_else(|| Cause::OutOfRange(port).into()))
        .at("port")?;
    Ok((PortKey { port, transport }, cut(reason)))
}

/// A resource of a kind that only the data plane knows has no name here.
fn refused_resource(message: messages::RefusedResource) -> RefusedResource {
    let messages::RefusedResource { id, field, reason } = message;
    RefusedResource {
        id: id.and_then(|id| resource_id(id).ok()),
        field: cut(field),
        reason: cut(reason),
    }
}

fn at_most(limit: usize, count: usize) -> Result<(), InvalidField> {
    if count <= limit {
        return Ok(());
    }
    Err(Cause::OutOfRange(u32::try_from(count).unwrap_or(u32::MAX)).into())
}

/// These texts end in statuses, logs and terminals.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text.replace(char::is_control, " ")
}
