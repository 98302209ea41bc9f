//! What data planes say, there and back, and what is refused of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use portcullis_ir::{ListenerId, ObjectKey, PortKey, Transport, Version};
use portcullis_wire::limits::{MAX_REFUSED, MAX_TEXT};
use portcullis_wire::messages::{self, data_plane_message};
use portcullis_wire::{Ack, Cause, Hello, Nack, RefusedResource, Reply, ResourceId, decode};
use prost::Message;

fn arrived(reply: &Reply) -> Reply {
    let bytes = messages::DataPlaneMessage::from(reply).encode_to_vec();
    let message = messages::DataPlaneMessage::decode(&bytes[..]).unwrap();
    decode::reply(message).unwrap().unwrap()
}

fn port(number: u16, transport: Transport) -> PortKey {
    PortKey {
        port: number.try_into().unwrap(),
        transport,
    }
}

fn ack() -> Ack {
    Ack {
        version: Version(7),
        generation: 3,
        port_failures: BTreeMap::from([
            (port(80, Transport::Tcp), "in use".to_owned()),
            (port(53, Transport::Udp), "not supported".to_owned()),
        ]),
        refused: vec![
            RefusedResource {
                id: Some(ResourceId::Listener(ListenerId::new("Gateway/a/b/c"))),
                field: "port".to_owned(),
                reason: "is 0".to_owned(),
            },
            RefusedResource {
                id: None,
                field: "kind".to_owned(),
                reason: "is absent".to_owned(),
            },
        ],
    }
}

#[test]
fn replies_arrive_as_they_were_sent() {
    for reply in [
        Reply::Hello(Hello {
            gateway: ObjectKey::new("default", "g"),
            holds: Some(Version(u64::MAX)),
            build: "0.1.0".to_owned(),
        }),
        Reply::Hello(Hello {
            gateway: ObjectKey::new("default", "g"),
            holds: None,
            build: String::new(),
        }),
        Reply::Ack(ack()),
        Reply::Nack(Nack {
            version: Version(0),
            reason: "no base".to_owned(),
        }),
    ] {
        assert_eq!(arrived(&reply), reply);
    }
}

#[test]
fn long_texts_and_lists_are_cut_where_they_are_sent() {
    let refused = ack().refused.remove(0);
    let sent = Reply::Ack(Ack {
        refused: vec![refused; MAX_REFUSED + 1],
        port_failures: [(port(1, Transport::Tcp), "ä".repeat(MAX_TEXT))].into(),
        ..ack()
    });
    let Reply::Ack(ack) = arrived(&sent) else {
        panic!("an ack");
    };
    assert_eq!(ack.refused.len(), MAX_REFUSED);
    assert_eq!(
        ack.port_failures.into_values().next().unwrap(),
        "ä".repeat(MAX_TEXT / 2)
    );
}

#[test]
fn no_text_controls_a_terminal() {
    let nack = Reply::Nack(Nack {
        version: Version(1),
        reason: "no\u{1b}[31m\n2026 ERROR forged".to_owned(),
    });
    let Reply::Nack(Nack { reason, .. }) = arrived(&nack) else {
        panic!("another reply")
    };
    assert_eq!(reason, "no [31m 2026 ERROR forged");
}

#[test]
fn a_kind_of_a_newer_release_is_passed_over() {
    // Field 9, a message without fields.
    let message = messages::DataPlaneMessage::decode(&[0x4a, 0][..]).unwrap();
    assert_eq!(decode::reply(message), Ok(None));
}

#[test]
fn what_makes_no_sense_is_refused_and_named() {
    let with_failure = |failure| {
        let mut message = messages::Ack::from(&ack());
        message.port_failures = vec![failure];
        data_plane_message::Kind::Ack(message)
    };
    let failure = messages::PortFailure {
        port: 80,
        transport: messages::Transport::Tcp.into(),
        reason: String::new(),
    };
    let mut too_many = messages::Ack::from(&ack());
    too_many.refused = vec![too_many.refused[0].clone(); MAX_REFUSED + 1];
    for (kind, field, cause) in [
        (
            data_plane_message::Kind::Hello(messages::Hello::default()),
            "hello.gateway",
            Cause::Absent,
        ),
        (
            with_failure(messages::PortFailure {
                port: 0,
                ..failure.clone()
            }),
            "ack.port_failures[0].port",
            Cause::OutOfRange(0),
        ),
        (
            with_failure(messages::PortFailure {
                transport: 9,
                ..failure
            }),
            "ack.port_failures[0].transport",
            Cause::UnknownValue(9),
        ),
        (
            data_plane_message::Kind::Ack(too_many),
            "ack.refused",
            Cause::OutOfRange(65),
        ),
    ] {
        let error = decode::reply(messages::DataPlaneMessage { kind: Some(kind) }).unwrap_err();
        assert_eq!((error.field.as_str(), error.cause), (field, cause));
    }
}
