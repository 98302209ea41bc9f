//! From a snapshot to a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::filter::Filter;
use portcullis_ir::matcher::{HttpMatch, PathMatcher};
use portcullis_ir::order::{OriginRank, Rank};
use portcullis_ir::{
    Attachment, HostPattern, HttpRoute, HttpRule, L4Route, Listener, ListenerId, ListenerProtocol,
    PortKey, RouteHost, RouteId, RouteOrigin, SharedMap, Snapshot, WeightedBackend,
};

use crate::backends::Backends;
use crate::call::CallCondition;
use crate::host::HostMap;
use crate::l4::{ForwardCandidate, ForwardRule, ForwardRules};
use crate::parts::{Attach, ForwardSite, Parts, RuleSite};
use crate::path::{PathCondition, Paths};
use crate::port::{Family, ListenerTable, PortTable, Routes, Table};
use crate::rule::{Conditions, Match, Rule};
use crate::share::Inheritance;

impl<P: Parts> Table<P> {
    /// Compiles `snapshot`. Total: what cannot be compiled answers 500 or matches nothing.
    ///
    /// `previous` is the table now served: patterns compiled for it are not compiled again, and
    /// rules go on with their turns. `attach` makes what the table carries; it is asked once for
    /// each listener, for each rule on each of its listeners, and for each backendRef of those.
    ///
    /// Where listeners contradict each other, which `translate` does not let happen, the one with
    /// the lesser id is served: two of the same port and hostname, or of two families on one port.
    pub fn build(
        snapshot: &Snapshot,
        previous: Option<&Self>,
        attach: &mut impl Attach<Parts = P>,
    ) -> Self {
        let mut build = Build {
            attach,
            inherited: Inheritance::from(previous.map(|table| &table.shared)),
        };
        let mut http = build.http_candidates(&snapshot.http_routes);
        let mut forward = build.forward_candidates(&snapshot.l4_routes);
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
                attached: build.attach.listener(id),
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
struct Build<'p, 'a, A> {
    attach: &'a mut A,
    inherited: Inheritance<'p>,
}

/// A compiled match with what sorts it in.
struct CompiledMatch<'r, P: Parts> {
    ir: &'r HttpMatch,
    rule: usize,
    index: usize,
    path: PathCondition<'r>,
    matched: Arc<Match<P>>,
}

impl<P: Parts, A: Attach<Parts = P>> Build<'_, '_, A> {
    fn http_candidates<'r>(
        &mut self,
        routes: &'r SharedMap<RouteId, Arc<HttpRoute>>,
    ) -> BTreeMap<&'r ListenerId, Vec<HttpCandidate<'r, P>>> {
        let mut candidates = BTreeMap::<_, Vec<_>>::new();
        for (id, route) in routes {
            let HttpRoute {
                origin,
                attachments,
                rules,
            } = &**route;
            for Attachment { listener, hosts } in attachments {
                let compiled: Vec<_> = (rules.iter().enumerate())
                    .flat_map(|(index, rule)| {
                        self.http_rule(RuleSite {
                            listener,
                            route: id,
                            index,
                            rule,
                        })
                    })
                    .collect();
                let of_listener = candidates.entry(listener).or_default();
                of_listener.extend(HttpCandidate::all(origin, hosts, &compiled));
            }
        }
        candidates
    }

