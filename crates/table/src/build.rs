//! From a snapshot to a table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use portcullis_ir::matcher::PathMatcher;
use portcullis_ir::order::{OriginRank, Rank};
use portcullis_ir::route::L4Rule;
use portcullis_ir::{
    Attachment, BackendId, HostPattern, HttpRoute, HttpRule, L4Route, Listener, ListenerId,
    ListenerProtocol, PortKey, RouteHost, RouteId, Snapshot, WeightedBackend,
};

use crate::backends::Backends;
use crate::host::HostMap;
use crate::l4::{ForwardCandidate, ForwardRule, ForwardRules};
use crate::path::Paths;
use crate::pattern::Pattern;
use crate::port::{Family, ListenerTable, PortTable, Routes, Table};
use crate::rule::{Conditions, Match, Rule};
use crate::share::Inheritance;

impl<B: Clone> Table<B> {
    /// Compiles `snapshot`. Total: what cannot be compiled answers 500 or matches nothing.
    ///
    /// `previous` is the table now served: patterns compiled for it are not compiled again, and
    /// rules go on with their turns. `backend` gives the handle for an id; it is asked once for
    /// each id that a rule names, in no particular order, also for ids the snapshot lacks. Each
    /// backendRef gets a clone of its own.
    ///
    /// Where listeners contradict each other, which `translate` does not let happen, the one with
    /// the lesser id is served: two of the same port and hostname, or of two families on one port.
    pub fn build(
        snapshot: &Snapshot,
        previous: Option<&Self>,
        backend: impl FnMut(&BackendId) -> B,
    ) -> Self {
        let mut build = Build {
            handles: Handles {
                known: HashMap::default(),
                ask: backend,
            },
            inherited: Inheritance::from(previous.map(|table| &table.shared)),
        };
        let mut http = BTreeMap::<&ListenerId, Vec<HttpCandidate<'_, B>>>::new();
        for (id, route) in &snapshot.http_routes {
            let rules = build.http_rules(id, route);
            for Attachment { listener, hosts } in &route.attachments {
                let candidates = http.entry(listener).or_default();
                candidates.extend(HttpCandidate::all(route, hosts, &rules));
            }
        }
        let mut forward = BTreeMap::<&ListenerId, Vec<ForwardCandidate<B>>>::new();
        for (id, route) in &snapshot.l4_routes {
            let Some(rule) = build.forward_rule(id, route) else {
                continue;
            };
            for Attachment { listener, hosts } in &route.attachments {
                let candidates = forward.entry(listener).or_default();
                candidates.extend(hosts.iter().map(|host| ForwardCandidate {
                    origin: OriginRank::new(&route.origin),
                    configured: host.configured.clone(),
                    effective: host.effective.clone(),
                    rule: Arc::clone(&rule),
                }));
            }
        }
        let ports = ports(&snapshot.listeners, |id, listener| {
            let routes = if takes_http(&listener.protocol) {
                Routes::Http(by_host(http.remove(id).unwrap_or_default()))
            } else {
                Routes::Forward(ForwardRules::new(forward.remove(id).unwrap_or_default()))
            };
            ListenerTable {
                id: id.clone(),
                hostname: listener.hostname.clone(),
                protocol: listener.protocol.clone(),
                routes,
            }
        });
        Self {
            ports,
            shared: build.inherited.into_shared(),
        }
    }
}

/// What is at hand while routes are compiled.
struct Build<'p, B, F> {
    handles: Handles<B, F>,
    inherited: Inheritance<'p>,
}

/// The handles asked for so far.
struct Handles<B, F> {
    known: HashMap<BackendId, B, RandomState>,
    ask: F,
}

impl<B: Clone, F: FnMut(&BackendId) -> B> Handles<B, F> {
    fn of(&mut self, id: &BackendId) -> B {
        if let Some(handle) = self.known.get(id) {
            return handle.clone();
        }
        let handle = (self.ask)(id);
        self.known.insert(id.clone(), handle.clone());
        handle
    }
}

/// A compiled match with what sorts it in.
struct CompiledMatch<'r, B> {
    ir: &'r portcullis_ir::matcher::HttpMatch,
    rule: usize,
    index: usize,
    /// Of a path that is a regular expression, if it compiles.
    pattern: Option<Pattern>,
    matched: Arc<Match<B>>,
}

