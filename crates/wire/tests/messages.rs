//! Messages there and back, changes, and what is refused.

use std::sync::Arc;

use portcullis_ir::tls::{BackendTls, BackendTrust};
use portcullis_ir::{HostPattern, Listener, ListenerId, ListenerProtocol, ObjectKey, RouteId};
use portcullis_ir::{Snapshot, arbitrary};
use portcullis_wire::decode::Assembly;
use portcullis_wire::messages::{
    self, Nothing, backend_tls, filter, host_pattern, listener, resource, resource_id,
    state_update, subject_alt_name,
};
use portcullis_wire::{
    Cause, InvalidUpdate, Received, Resource, ResourceId, Update, decode, delta,
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// As it goes over the wire.
fn bytes(update: &Update) -> Vec<u8> {
    let parts: Vec<_> = update.parts_of(usize::MAX).collect();
    assert_eq!(parts.len(), 1);
    parts[0].encode_to_vec()
}

#[derive(Debug)]
#[expect(dead_code, reason = "shown when a test fails")]
enum Unread {
    Protobuf(prost::DecodeError),
    Update(InvalidUpdate),
}

fn read(bytes: &[u8]) -> Result<Received, Unread> {
    let message = messages::StateUpdate::decode(bytes).map_err(Unread::Protobuf)?;
    decode::state_update(message).map_err(Unread::Update)
}

proptest! {
    #[test]
    fn a_full_state_arrives_as_it_was_sent(
        snapshot in arbitrary::snapshot(),
        held in arbitrary::snapshot(),
    ) {
        let sent = Update::full(&snapshot);
        let received = read(&bytes(&sent)).unwrap();
        prop_assert_eq!(&received.update, &sent);
        prop_assert_eq!(&received.refused, &[]);
        prop_assert_eq!(received.update.version, snapshot.version());
        prop_assert_eq!(received.apply(&held), snapshot);
    }

    #[test]
    fn a_change_arrives_as_it_was_sent((old, new) in arbitrary::two_snapshots()) {
        let sent = Update::between(&old, &new);
        let received = read(&bytes(&sent)).unwrap();
        prop_assert_eq!(&received.update, &sent);
        prop_assert_eq!(received.apply(&old), new);
    }

    #[test]
    fn a_state_arrives_in_parts_of_any_size(
        (old, new) in arbitrary::two_snapshots(),
        size in 1_usize..2_000,
    ) {
        for sent in [Update::full(&new), Update::between(&old, &new)] {
            let mut assembly = Assembly::default();
            let mut arrived = None;
            for part in sent.parts_of(size) {
                prop_assert_eq!(&arrived, &None);
                let part = messages::StateUpdate::decode(&part.encode_to_vec()[..]).unwrap();
                arrived = assembly.push(part).unwrap();
            }
            let refused = Vec::new();
            prop_assert_eq!(arrived, Some(Received { update: sent, refused }));
        }
    }

    #[test]
    fn applying_a_difference_gives_the_new_state(
        (old, new) in arbitrary::two_snapshots(),
    ) {
        prop_assert_eq!(delta::apply(old.clone(), delta::diff(&old, &new)), new);
    }

    #[test]
    fn a_difference_holds_nothing_that_did_not_change((old, new) in arbitrary::two_snapshots()) {
        let nothing = delta::diff(&new, &new);
        prop_assert_eq!((nothing.upserts.len(), nothing.removals.len()), (0, 0));
        let Snapshot { http_routes, .. } = &old;
        for resource in delta::diff(&old, &new).upserts {
            if let Resource::HttpRoute(id, route) = resource {
                prop_assert_ne!(http_routes.get(&id), Some(&route));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let resource = messages::Resource::decode(&bytes[..]);
        let _ = resource.map(decode::resource);
    }

    #[test]
    fn changed_bytes_do_not_panic(
        snapshot in arbitrary::snapshot(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = bytes(&Update::full(&snapshot));
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(received) = read(&bytes) {
            let _ = received.apply(&snapshot);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_cut_message_is_an_error(snapshot in arbitrary::snapshot()) {
        let whole = bytes(&Update::full(&snapshot));
        for length in 0..whole.len() {
            prop_assert!(read(&whole[..length]).is_err(), "{length} of {}", whole.len());
        }
    }
}

fn gateway() -> messages::ObjectKey {
    (&ObjectKey::new("default", "gateway")).into()
}

fn full(upserts: Vec<messages::Resource>) -> messages::StateUpdate {
    messages::StateUpdate {
        version: 1,
        gateway: Some(gateway()),
        generation: 1,
        base: Some(state_update::Base::Full(Nothing {})),
        entries: u32::try_from(upserts.len()).ok(),
        upserts,
        removals: Vec::new(),
        more_follows: false,
        part: 0,
    }
}

fn http_listener(port: u32) -> messages::Resource {
    let hostname = messages::HostPattern {
        pattern: Some(host_pattern::Pattern::Any(Nothing {})),
    };
    let listener = messages::Listener {
        id: "Gateway/default/gateway/http".to_owned(),
        port,
        hostname: Some(hostname),
        protocol: Some(listener::Protocol::Http(Nothing {})),
    };
    messages::Resource {
        kind: Some(resource::Kind::Listener(listener)),
    }
}

fn route_with(rule: messages::HttpRule) -> messages::Resource {
    let route = messages::HttpRoute {
        id: "HTTPRoute/default/r".to_owned(),
        origin: Some(messages::RouteOrigin {
            kind: messages::RouteKind::Http.into(),
            key: Some(gateway()),
            created: None,
        }),
        attachments: Vec::new(),
        rules: vec![messages::HttpRule::default(), rule],
    };
    messages::Resource {
        kind: Some(resource::Kind::HttpRoute(route)),
    }
}

#[test]
fn what_cannot_be_read_is_refused_alone_and_named() {
    let unknown_filter = messages::HttpRule {
        filters: vec![messages::Filter { kind: None }],
        ..messages::HttpRule::default()
    };
    let filtered = |kind| messages::HttpRule {
        filters: vec![messages::Filter { kind: Some(kind) }],
        ..messages::HttpRule::default()
    };
    let bad_mirror = filtered(filter::Kind::Mirror(messages::Mirror {
        backend: "Service/default/s/80".to_owned(),
        numerator: 2,
        denominator: 1,
    }));
    let bad_origin = filtered(filter::Kind::Cors(messages::Cors {
        origins: Some(messages::Allowed {
            all: false,
            these: vec!["https://a.com".to_owned(), "null".to_owned()],
        }),
        ..messages::Cors::default()
    }));
    let bad_header = messages::HttpRule {
        matches: vec![messages::HttpMatch {
            path: Some(messages::PathMatcher {
                kind: Some(messages::path_matcher::Kind::Prefix("/".to_owned())),
            }),
            headers: vec![messages::HeaderMatcher {
                name: "a b".to_owned(),
                value: Some(messages::header_matcher::Value::Regex(String::new())),
            }],
            ..messages::HttpMatch::default()
        }],
        ..messages::HttpRule::default()
    };
    for (resource, text) in [
        (
            messages::Resource { kind: None },
            "a resource: field kind is absent, or of a kind unknown to this release",
        ),
        (
            http_listener(0),
            "listener Gateway/default/gateway/http: field port is 0, which is out of range",
        ),
        (
            http_listener(65_536),
            "listener Gateway/default/gateway/http: field port is 65536, which is out of range",
        ),
        (
            route_with(unknown_filter),
            "route HTTPRoute/default/r: field rules[1].filters[0].kind is absent, \
             or of a kind unknown to this release",
        ),
        (
            route_with(bad_header),
            "route HTTPRoute/default/r: field rules[1].matches[0].headers[0].name \
             is \"a b\", which is no header name",
        ),
        (
            route_with(bad_mirror),
            "route HTTPRoute/default/r: field rules[1].filters[0].mirror.numerator is 2, \
             which is out of range",
        ),
        (
            route_with(bad_origin),
            "route HTTPRoute/default/r: field rules[1].filters[0].cors.origins.these[1] \
             \"null\" is not an origin like https://www.example.com or \
             http://*.example.com:8080",
        ),
    ] {
        let Received { update, refused } =
            decode::state_update(full(vec![resource, http_listener(80)])).unwrap();
        assert_eq!(update.delta.upserts.len(), 1, "{text}");
        let texts: Vec<_> = refused.iter().map(ToString::to_string).collect();
        assert_eq!(texts, [text]);
    }
}

#[test]
fn an_enum_or_alternative_of_a_newer_release_is_refused() {
    let backend = |protocol| messages::Resource {
        kind: Some(resource::Kind::Backend(messages::Backend {
            id: "Service/default/s/80".to_owned(),
            protocol,
            endpoints: Vec::new(),
            tls: None,
        })),
    };
    for protocol in [0, 99] {
        let error = decode::resource(backend(protocol)).unwrap_err();
        assert_eq!(error.field, "protocol");
        assert_eq!(error.cause, Cause::UnknownValue(protocol));
    }
    // A resource whose kind has number 14: tag 0x72, length 0.
    let newer = messages::Resource::decode(&[0x72, 0][..]).unwrap();
    assert_eq!(decode::resource(newer).unwrap_err().cause, Cause::Absent);
}

#[test]
fn a_backend_over_tls_is_refused_by_who_does_not_know_of_tls() {
    let tls = BackendTls {
        hostname: "a.com".into(),
        subject_alt_names: Vec::new(),
        trust: BackendTrust::System,
        client_certificate: None,
    };
    let backend = portcullis_ir::Backend {
        protocol: portcullis_ir::BackendProtocol::Http1,
        tls: Some(Arc::new(tls)),
        endpoints: Vec::new(),
    };
    let id = portcullis_ir::BackendId::new("Service/default/s/443");
    let sent = messages::Resource::from(&Resource::Backend(id, Arc::new(backend)));
    let Some(resource::Kind::Backend(mut message)) = sent.kind else {
        panic!("a backend is sent as one");
    };
    message.tls = None;
    let error = decode::resource(messages::Resource {
        kind: Some(resource::Kind::Backend(message)),
    });
    assert_eq!(error.unwrap_err().field, "protocol");
}

#[test]
fn tls_to_a_backend_names_whom_to_trust() {
    let tls = |trust, dns: Option<host_pattern::Pattern>| messages::BackendTls {
        protocol: messages::BackendProtocol::Http1.into(),
        hostname: "a.com".to_owned(),
        subject_alt_names: vec![messages::SubjectAltName {
            kind: Some(subject_alt_name::Kind::Dns(messages::HostPattern {
                pattern: dns,
            })),
        }],
        trust,
        client_certificate: None,
    };
    let system = || Some(backend_tls::Trust::System(Nothing {}));
    let none = messages::TrustBundleIds { ids: Vec::new() };
    let named = |name: &str| Some(host_pattern::Pattern::Exact(name.to_owned()));
    let wildcard_sni = messages::BackendTls {
        hostname: "*.a.com".to_owned(),
        ..tls(system(), named("a.com"))
    };
    for (tls, field) in [
        (tls(None, named("a.com")), "tls.trust"),
        (
            tls(Some(backend_tls::Trust::Bundles(none)), named("a.com")),
            "tls.bundles.ids",
        ),
        (
            tls(system(), Some(host_pattern::Pattern::Any(Nothing {}))),
            "tls.subject_alt_names[0].dns",
        ),
        (tls(system(), None), "tls.subject_alt_names[0].dns"),
        (wildcard_sni, "tls.hostname"),
    ] {
        let backend = messages::Backend {
            id: "Service/default/s/443".to_owned(),
            protocol: 0,
            endpoints: Vec::new(),
            tls: Some(tls),
        };
        let resource = messages::Resource {
            kind: Some(resource::Kind::Backend(backend)),
        };
        assert_eq!(decode::resource(resource).unwrap_err().field, field);
    }
}

#[test]
fn fields_of_a_newer_release_are_passed_over() {
    let mut bytes = http_listener(80).encode_to_vec();
    // Field 100 of the resource, a number: tag 0xa0 0x06, value 1.
    bytes.extend([0xa0, 0x06, 1]);
    let resource = messages::Resource::decode(&bytes[..]).unwrap();
    assert!(decode::resource(resource).is_ok());
}

#[test]
fn what_was_held_under_a_refused_id_stays() {
    let mut held = Snapshot::empty(ObjectKey::new("default", "gateway"), 1);
    let listener = Listener {
        port: 8080.try_into().unwrap(),
        hostname: HostPattern::Any,
        protocol: ListenerProtocol::Http,
    };
    let id = ListenerId::new("Gateway/default/gateway/http");
    held.listeners.insert(id.clone(), listener.clone());
    held.listeners.insert(
        ListenerId::new("Gateway/default/gateway/gone"),
        listener.clone(),
    );

    let received = decode::state_update(full(vec![http_listener(0)])).unwrap();
    assert_eq!(
        received.refused[0].id,
        Some(ResourceId::Listener(id.clone()))
    );
    let served = received.apply(&held);
    assert_eq!(served.listeners, [(id, listener)].into());
}

#[test]
fn an_update_that_cannot_be_placed_is_refused_whole() {
    let whole = || full(vec![http_listener(80)]);
    let removal = |kind| messages::StateUpdate {
        removals: vec![messages::ResourceId { kind }],
        entries: Some(2),
        ..whole()
    };
    let empty = Some(resource_id::Kind::Backend(String::new()));
    for (message, error) in [
        (
            messages::StateUpdate {
                base: None,
                ..whole()
            },
            InvalidUpdate::NoBase,
        ),
        (
            messages::StateUpdate {
                gateway: None,
                ..whole()
            },
            InvalidUpdate::Gateway(Cause::Absent),
        ),
        (
            messages::StateUpdate {
                entries: Some(2),
                ..whole()
            },
            InvalidUpdate::Entries {
                announced: Some(2),
                found: 1,
            },
        ),
        (
            removal(None),
            InvalidUpdate::Removal {
                index: 0,
                cause: Cause::Absent,
            },
        ),
        (
            removal(empty),
            InvalidUpdate::Removal {
                index: 0,
                cause: Cause::Empty,
            },
        ),
    ] {
        assert_eq!(decode::state_update(message).unwrap_err(), error);
    }
}

#[test]
fn parts_of_different_updates_are_not_mixed() {
    let begun = messages::StateUpdate {
        more_follows: true,
        ..full(vec![http_listener(80)])
    };
    let other = messages::StateUpdate {
        version: 2,
        part: 1,
        ..full(vec![http_listener(81)])
    };
    let mut assembly = Assembly::default();
    assert_eq!(assembly.push(begun.clone()), Ok(None));
    let begun_version = portcullis_ir::Version(1);
    assert_eq!(
        assembly.push(other.clone()),
        Err(InvalidUpdate::Interrupted {
            begun: begun_version
        })
    );
    // Forgotten with the error: what is left of that one is not taken for all of it.
    assert_eq!(
        assembly.push(other),
        Err(InvalidUpdate::OutOfOrder { number: 1 })
    );
    assert_eq!(decode::state_update(begun), Err(InvalidUpdate::Incomplete));
}

#[test]
fn an_endless_update_is_refused() {
    let part = messages::StateUpdate {
        more_follows: true,
        ..full(Vec::new())
    };
    let mut assembly = Assembly::default();
    let numbered = |part_number| messages::StateUpdate {
        part: part_number,
        ..part.clone()
    };
    let most = u32::try_from(portcullis_wire::limits::MAX_PARTS).unwrap();
    for number in 0..most {
        assert_eq!(assembly.push(numbered(number)), Ok(None));
    }
    let one_more = assembly.push(numbered(most));
    assert_eq!(one_more, Err(InvalidUpdate::TooManyParts));
}

#[test]
fn a_hostname_must_be_said_and_be_one() {
    for (pattern, good) in [
        (None, false),
        (Some(host_pattern::Pattern::Any(Nothing {})), true),
        (Some(host_pattern::Pattern::Exact("a.com".to_owned())), true),
        (
            Some(host_pattern::Pattern::Exact("*.a.com".to_owned())),
            false,
        ),
        (Some(host_pattern::Pattern::Exact(String::new())), false),
        (
            Some(host_pattern::Pattern::Exact("10.0.0.1".to_owned())),
            false,
        ),
        (
            Some(host_pattern::Pattern::Wildcard("a.com".to_owned())),
            true,
        ),
        (
            Some(host_pattern::Pattern::Wildcard("*.a.com".to_owned())),
            false,
        ),
        (Some(host_pattern::Pattern::Wildcard(String::new())), false),
    ] {
        let mut message = http_listener(80);
        if let Some(resource::Kind::Listener(listener)) = &mut message.kind {
            listener.hostname = Some(messages::HostPattern {
                pattern: pattern.clone(),
            });
        }
        assert_eq!(decode::resource(message).is_ok(), good, "{pattern:?}");
    }
}

#[test]
fn private_keys_are_not_printed() {
    let chain = messages::CertificateChain {
        chain: vec![vec![1, 2, 3]],
        private_key: b"secret".to_vec(),
        leaf: None,
    };
    let message = messages::StateUpdate {
        upserts: vec![messages::Resource {
            kind: Some(resource::Kind::Certificate(messages::Certificate {
                id: "Secret/default/s".to_owned(),
                state: Some(messages::certificate::State::Usable(chain)),
            })),
        }],
        ..full(Vec::new())
    };
    let printed = format!("{message:?}");
    assert!(printed.contains("private_key: \"[redacted]\""), "{printed}");
    let key = format!("{:?}", b"secret");
    assert!(!printed.contains(&key[1..key.len() - 1]), "{printed}");
}

#[test]
fn a_changed_route_alone_is_sent() {
    let mut old = Snapshot::empty(ObjectKey::new("default", "gateway"), 1);
    let message = route_with(messages::HttpRule::default());
    let Ok(Resource::HttpRoute(_, route)) = decode::resource(message) else {
        panic!("a route");
    };
    for number in 0..100 {
        let id = RouteId::new(format!("HTTPRoute/default/{number}"));
        old.http_routes.insert(id, Arc::clone(&route));
    }
    let mut new = old.clone();
    let id = RouteId::new("HTTPRoute/default/7");
    let mut changed = (*route).clone();
    changed.rules.clear();
    new.http_routes
        .insert(id.clone(), Arc::new(changed.clone()));
    let delta = delta::diff(&old, &new);
    assert_eq!(delta.upserts, [Resource::HttpRoute(id, Arc::new(changed))]);
    assert_eq!(delta.removals, []);
}
