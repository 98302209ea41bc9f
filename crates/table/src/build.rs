//! From a snapshot to a table.
//!
//! A table is the one before with what changed taken out and put in anew: it costs what changed,
//! and shares the rest. One from nothing is built in the same way, on a table of nothing.

mod http;
mod listeners;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_ir::filter::Filter;
use portcullis_ir::shared::Change;
use portcullis_ir::{
    Attachment, L4Route, ListenerId, RouteHost, RouteId, SharedMap, Snapshot, WeightedBackend,
};

use self::http::HttpCandidate;
use self::listeners::{Served, listener_mut};
use crate::backends::Backends;
use crate::l4::{ForwardRule, ForwardRules};
use crate::parts::{Attach, ForwardSite, Parts};
use crate::port::{ListenerTable, Routes, Table};
use crate::share::{Counters, Patterns};

impl<P: Parts> Table<P> {
    /// Compiles `snapshot`. Total: what cannot be compiled answers 500 or matches nothing.
    ///
    /// `previous` is the table now served: what was compiled for it is not compiled again, and
    /// rules go on with their turns. `attach` makes what the table carries; it is asked once for
    /// each new listener, for each new or changed rule on each of its listeners, and for each
    /// backendRef of those.
    ///
    /// Where listeners contradict each other, which `translate` does not let happen, the one with
    /// the lesser id is served: two of the same port and hostname, or of two families on one port.
    pub fn build(
        snapshot: &Snapshot,
        previous: Option<&Self>,
        attach: &mut impl Attach<Parts = P>,
    ) -> Self {
        let nothing = Self::empty();
        let before = previous.unwrap_or(&nothing);
        let Served { mut ports, fresh } = listeners::served(&snapshot.listeners, before, attach);
        let mut build = Build {
            attach,
            patterns: before.patterns.clone(),
            counters: before.counters.clone(),
            fresh,
            edits: BTreeMap::new(),
        };
        build.http_routes(&before.http_routes, &snapshot.http_routes);
        build.l4_routes(&before.l4_routes, &snapshot.l4_routes);
        let Build {
            patterns,
            counters,
            edits,
            ..
        } = build;
        for (id, edit) in edits {
            if let Some(table) = listener_mut(&mut ports, id, &snapshot.listeners) {
                edit.apply(Arc::make_mut(table));
            }
        }
        Self {
            ports,
            patterns,
            counters,
            listeners: snapshot.listeners.clone(),
            http_routes: snapshot.http_routes.clone(),
            l4_routes: snapshot.l4_routes.clone(),
        }
    }
}

/// What is at hand while routes are compiled.
struct Build<'r, 'a, P: Parts, A> {
    attach: &'a mut A,
    patterns: Patterns,
    counters: Counters,
    /// Listeners whose table has no routes yet.
    fresh: BTreeSet<&'r ListenerId>,
    /// What is to be done to the tables of listeners.
    edits: BTreeMap<&'r ListenerId, Edit<'r, P>>,
}

/// What is to be done to the table of one listener.
struct Edit<'r, P: Parts> {
    gone: Vec<(&'r RouteId, http::Extent<'r>)>,
    http: Vec<HttpCandidate<'r, P>>,
    gone_l4: Vec<(&'r RouteId, &'r [RouteHost])>,
    l4: Vec<(&'r [RouteHost], Arc<ForwardRule<P>>)>,
}

impl<P: Parts> Default for Edit<'_, P> {
    fn default() -> Self {
        Self {
            gone: Vec::new(),
            http: Vec::new(),
            gone_l4: Vec::new(),
            l4: Vec::new(),
        }
    }
}

impl<P: Parts> Edit<'_, P> {
    fn apply(self, table: &mut ListenerTable<P>) {
        let Self {
            gone,
            http,
            gone_l4,
            l4,
        } = self;
        match &mut table.routes {
            Routes::Http(hosts) => {
                for (route, extent) in gone {
                    extent.leave(route, hosts);
                }
                http::enter(http, hosts);
            }
            Routes::Forward(rules) => apply_l4(gone_l4, l4, rules),
        }
    }
}

fn apply_l4<P: Parts>(
    gone: Vec<(&RouteId, &[RouteHost])>,
    new: Vec<(&[RouteHost], Arc<ForwardRule<P>>)>,
    rules: &mut ForwardRules<P>,
) {
    for (route, hosts) in gone {
        for host in hosts {
            rules.remove(host, route);
        }
    }
    for (hosts, rule) in new {
        for host in hosts {
            rules.insert(host, Arc::clone(&rule));
        }
    }
}

impl<'r, P: Parts, A: Attach<Parts = P>> Build<'r, '_, P, A> {
    fn l4_routes(
        &mut self,
        before: &'r SharedMap<RouteId, Arc<L4Route>>,
        after: &'r SharedMap<RouteId, Arc<L4Route>>,
    ) {
        let changes: Vec<Change<'r, _, _>> = after.changes_since(before).collect();
        for Change { key, before, after } in &changes {
            for Attachment { listener, hosts } in before.iter().flat_map(|it| &it.attachments) {
                let edit = self.edits.entry(listener).or_default();
                edit.gone_l4.push((key, hosts));
            }
            if let Some(after) = after {
                self.l4_route(key, after, &after.attachments);
            }
            if before.is_some() {
                let rule = after.and_then(|route| route.rules.first());
                let needs = rule.is_some_and(|rule| rule.backends.len() > 1);
                self.counters.keep(key, 1, |_| needs);
            }
        }
        for (id, route) in unchanged(after, &changes, &self.fresh) {
            for attachment in &route.attachments {
                if self.fresh.contains(&attachment.listener) {
                    self.l4_route(id, route, std::slice::from_ref(attachment));
                }
            }
        }
    }

    fn l4_route(&mut self, id: &'r RouteId, route: &'r Arc<L4Route>, places: &'r [Attachment]) {
        // "its rules, in the user's order; the first is served"
        let Some(rule) = route.rules.first() else {
            return;
        };
        let backends = Arc::new(self.backends(id, 0, &[], &rule.backends));
        for Attachment { listener, hosts } in places {
            let rule = ForwardRule {
                route: id.clone(),
                attached: self.attach.forward(&ForwardSite {
                    listener,
                    route: id,
                    rule,
                }),
                backends: Arc::clone(&backends),
                source: Arc::clone(route),
            };
            let edit = self.edits.entry(listener).or_default();
            edit.l4.push((hosts, Arc::new(rule)));
        }
    }

    fn backends(
        &mut self,
        id: &RouteId,
        rule: usize,
        filters: &[Filter],
        backends: &[WeightedBackend],
    ) -> Backends<P::Backend> {
        let counter = self.counters.of(id, rule, backends);
        Backends::new(backends, counter, |id, of_ref| {
            self.attach.backend(id, filters, of_ref)
        })
    }
}

/// The routes that are as they were; none, if no listener's table is without routes.
fn unchanged<'r, R>(
    routes: &'r SharedMap<RouteId, Arc<R>>,
    changes: &[Change<'r, RouteId, Arc<R>>],
    fresh: &BTreeSet<&'r ListenerId>,
) -> Vec<(&'r RouteId, &'r Arc<R>)> {
    if fresh.is_empty() || changes.len() == routes.len() {
        return Vec::new();
    }
    let changed: BTreeSet<&RouteId> = changes.iter().map(|change| change.key).collect();
    let routes = routes.iter();
    routes.filter(|(id, _)| !changed.contains(id)).collect()
}
