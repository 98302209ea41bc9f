//! What holds of every translation, tried on made-up worlds.

#![expect(clippy::expect_used, reason = "a property fails that way")]

mod corpus;

use std::collections::BTreeMap;

use corpus::worlds::{changes, objects, take, world};
use corpus::{CONTROLLER, NOW, observe_all};
use portcullis_api::{AnyObject, Kind, ObjectKey, Objects};
use portcullis_ir::{Attachment, Snapshot};
use portcullis_translate::references::{References, Relevance};
use portcullis_translate::{Inputs, Options, Output, translate};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

fn translated(objects: &Objects) -> Output {
    let inputs = Inputs {
        objects,
        observed: &observe_all(objects),
        now: NOW,
    };
    translate(&inputs, &Options::new(CONTROLLER))
}

/// Reverses the lists whose order means nothing for what is served.
fn reversed(mut world: Vec<Value>) -> Vec<Value> {
    for object in &mut world {
        for path in [
            "/spec/listeners",
            "/spec/parentRefs",
            "/spec/hostnames",
            "/endpoints",
        ] {
            if let Some(Value::Array(list)) = object.pointer_mut(path) {
                list.reverse();
            }
        }
    }
    world
}

fn snapshots(output: &Output) -> BTreeMap<String, Snapshot> {
    let gateways = output.gateways.iter();
    gateways
        .map(|(key, gateway)| (key.to_string(), Snapshot::clone(&gateway.snapshot)))
        .collect()
}

/// What becomes of objects whose data planes are not known: those depend on the objects.
fn unobserved(objects: &Objects) -> Output {
    let inputs = Inputs {
        objects,
        observed: &BTreeMap::new(),
        now: NOW,
    };
    translate(&inputs, &Options::new(CONTROLLER))
}

fn indexed(objects: &Objects) -> References {
    let mut index = References::new(CONTROLLER);
    for object in objects.iter() {
        index.note(None, Some(&object));
    }
    index.refresh(objects);
    index
}

fn wanted(index: &References) -> Vec<(Kind, ObjectKey)> {
    let of_kind = |kind| index.wanted(kind).map(move |key| (kind, key.clone()));
    Kind::ALL.into_iter().flat_map(of_kind).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_in_which_objects_arrive_cannot_be_told(bytes in vec(any::<u8>(), 0..600)) {
        let all = objects(&world(&bytes));
        let mut backwards: Vec<AnyObject> = all.iter().collect();
        backwards.reverse();
        let again: Objects = backwards.into_iter().collect();
        prop_assert_eq!(translated(&all), translated(&again));
    }

    #[test]
    fn lists_without_order_may_be_in_any(bytes in vec(any::<u8>(), 0..600)) {
        let world = world(&bytes);
        let straight = translated(&objects(&world));
        let backwards = translated(&objects(&reversed(world)));
        prop_assert_eq!(snapshots(&straight), snapshots(&backwards));
    }

    #[test]
    fn what_the_index_calls_irrelevant_changes_nothing(
        before in vec(any::<u8>(), 0..600),
        after in vec(any::<u8>(), 0..600),
    ) {
        let mut objects = objects(&world(&before));
        let mut index = indexed(&objects);
        let mut said = unobserved(&objects);
        for step in changes(&objects, &self::objects(&world(&after))) {
            take(&mut objects, &step);
            let (old, new) = step;
            let relevance = index.note(old.as_ref(), new.as_ref());
            index.refresh(&objects);
            let says = unobserved(&objects);
            if relevance == Relevance::Irrelevant {
                prop_assert_eq!(&said, &says, "{:?} to {:?}", old, new);
            }
            said = says;
            prop_assert_eq!(wanted(&index), wanted(&indexed(&objects)));
        }
    }

    #[test]
    fn snapshots_hang_together(bytes in vec(any::<u8>(), 0..600)) {
        let output = translated(&objects(&world(&bytes)));
        for gateway in output.gateways.values() {
            hangs_together(&gateway.snapshot)?;
        }
    }
}

fn hangs_together(snapshot: &Snapshot) -> Result<(), TestCaseError> {
    use portcullis_ir::backend::BackendTarget;

    listeners_hang_together(snapshot)?;
    backends_hang_together(snapshot)?;
    for route in snapshot.l4_routes.values() {
        attachments_hang_together(snapshot, &route.attachments)?;
        for backend in route.rules.iter().flat_map(|rule| &rule.backends) {
            if let BackendTarget::Backend(id) = &backend.target {
                prop_assert!(snapshot.backends.contains_key(id));
            }
        }
    }
    for route in snapshot.http_routes.values() {
        attachments_hang_together(snapshot, &route.attachments)?;
        for rule in &route.rules {
            prop_assert!(!rule.matches.is_empty());
            for backend in &rule.backends {
                if let BackendTarget::Backend(id) = &backend.target {
                    prop_assert!(snapshot.backends.contains_key(id));
                }
            }
        }
    }
    Ok(())
}

fn backends_hang_together(snapshot: &Snapshot) -> Result<(), TestCaseError> {
    use portcullis_ir::tls::{BackendTrust, TrustBundle};

    let over_tls = snapshot.backends.values().filter_map(|it| it.tls.as_ref());
    for tls in over_tls {
        if let Some(shown) = &tls.client_certificate {
            prop_assert!(snapshot.certificates.contains_key(shown));
        }
        if let BackendTrust::Bundles(ids) = &tls.trust {
            prop_assert!(!ids.is_empty());
            for id in ids {
                let bundle = snapshot.trust_bundles.get(id);
                prop_assert!(matches!(bundle, Some(TrustBundle::Usable(_))), "{}", id);
            }
        }
    }
    Ok(())
}

fn listeners_hang_together(snapshot: &Snapshot) -> Result<(), TestCaseError> {
    use portcullis_ir::listener::ListenerProtocol as Protocol;

    let mut sockets = BTreeMap::new();
    for listener in snapshot.listeners.values() {
        let (family, tls) = match &listener.protocol {
            Protocol::Http => ("HTTP", None),
            Protocol::Https(tls) | Protocol::TlsTerminate(tls) => ("TLS", Some(tls)),
            Protocol::TlsPassthrough => ("TLS", None),
            Protocol::Tcp => ("TCP", None),
            Protocol::Udp => ("UDP", None),
        };
        let there = sockets.insert(listener.port_key(), family);
        prop_assert!(
            there.is_none_or(|there| there == family && ["HTTP", "TLS"].contains(&family)),
            "listeners on one port that cannot be told apart"
        );
        if let Some(tls) = tls {
            prop_assert!(!tls.certificates.is_empty());
            if let Some(clients) = &tls.client_validation {
                prop_assert!(!clients.trust.is_empty());
            }
        }
    }
    Ok(())
}

fn attachments_hang_together(
    snapshot: &Snapshot,
    attachments: &[Attachment],
) -> Result<(), TestCaseError> {
    prop_assert!(!attachments.is_empty());
    for attachment in attachments {
        let listener = snapshot.listeners.get(&attachment.listener);
        let listener = listener.expect("attached to a listener that is there");
        prop_assert!(!attachment.hosts.is_empty());
        for host in &attachment.hosts {
            let common = listener.hostname.intersection(&host.configured);
            prop_assert_eq!(common.as_ref(), Some(&host.effective));
        }
    }
    Ok(())
}
