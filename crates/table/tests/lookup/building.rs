//! What becomes of snapshots that are odd, and of the table before.

use std::sync::Arc;

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::filter::{Filter, HeaderEdits};
use portcullis_ir::{BackendId, HttpRule, ListenerId, RouteId, Snapshot, WeightedBackend};
use portcullis_table::{Attach, Destination, Family, ForwardSite, Parts, RuleSite};

use crate::config::snapshot;
use crate::names::{Table, build};
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
        match rule.backends.pick() {
            Destination::Invalid { reason } => (rule.index, reason.to_string()),
            Destination::Backend(_) => panic!("{url}"),
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
    only_rule(&mut snapshot).backends = vec![backend("one"), backend("two")];
    snapshot
}

fn only_rule(snapshot: &mut Snapshot) -> &mut HttpRule {
    let route = snapshot.http_routes.get_mut(&RouteId::new("d/r")).unwrap();
    &mut Arc::make_mut(route).rules[0]
}

#[test]
fn turns_go_on_in_the_next_table() {
    let pick = |table: &Table| {
        let (rule, _) = rule_for(table, &Request::parse("GET h/")).unwrap();
        match rule.backends.pick() {
            Destination::Backend(id) => id.to_string(),
            Destination::Invalid { reason } => panic!("{reason}"),
        }
    };
    let snapshot = two_backends();
    let mut table = build(&snapshot, None);
    let mut picks = Vec::new();
    for _ in 0..4 {
        picks.push(pick(&table));
        table = build(&snapshot, Some(&table));
    }
    assert_eq!(picks, ["one", "two", "one", "two"]);
}

/// Writes down what it is asked for.
#[derive(Clone, Debug, Default)]
struct Scribe(Vec<String>);

impl Parts for Scribe {
    type Listener = ();
    type Rule = usize;
    type Forward = ();
    type Backend = usize;
}

impl Attach for Scribe {
    type Parts = Self;

    fn listener(&mut self, id: &ListenerId) {
        self.0.push(format!("listener {id}"));
    }

    fn rule(&mut self, site: &RuleSite<'_>) -> usize {
        let RuleSite {
            listener,
            route,
            index,
            rule: _,
        } = site;
        self.0
            .push(format!("rule {index} of {route} on {listener}"));
        *index
    }

    fn forward(&mut self, site: &ForwardSite<'_>) {
        let ForwardSite {
            listener,
            route,
            rule: _,
        } = site;
        self.0.push(format!("forward {route} on {listener}"));
    }

    fn backend(&mut self, id: &BackendId, of_rule: &[Filter], of_ref: &[Filter]) -> usize {
        self.0.push(format!(
            "backend {id}, filters {}+{}",
            of_rule.len(),
            of_ref.len()
        ));
        id.as_str().len()
    }
}

#[test]
fn every_listener_rule_and_backend_ref_is_asked_for_once() {
    let mut snapshot = two_backends();
    only_rule(&mut snapshot).filters = vec![Filter::RequestHeaders(HeaderEdits::default())];
    let mut scribe = Scribe::default();
    portcullis_table::Table::build(&snapshot, None, &mut scribe);
    let Scribe(mut asked) = scribe;
    asked.sort();
    assert_eq!(
        asked,
        [
            "backend one, filters 1+0",
            "backend two, filters 1+0",
            "listener web",
            "rule 0 of d/r on web",
        ]
    );
}
