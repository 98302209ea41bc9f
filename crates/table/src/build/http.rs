//! The routes of HTTP listeners.

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::matcher::PathMatcher;
use portcullis_ir::order::Rank;
use portcullis_ir::shared::Change;
use portcullis_ir::{
    Attachment, HostPattern, HttpRoute, HttpRule, RouteHost, RouteId, SharedMap, WeightedBackend,
};

use super::{Build, unchanged};
use crate::backends::Backends;
use crate::call::CallCondition;
use crate::host::HostMap;
use crate::parts::{Attach, Parts, RuleSite};
use crate::path::{PathCondition, Paths};
use crate::port::Names;
use crate::predicate::Predicates;
use crate::rule::{Conditions, Match, Rule};
use crate::share::Patterns;

/// The matches of a listener by effective hostname.
type Hosts<P> = HostMap<Arc<Names<P>>>;

/// Where the matches of a route are on one listener.
pub(super) struct Extent<'r> {
    hosts: &'r [RouteHost],
    rules: &'r [HttpRule],
}

impl Extent<'_> {
    /// Takes the route's matches out.
    pub(super) fn leave<P: Parts>(&self, route: &RouteId, hosts: &mut Hosts<P>) {
        for RouteHost {
            effective,
            configured,
        } in self.hosts
        {
            let Some(names) = hosts.get_mut(effective) else {
                continue;
            };
            let names = &mut Arc::make_mut(names).0;
            let place = names.binary_search_by(|(name, _)| name.cmp(configured));
            let Ok(at) = place else { continue };
            if let Some((_, paths)) = names.get_mut(at) {
                let matches = self.rules.iter().flat_map(|rule| &rule.matches);
                paths.remove(route, matches.map(|matched| &matched.path));
                if paths.is_empty() {
                    names.remove(at);
                }
            }
            if names.is_empty() {
                hosts.remove(effective);
            }
        }
    }
}

/// One match under one name.
pub(super) struct HttpCandidate<'r, P: Parts> {
    rank: Rank,
    effective: &'r HostPattern,
    configured: &'r HostPattern,
    path: PathCondition<'r>,
    matched: Match<P>,
}

/// Sorts by rank, so that each is quickly put behind those before it, and sorts in by name.
///
/// A request tries names by effective hostname, from the most specific, and under each by
/// configured hostname. That is the order of rank: all names on a listener that match one request
/// cover each other, and so do, in the same order, their intersections with the listener's name.
pub(super) fn enter<P: Parts>(mut candidates: Vec<HttpCandidate<'_, P>>, hosts: &mut Hosts<P>) {
    candidates.sort_by(|a, b| a.rank.cmp(&b.rank));
    for candidate in candidates {
        let HttpCandidate {
            rank: _,
            effective,
            configured,
            path,
            matched,
        } = candidate;
        if let Some(names) = hosts.get_mut(effective) {
            add(&mut Arc::make_mut(names).0, configured, path, matched);
        } else {
            let mut paths = Paths::default();
            paths.insert(path, matched);
            let names = Names(vec![(configured.clone(), paths)]);
            hosts.insert_new(effective, Arc::new(names));
        }
    }
}

/// Adds a match under a configured name.
fn add<P: Parts>(
    names: &mut Vec<(HostPattern, Paths<P>)>,
    configured: &HostPattern,
    path: PathCondition<'_>,
    matched: Match<P>,
) {
    let place = names.binary_search_by(|(name, _)| name.cmp(configured));
    let at = place.unwrap_or_else(|at| at);
    if place.is_err() {
        names.insert(at, (configured.clone(), Paths::default()));
    }
    if let Some((_, paths)) = names.get_mut(at) {
        paths.insert(path, matched);
    }
}

/// A rule as far as it is the same on all listeners.
struct CompiledRule<'r, P: Parts> {
    index: usize,
    /// One that cannot be compiled answers 500.
    rule: Cow<'r, HttpRule>,
    /// Of each match.
    conditions: Vec<(PathCondition<'r>, Option<Arc<Predicates>>)>,
    backends: Arc<Backends<P::Backend>>,
}

