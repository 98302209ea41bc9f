//! What becomes of snapshots that are odd, and of the table before.

use std::sync::Arc;

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::{BackendId, RouteId, Snapshot, WeightedBackend};
use portcullis_table::{Destination, Family, Table};

use crate::config::snapshot;
use crate::request::Request;
use crate::scenarios::{found, port, rule_for, table};

/// Reasons are of the parser's making; that they name the condition is ours.
#[test]
fn a_rule_with_a_pattern_that_does_not_compile_answers_500_where_it_can_be_placed() {
    let table = table(
        "listener web 80 http
         route d/r on web
           rule prefix /a x~(
           rule regex /( or prefix /b
           rule prefix /",
    );
    let invalid = |url: &str| {
        let (rule, _) = rule_for(&table, &Request::parse(&format!("GET h{url}"))).unwrap();
        match &rule.backends.pick().destination {
            Destination::Invalid { reason } => (rule.index, reason.clone()),
            Destination::Backend { .. } => panic!("{url}"),
        }
    };
    let (rule, reason) = invalid("/a");
    assert_eq!(rule, 0);
    assert!(reason.starts_with("header x \"(\": "), "{reason}");
    let (rule, reason) = invalid("/b");
    assert_eq!(rule, 1);
    assert!(reason.starts_with("path \"/(\": "), "{reason}");
    assert_eq!(invalid("/c").0, 2);
}

#[test]
fn contradicting_listeners_are_not_mixed() {
    let table = table(
        "listener a 80 http
         listener b 80 https
         listener c 80 http
         route d/r on c
           rule prefix /",
    );
    assert_eq!(port(&table, 80).family(), Family::Http);
    assert_eq!(found(&table, &Request::parse("GET h/")), "404");
}

/// A rule of two equal backends, `one` and `two`.
fn two_backends() -> Snapshot {
    let mut snapshot = snapshot(
        "listener web 80 http
         route d/r on web
           rule prefix /",
    );
    let backend = |name: &str| WeightedBackend {
        weight: 1,
        target: BackendTarget::Backend(BackendId::new(name)),
        filters: Vec::new(),
    };
    for route in snapshot.http_routes.values_mut() {
        for rule in &mut Arc::make_mut(route).rules {
            rule.backends = vec![backend("one"), backend("two")];
        }
    }
    snapshot
}

#[test]
fn turns_go_on_in_the_next_table() {
    let pick = |table: &Table<BackendId>| {
        let (rule, _) = rule_for(table, &Request::parse("GET h/")).unwrap();
        match &rule.backends.pick().destination {
            Destination::Backend { handle, .. } => handle.to_string(),
            Destination::Invalid { reason } => panic!("{reason}"),
        }
    };
    let snapshot = two_backends();
    let mut table = Table::build(&snapshot, None, BackendId::clone);
    let mut picks = Vec::new();
    for _ in 0..4 {
        picks.push(pick(&table));
        table = Table::build(&snapshot, Some(&table), BackendId::clone);
    }
    assert_eq!(picks, ["one", "two", "one", "two"]);
}

#[test]
fn handles_are_those_of_the_new_table_and_asked_for_once() {
    let mut snapshot = two_backends();
    let route = snapshot.http_routes.values().next().unwrap().clone();
    snapshot.http_routes.insert(RouteId::new("d/again"), route);
    let before = Table::build(&snapshot, None, |_| 1);
    let mut asked = Vec::new();
    let table = Table::build(&snapshot, Some(&before), |id| {
        asked.push(id.to_string());
        2
    });
    asked.sort();
    assert_eq!(asked, ["one", "two"]);
    let (rule, _) = rule_for(&table, &Request::parse("GET h/")).unwrap();
    for target in rule.backends.targets() {
        assert!(matches!(
            target.destination,
            Destination::Backend { handle: 2, .. }
        ));
    }
}
