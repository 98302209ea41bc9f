use portcullis_ir::{HostPattern, Listener, ListenerId, ListenerProtocol};
use portcullis_wire::Update;

use super::*;
use crate::listener::{BindFailure, RealPort};

fn gateway() -> ObjectKey {
    ObjectKey::new("default", "g")
}

fn snapshot(generation: i64, ports: &[u16]) -> Snapshot {
    let mut snapshot = Snapshot::empty(gateway(), generation);
    for port in ports {
        let listener = Listener {
            port: (*port).try_into().unwrap(),
            hostname: HostPattern::Any,
            protocol: ListenerProtocol::Http,
        };
        let id = ListenerId::new(format!("Gateway/default/g/{port}"));
        snapshot.listeners.insert(id, listener);
    }
    snapshot
}

fn message(update: &Update) -> StateUpdate {
    update.parts_of(usize::MAX).next().unwrap()
}

/// Applied with every port bound.
fn applied(candidate: &Candidate) -> Applied {
    Applied {
        version: candidate.version,
        generation: candidate.snapshot.generation,
        ports: PortStates::new(),
    }
}

fn apply(holder: &mut Holder, update: &Update) -> Ack {
    match holder.receive(message(update)) {
        Step::Apply(candidate) => {
            let applied = applied(&candidate);
            holder.applied(candidate, &applied)
        }
        step => panic!("{step:?}"),
    }
}

fn refusal(holder: &mut Holder, message: StateUpdate) -> String {
    match holder.receive(message) {
        Step::Refuse(nack) => nack.reason,
        step => panic!("{step:?}"),
    }
}

#[test]
fn states_and_changes_are_applied_and_acked() {
    let mut holder = Holder::new(gateway());
    assert_eq!(holder.hello().holds, None);
    let (one, two) = (snapshot(1, &[80]), snapshot(2, &[80, 81]));
    let ack = apply(&mut holder, &Update::full(&one));
    assert_eq!((ack.version, ack.generation), (one.version(), 1));
    let ack = apply(&mut holder, &Update::between(&one, &two));
    assert_eq!((ack.version, ack.generation), (two.version(), 2));
    assert_eq!(*holder.held().unwrap().snapshot, two);
    assert_eq!(holder.hello().holds, Some(two.version()));
}

#[test]
fn an_update_in_parts_is_applied_with_the_last() {
    let mut holder = Holder::new(gateway());
    let whole = snapshot(1, &[80, 81, 82]);
    let update = Update::full(&whole);
    let parts: Vec<_> = update.parts_of(1).collect();
    let (last, others) = parts.split_last().unwrap();
    for part in others {
        assert!(matches!(holder.receive(part.clone()), Step::Wait));
    }
    let Step::Apply(candidate) = holder.receive(last.clone()) else {
        panic!("complete");
    };
    assert_eq!(*candidate.snapshot, whole);

    // A stream that breaks half way leaves nothing behind.
    holder.receive(others[0].clone());
    holder.hello();
    let reason = refusal(&mut holder, last.clone());
    assert_eq!(reason, "part 2 of the update came out of order");
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut holder = Holder::new(gateway());
    let (one, two) = (snapshot(1, &[80]), snapshot(2, &[81]));
    let delta = Update::between(&one, &two);
    let reason = refusal(&mut holder, message(&delta));
    assert_eq!(reason, format!("version {} is not held", one.version()));

    let mut other = snapshot(1, &[80]);
    other.gateway = ObjectKey::new("default", "other");
    let reason = refusal(&mut holder, message(&Update::full(&other)));
    assert_eq!(reason, "it is for Gateway default/other");

    apply(&mut holder, &Update::full(&one));
    let broken = StateUpdate {
        entries: Some(9),
        ..message(&Update::full(&two))
    };
    let reason = refusal(&mut holder, broken);
    assert!(reason.contains("announces Some(9)"), "{reason}");
    assert_eq!(*holder.held().unwrap().snapshot, one);
}

#[test]
fn a_resource_that_cannot_be_read_is_named_until_it_is_mended_or_gone() {
    let mut holder = Holder::new(gateway());
    let bad = snapshot(1, &[80, 81]);
    let mut full = message(&Update::full(&bad));
    break_listener(&mut full, 0);
    let Step::Apply(candidate) = holder.receive(full) else {
        panic!("refused alone");
    };
    let ack = holder.applied(candidate.clone(), &applied(&candidate));
    let names = |ack: &Ack| -> Vec<_> {
        let ids = ack.refused.iter().map(|refused| refused.id.clone());
        ids.flatten().map(|id| id.to_string()).collect()
    };
    assert_eq!(names(&ack), ["listener Gateway/default/g/80"]);

    let other = snapshot(1, &[80, 81, 82]);
    let ack = apply(&mut holder, &Update::between(&bad, &other));
    assert_eq!(names(&ack), ["listener Gateway/default/g/80"]);
    // Said again on a new stream, with an empty change.
    let ack = apply(&mut holder, &Update::between(&other, &other));
    assert_eq!(names(&ack), ["listener Gateway/default/g/80"]);
    let gone = snapshot(1, &[81]);
    let ack = apply(&mut holder, &Update::between(&other, &gone));
    assert_eq!(ack.refused, []);
}

fn break_listener(message: &mut StateUpdate, index: usize) {
    use portcullis_wire::messages::resource::Kind;
    let Some(Kind::Listener(listener)) = &mut message.upserts[index].kind else {
        panic!("a listener");
    };
    listener.port = 0;
}

#[test]
fn ports_that_change_later_are_told() {
    let mut holder = Holder::new(gateway());
    let Step::Apply(candidate) = holder.receive(message(&Update::full(&snapshot(1, &[80])))) else {
        panic!("usable");
    };
    let port = snapshot(1, &[80])
        .listeners
        .values()
        .next()
        .unwrap()
        .port_key();
    let bound = applied(&candidate);
    let real = RealPort {
        number: 80,
        transport: port.transport,
    };
    let failed = Applied {
        ports: [(port, Err(BindFailure::InUse { real }))].into(),
        ..bound.clone()
    };
    let ack = holder.applied(candidate, &failed);
    assert_eq!(
        ack.port_failures,
        [(port, "port 80: in use by another process".to_owned())].into()
    );
    assert_eq!(holder.applied_again(&failed), None);
    let ack = holder.applied_again(&bound).unwrap();
    assert_eq!(ack.port_failures, BTreeMap::new());
    assert_eq!(holder.applied_again(&bound), None);
}