    fn http_rule<'r>(&mut self, site: RuleSite<'r>) -> Vec<CompiledMatch<'r, P>> {
        let mut unreadable = Vec::new();
        let conditions: Vec<_> = (site.rule.matches.iter())
            .map(|ir| {
                let path = self.path(&ir.path, &mut unreadable);
                let Conditions {
                    predicates,
                    unreadable: more,
                } = Conditions::compile(ir, &mut self.inherited.patterns);
                unreadable.extend(more);
                (ir, path, predicates)
            })
            .collect();
        let compiled = if unreadable.is_empty() {
            self.rule(site)
        } else {
            let rule = &refusing(site.rule, &unreadable.join("; "));
            self.rule(RuleSite { rule, ..site })
        };
        let compiled = Arc::new(compiled);
        (conditions.into_iter().enumerate())
            .map(|(index, (ir, path, predicates))| CompiledMatch {
                ir,
                rule: site.index,
                index,
                path,
                matched: Arc::new(Match::new(Arc::clone(&compiled), predicates)),
            })
            .collect()
    }

    fn rule(&mut self, site: RuleSite<'_>) -> Rule<P> {
        let RuleSite {
            listener: _,
            route,
            index,
            rule,
        } = site;
        Rule {
            route: route.clone(),
            index,
            attached: self.attach.rule(&site),
            backends: self.backends(route, index, &rule.filters, &rule.backends),
        }
    }

    fn path<'r>(
        &mut self,
        path: &'r PathMatcher,
        unreadable: &mut Vec<String>,
    ) -> PathCondition<'r> {
        let mut pattern = |what: &str, text: &str| {
            let compiled = self.inherited.patterns.compile(text);
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

    fn forward_candidates<'r>(
        &mut self,
        routes: &'r SharedMap<RouteId, Arc<L4Route>>,
    ) -> BTreeMap<&'r ListenerId, Vec<ForwardCandidate<P>>> {
        let mut candidates = BTreeMap::<_, Vec<_>>::new();
        for (id, route) in routes {
            // "its rules, in the user's order; the first is served"
            let Some(rule) = route.rules.first() else {
                continue;
            };
            for Attachment { listener, hosts } in &route.attachments {
                let rule = self.forward_rule(ForwardSite {
                    listener,
                    route: id,
                    rule,
                });
                let of_listener = candidates.entry(listener).or_default();
                of_listener.extend(hosts.iter().map(|host| ForwardCandidate {
                    origin: OriginRank::new(&route.origin),
                    configured: host.configured.clone(),
                    effective: host.effective.clone(),
                    rule: Arc::clone(&rule),
                }));
            }
        }
        candidates
    }

    fn forward_rule(&mut self, site: ForwardSite<'_>) -> Arc<ForwardRule<P>> {
        Arc::new(ForwardRule {
            route: site.route.clone(),
            attached: self.attach.forward(&site),
            backends: self.backends(site.route, 0, &[], &site.rule.backends),
        })
    }

    fn backends(
        &mut self,
        id: &RouteId,
        rule: usize,
        filters: &[Filter],
        backends: &[WeightedBackend],
    ) -> Backends<P::Backend> {
        let counter = self.inherited.counter(id, rule, backends);
        Backends::new(backends, counter, |id, of_ref| {
            self.attach.backend(id, filters, of_ref)
        })
    }
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

/// One match under one name.
struct HttpCandidate<'r, P: Parts> {
    rank: Rank,
    effective: &'r HostPattern,
    configured: &'r HostPattern,
    path: PathCondition<'r>,
    matched: Arc<Match<P>>,
}

impl<'r, P: Parts> HttpCandidate<'r, P> {
    fn all<'a>(
        origin: &'r RouteOrigin,
        hosts: &'r [RouteHost],
        rules: &'a [CompiledMatch<'r, P>],
    ) -> impl Iterator<Item = Self> + use<'a, 'r, P> {
        hosts.iter().flat_map(move |host| {
            let RouteHost {
                effective,
                configured,
            } = host;
            rules.iter().map(move |compiled| Self {
                rank: Rank::new(
                    configured,
                    origin,
                    compiled.rule,
                    compiled.index,
                    compiled.ir,
                ),
                effective,
                configured,
                path: compiled.path.clone(),
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
fn by_host<P: Parts>(mut candidates: Vec<HttpCandidate<'_, P>>) -> HostMap<Vec<Paths<P>>> {
    candidates.sort_by(|a, b| a.rank.cmp(&b.rank));
    let mut filling = HostMap::<Vec<(&HostPattern, Paths<P>)>>::default();
    for candidate in candidates {
        let HttpCandidate {
            rank: _,
            effective,
            configured,
            path,
            matched,
        } = candidate;
        let names = filling.entry_or_else(effective, Vec::new);
        if names.last().is_none_or(|(name, _)| *name != configured) {
            names.push((configured, Paths::default()));
        }
        if let Some((_, paths)) = names.last_mut() {
            paths.push(path, matched);
        }
    }
    filling.map(|names| names.into_iter().map(|(_, paths)| paths).collect())
}

fn ports<P: Parts>(
    listeners: &SharedMap<ListenerId, Listener>,
    mut table: impl FnMut(&ListenerId, &Listener) -> ListenerTable<P>,
) -> BTreeMap<PortKey, PortTable<P>> {
    let mut ports = BTreeMap::new();
    for (id, listener) in listeners {
        let family = family(&listener.protocol);
        let port = ports
            .entry(listener.port_key())
            .or_insert_with(|| PortTable {
                family,
                forwards_tls: false,
                listeners: HostMap::default(),
            });
        if port.family == family {
            port.forwards_tls |= family == Family::Tls && !takes_http(&listener.protocol);
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
