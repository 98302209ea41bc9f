use portcullis_api::AnyObject;
use serde_json::json;

use super::*;
use crate::watch::sighting::Sighting;

fn sighting(name: &str, spec: &serde_json::Value) -> Sighting {
    let object = json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec});
    serde_json::from_value(object).unwrap()
}

fn changes(objects: Vec<(&str, Option<Sighting>)>, sync: Progress) -> Changes<Sighting> {
    let objects = objects.into_iter();
    Changes {
        objects: objects
            .map(|(name, object)| (ObjectKey::new("default", name), object))
            .collect(),
        sync,
    }
}

/// Events in words.
fn shown(events: &[Event]) -> Vec<String> {
    let keys = |objects: &[AnyObject]| {
        let keys = objects.iter().map(|object| object.key().name.to_string());
        keys.collect::<Vec<_>>()
    };
    let names = |removals: &[ObjectKey]| {
        let names = removals.iter().map(|key| key.name.to_string());
        names.collect::<Vec<_>>()
    };
    let show = |event: &Event| match event {
        Event::Changed(batch) => {
            format!("+{:?} -{:?}", keys(&batch.upserts), names(&batch.removals))
        }
        other => format!("{other:?}"),
    };
    events.iter().map(show).collect()
}

#[test]
fn a_kind_is_in_sync_when_every_scope_is_and_says_so_once() {
    let mut teller = Teller::new(Kind::HttpRoute, 2);
    let good = || sighting("a", &json!({}));
    let events = teller.tell(0, changes(vec![("a", Some(good()))], Progress::InSync));
    assert_eq!(shown(&events), [r#"+["a"] -[]"#]);
    let events = teller.tell(1, changes(vec![], Progress::InSync));
    assert_eq!(shown(&events), ["InSync(HttpRoute)"]);
    let events = teller.tell(0, changes(vec![("a", None)], Progress::InSync));
    assert_eq!(shown(&events), [r#"+[] -["a"]"#]);
}

#[test]
fn a_kind_may_go_and_come_back() {
    let mut teller = Teller::new(Kind::HttpRoute, 1);
    assert_eq!(shown(&teller.absent()), ["Absent(HttpRoute)"]);
    assert!(teller.absent().is_empty());
    assert!(
        teller
            .tell(0, changes(vec![], Progress::Listing))
            .is_empty()
    );
    let events = teller.tell(0, changes(vec![], Progress::InSync));
    assert_eq!(shown(&events), ["InSync(HttpRoute)"]);
    assert_eq!(shown(&teller.absent()), ["Absent(HttpRoute)"]);
}

#[test]
fn an_unreadable_object_does_not_stop_the_others() {
    let mut teller = Teller::new(Kind::HttpRoute, 1);
    let bad = || sighting("b", &json!({"rules": "none"}));
    let events = teller.tell(
        0,
        changes(
            vec![
                ("a", Some(sighting("a", &json!({})))),
                ("b", Some(bad())),
                ("c", Some(sighting("c", &json!({})))),
            ],
            Progress::InSync,
        ),
    );
    assert_eq!(shown(&events), [r#"+["a", "c"] -[]"#, "InSync(HttpRoute)"]);
    let again = teller.tell(0, changes(vec![("b", Some(bad()))], Progress::InSync));
    assert!(again.is_empty());
    let gone = teller.tell(0, changes(vec![("b", None)], Progress::InSync));
    assert_eq!(shown(&gone), [r#"+[] -["b"]"#]);
}