impl<'r, P: Parts, A: Attach<Parts = P>> Build<'r, '_, P, A> {
    pub(super) fn http_routes(
        &mut self,
        before: &'r SharedMap<RouteId, Arc<HttpRoute>>,
        after: &'r SharedMap<RouteId, Arc<HttpRoute>>,
    ) {
        let changes: Vec<Change<'r, _, _>> = after.changes_since(before).collect();
        // What is compiled for a route that comes is not forgotten with one that goes.
        for route in changes.iter().filter_map(|change| change.after) {
            self.patterns.learn(route);
        }
        for Change { key, before, after } in &changes {
            if let Some(before) = before {
                self.leave(key, before);
            }
            if let Some(after) = after {
                self.http_route(key, after, |_| true);
            }
            if let Some(before) = before {
                self.patterns.unlearn(before);
                let rules: &[HttpRule] = after.map_or(&[], |after| &after.rules);
                let needs = |rule: usize| (rules.get(rule)).is_some_and(|it| it.backends.len() > 1);
                self.counters.keep(key, before.rules.len(), needs);
            }
        }
        for (id, route) in unchanged(after, &changes, &self.fresh) {
            let fresh = self.fresh.clone();
            self.http_route(id, route, |place| fresh.contains(&place.listener));
        }
    }

    fn leave(&mut self, id: &'r RouteId, route: &'r HttpRoute) {
        for Attachment { listener, hosts } in &route.attachments {
            let rules = &route.rules;
            let extent = Extent { hosts, rules };
            self.edits
                .entry(listener)
                .or_default()
                .gone
                .push((id, extent));
        }
    }

    /// Compiles a route for those of its places that are `wanted`.
    fn http_route(
        &mut self,
        id: &'r RouteId,
        route: &'r Arc<HttpRoute>,
        wanted: impl Fn(&Attachment) -> bool,
    ) {
        let places: Vec<_> = route.attachments.iter().filter(|it| wanted(it)).collect();
        if places.is_empty() {
            return;
        }
        let rules = route.rules.iter().enumerate();
        let compiled: Vec<_> = rules.map(|rule| self.compile(id, rule)).collect();
        for place in places {
            for rule in &compiled {
                self.place(id, route, rule, place);
            }
        }
    }

    fn compile(
        &mut self,
        id: &RouteId,
        (index, rule): (usize, &'r HttpRule),
    ) -> CompiledRule<'r, P> {
        let mut unreadable = Vec::new();
        let conditions = (rule.matches.iter())
            .map(|matched| {
                let path = path(&matched.path, &self.patterns, &mut unreadable);
                let Conditions {
                    predicates,
                    unreadable: more,
                } = Conditions::compile(matched, &self.patterns);
                unreadable.extend(more);
                (path, predicates)
            })
            .collect();
        let rule = if unreadable.is_empty() {
            Cow::Borrowed(rule)
        } else {
            Cow::Owned(refusing(rule, &unreadable.join("; ")))
        };
        let backends = self.backends(id, index, &rule.filters, &rule.backends);
        CompiledRule {
            index,
            conditions,
            backends: Arc::new(backends),
            rule,
        }
    }

    /// Puts a rule to where its route is attached.
    fn place(
        &mut self,
        id: &'r RouteId,
        route: &'r Arc<HttpRoute>,
        compiled: &CompiledRule<'r, P>,
        place: &'r Attachment,
    ) {
        let Attachment { listener, hosts } = place;
        let index = compiled.index;
        let attached = self.attach.rule(&RuleSite {
            listener,
            route: id,
            index,
            rule: &compiled.rule,
        });
        let rule = Arc::new(Rule {
            route: id.clone(),
            index,
            attached,
            backends: Arc::clone(&compiled.backends),
            source: Arc::clone(route),
        });
        let matches = route
            .rules
            .get(index)
            .into_iter()
            .flat_map(|it| &it.matches);
        let matches = matches.zip(&compiled.conditions).enumerate();
        let edit = self.edits.entry(listener).or_default();
        for (number, (ir, (path, predicates))) in matches {
            let matched = Match::new(Arc::clone(&rule), number, predicates.clone());
            edit.http.extend(hosts.iter().map(|host| HttpCandidate {
                rank: Rank::new(&host.configured, &route.origin, index, number, ir),
                effective: &host.effective,
                configured: &host.configured,
                path: path.clone(),
                matched: matched.clone(),
            }));
        }
    }
}

fn path<'r>(
    path: &'r PathMatcher,
    patterns: &Patterns,
    unreadable: &mut Vec<String>,
) -> PathCondition<'r> {
    let mut pattern = |what: &str, text: &str| {
        let compiled = patterns.find(text);
        compiled
            .map_err(|error| unreadable.push(format!("{what} {text:?}: {error}")))
            .ok()
    };
    let compiled = match path {
        PathMatcher::Exact(path) => Some(PathCondition::Exact(path)),
        PathMatcher::Prefix(prefix) => Some(PathCondition::Prefix(prefix)),
        PathMatcher::Regex(text) => pattern("path", text).map(PathCondition::Regex),
        PathMatcher::Call(call) => {
            let call = CallCondition::compile(call, |text| pattern("method", text));
            call.map(PathCondition::Call)
        }
    };
    compiled.unwrap_or(PathCondition::Unreadable)
}

/// A rule that has `rule`'s matches and answers 500.
fn refusing(rule: &HttpRule, reason: &str) -> HttpRule {
    let HttpRule {
        name,
        matches,
        filters: _,
        backends: _,
        timeouts,
        retry: _,
    } = rule;
    HttpRule {
        name: name.clone(),
        matches: matches.clone(),
        filters: Vec::new(),
        backends: vec![WeightedBackend {
            weight: 1,
            target: BackendTarget::Invalid {
                reason: reason.to_owned(),
            },
            filters: Vec::new(),
        }],
        timeouts: *timeouts,
        retry: None,
    }
}