impl<B: Clone, F: FnMut(&BackendId) -> B> Build<'_, B, F> {
    fn http_rules<'r>(&mut self, id: &RouteId, route: &'r HttpRoute) -> Vec<CompiledMatch<'r, B>> {
        let HttpRoute {
            origin: _,
            attachments: _,
            rules,
        } = route;
        let rules = rules.iter().enumerate();
        rules
            .flat_map(|(index, rule)| self.http_rule(id, index, rule))
            .collect()
    }

    fn http_rule<'r>(
        &mut self,
        id: &RouteId,
        rule_index: usize,
        rule: &'r HttpRule,
    ) -> Vec<CompiledMatch<'r, B>> {
        let HttpRule {
            name,
            matches,
            filters,
            backends,
            timeouts,
        } = rule;
        let mut unreadable = Vec::new();
        let conditions: Vec<_> = (matches.iter())
            .map(|ir| {
                let pattern = self.path_pattern(&ir.path, &mut unreadable);
                let Conditions {
                    predicates,
                    unreadable: more,
                } = Conditions::compile(ir, &mut self.inherited.patterns);
                unreadable.extend(more);
                (ir, pattern, predicates)
            })
            .collect();
        let (filters, backends) = if unreadable.is_empty() {
            (filters.clone(), self.backends(id, rule_index, backends))
        } else {
            (Vec::new(), Backends::invalid(&unreadable.join("; ")))
        };
        let compiled = Arc::new(Rule {
            route: id.clone(),
            index: rule_index,
            name: name.clone(),
            filters,
            backends,
            timeouts: *timeouts,
        });
        (conditions.into_iter().enumerate())
            .map(|(index, (ir, pattern, predicates))| CompiledMatch {
                ir,
                rule: rule_index,
                index,
                pattern,
                matched: Arc::new(Match::new(Arc::clone(&compiled), predicates)),
            })
            .collect()
    }

    fn path_pattern(
        &mut self,
        path: &PathMatcher,
        unreadable: &mut Vec<String>,
    ) -> Option<Pattern> {
        match path {
            PathMatcher::Regex(text) => (self.inherited.patterns.compile(text))
                .map_err(|error| unreadable.push(format!("path {text:?}: {error}")))
                .ok(),
            PathMatcher::Exact(_) | PathMatcher::Prefix(_) => None,
        }
    }

    /// The first rule: "its rules, in the user's order; the first is served". `None` if the route
    /// has none.
    fn forward_rule(&mut self, id: &RouteId, route: &L4Route) -> Option<Arc<ForwardRule<B>>> {
        let L4Rule { name, backends } = route.rules.first()?;
        Some(Arc::new(ForwardRule {
            route: id.clone(),
            name: name.clone(),
            backends: self.backends(id, 0, backends),
        }))
    }

    fn backends(&mut self, id: &RouteId, rule: usize, backends: &[WeightedBackend]) -> Backends<B> {
        let counter = self.inherited.counter(id, rule, backends);
        Backends::new(backends, counter, |id| self.handles.of(id))
    }
}

/// One match under one name.
struct HttpCandidate<'r, B> {
    rank: Rank,
    effective: &'r HostPattern,
    configured: &'r HostPattern,
    path: &'r PathMatcher,
    pattern: Option<Pattern>,
    matched: Arc<Match<B>>,
}

impl<'r, B> HttpCandidate<'r, B> {
    fn all<'a>(
        route: &'r HttpRoute,
        hosts: &'r [RouteHost],
        rules: &'a [CompiledMatch<'r, B>],
    ) -> impl Iterator<Item = Self> + use<'a, 'r, B> {
        hosts.iter().flat_map(move |host| {
            let RouteHost {
                effective,
                configured,
            } = host;
            rules.iter().map(move |compiled| Self {
                rank: Rank::new(
                    configured,
                    &route.origin,
                    compiled.rule,
                    compiled.index,
                    compiled.ir,
                ),
                effective,
                configured,
                path: &compiled.ir.path,
                pattern: compiled.pattern.clone(),
                matched: Arc::clone(&compiled.matched),
            })
        })
    }
}

/// Sorts by rank and sorts in by name.
///
/// A request tries names by effective hostname, from the most specific, and under each by
/// configured hostname. That is the order of rank: all names on a listener that match one request
/// cover each other, and so do, in the same order, their intersections with the listener's name.
fn by_host<B>(mut candidates: Vec<HttpCandidate<'_, B>>) -> HostMap<Vec<Paths<B>>> {
    candidates.sort_by(|a, b| a.rank.cmp(&b.rank));
    let mut filling = HostMap::<Vec<(&HostPattern, Paths<B>)>>::default();
    for candidate in candidates {
        let HttpCandidate {
            rank: _,
            effective,
            configured,
            path,
            pattern,
            matched,
        } = candidate;
        let names = filling.entry_or_else(effective, Vec::new);
        if names.last().is_none_or(|(name, _)| *name != configured) {
            names.push((configured, Paths::default()));
        }
        if let Some((_, paths)) = names.last_mut() {
            paths.push(path, pattern.as_ref(), matched);
        }
    }
    filling.map(|names| names.into_iter().map(|(_, paths)| paths).collect())
}

fn ports<B>(
    listeners: &BTreeMap<ListenerId, Listener>,
    mut table: impl FnMut(&ListenerId, &Listener) -> ListenerTable<B>,
) -> BTreeMap<PortKey, PortTable<B>> {
    let mut ports = BTreeMap::new();
    for (id, listener) in listeners {
        let family = family(&listener.protocol);
        let port = ports
            .entry(listener.port_key())
            .or_insert_with(|| PortTable {
                family,
                listeners: HostMap::default(),
            });
        if port.family == family {
            let name = match family {
                Family::Http | Family::Tls => &listener.hostname,
                Family::Tcp | Family::Udp => &HostPattern::Any,
            };
            port.listeners
                .entry_or_else(name, || Arc::new(table(id, listener)));
        }
    }
    ports
}

fn family(protocol: &ListenerProtocol) -> Family {
    match protocol {
        ListenerProtocol::Http => Family::Http,
        ListenerProtocol::Https(_)
        | ListenerProtocol::TlsTerminate(_)
        | ListenerProtocol::TlsPassthrough => Family::Tls,
        ListenerProtocol::Tcp => Family::Tcp,
        ListenerProtocol::Udp => Family::Udp,
    }
}

fn takes_http(protocol: &ListenerProtocol) -> bool {
    match protocol {
        ListenerProtocol::Http | ListenerProtocol::Https(_) => true,
        ListenerProtocol::TlsTerminate(_)
        | ListenerProtocol::TlsPassthrough
        | ListenerProtocol::Tcp
        | ListenerProtocol::Udp => false,
    }
}
