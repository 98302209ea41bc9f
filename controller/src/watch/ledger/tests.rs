use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::core::PartialObjectMetaExt;
use kube::runtime::watcher::Event;

use super::*;

type Object = PartialObjectMeta;

fn object(name: &str, version: u32) -> Object {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        resource_version: Some(version.to_string()),
        ..ObjectMeta::default()
    };
    metadata.into_response_partial()
}

fn list(objects: &[(&str, u32)]) -> Vec<Event<Object>> {
    let applied = objects
        .iter()
        .map(|(name, version)| Event::InitApply(object(name, *version)));
    [Event::Init]
        .into_iter()
        .chain(applied)
        .chain([Event::InitDone])
        .collect()
}

/// Names with versions; `None` for what is gone.
fn shown(changes: &Changes<Object>) -> Vec<(String, Option<u32>)> {
    let version = |object: &Object| object.metadata.resource_version.clone()?.parse().ok();
    changes
        .objects
        .iter()
        .map(|(key, object)| (key.to_string(), object.as_ref().and_then(version)))
        .collect()
}

#[test]
fn a_first_list_is_in_sync_when_it_is_done() {
    let mut ledger = Ledger::default();
    let changes = ledger.take([Event::Init, Event::InitApply(object("a", 1))]);
    assert_eq!(changes.sync, Progress::Listing);
    let changes = ledger.take::<Object>([Event::InitDone]);
    assert_eq!(changes.sync, Progress::InSync);
    assert!(changes.objects.is_empty());
}

#[test]
fn an_empty_kind_is_in_sync_at_once() {
    let changes = Ledger::default().take(list(&[]));
    assert_eq!(changes.sync, Progress::InSync);
}

#[test]
fn what_a_later_list_lacks_is_gone() {
    let mut ledger = Ledger::default();
    ledger.take(list(&[("a", 1), ("b", 2)]));
    ledger.take([Event::Apply(object("c", 3))]);
    let changes = ledger.take(list(&[("b", 4)]));
    let expected = [
        ("a".to_owned(), None),
        ("b".to_owned(), Some(4)),
        ("c".to_owned(), None),
    ];
    assert_eq!(shown(&changes), expected);
    assert!(ledger.take(list(&[("b", 4)])).objects.len() == 1);
}

#[test]
fn a_list_that_breaks_off_takes_nothing_away() {
    let mut ledger = Ledger::default();
    ledger.take(list(&[("a", 1), ("b", 1)]));
    let changes = ledger.take([Event::Init, Event::InitApply(object("a", 2))]);
    assert_eq!(shown(&changes), [("a".to_owned(), Some(2))]);
    assert_eq!(
        changes.sync,
        Progress::InSync,
        "it has been, and nothing went"
    );
    let changes = ledger.take(list(&[("a", 2)]));
    assert_eq!(
        shown(&changes),
        [("a".to_owned(), Some(2)), ("b".to_owned(), None)]
    );
}

#[test]
fn of_several_changes_of_an_object_the_last_counts() {
    let mut ledger = Ledger::default();
    let changes = ledger.take([
        Event::Apply(object("a", 1)),
        Event::Delete(object("a", 2)),
        Event::Delete(object("b", 3)),
        Event::Apply(object("b", 4)),
    ]);
    assert_eq!(
        shown(&changes),
        [("a".to_owned(), None), ("b".to_owned(), Some(4))]
    );
}
