//! Routes and where they are attached.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::{action, grpc_match, host_pattern, http_match, origin};
use crate::hostname::HostPattern;
use crate::ident::ListenerId;
use crate::matcher::HttpMatch;
use crate::route::{Attachment, HttpRoute, HttpRule, L4Route, L4Rule, RouteHost, RouteKind};

/// Listeners that take a kind of route, with their hostnames.
type Takers = Vec<(ListenerId, HostPattern)>;

pub(super) fn http_route(takers: Takers) -> impl Strategy<Value = HttpRoute> {
    prop_oneof![
        3 => route_of(RouteKind::Http, takers.clone(), http_match().boxed()),
        2 => route_of(RouteKind::Grpc, takers, grpc_match().boxed()),
    ]
}

fn route_of(
    kind: RouteKind,
    takers: Takers,
    matched: BoxedStrategy<HttpMatch>,
) -> impl Strategy<Value = HttpRoute> {
    let rule = (
        option::weighted(0.2, "[a-z]{1,4}"),
        vec(matched, 1..4),
        action::filters(),
        action::weighted_backends(),
        action::timeouts(),
        option::weighted(0.2, action::retry()),
    )
        .prop_map(
            |(name, matches, filters, backends, timeouts, retry)| HttpRule {
                name,
                matches,
                filters,
                backends,
                timeouts,
                retry,
            },
        );
    let rules = vec(rule, 0..4);
    (origin(vec![kind]), attachments(takers), rules).prop_map(|(origin, attachments, rules)| {
        HttpRoute {
            origin,
            attachments,
            rules,
        }
    })
}

pub(super) fn l4_route(takers: Takers) -> impl Strategy<Value = L4Route> {
    let rule = (
        option::weighted(0.2, "[a-z]{1,4}"),
        action::weighted_backends(),
    )
        .prop_map(|(name, backends)| L4Rule { name, backends });
    let kinds = vec![RouteKind::Tls, RouteKind::Tcp, RouteKind::Udp];
    (origin(kinds), attachments(takers), vec(rule, 0..3)).prop_map(
        |(origin, attachments, rules)| L4Route {
            origin,
            attachments,
            rules,
        },
    )
}

/// On some of `takers`, under the names that route and listener have in common.
fn attachments(takers: Takers) -> impl Strategy<Value = Vec<Attachment>> {
    let count = 0..=takers.len();
    (subsequence(takers, count), btree_set(host_pattern(), 1..4)).prop_map(|(listeners, hosts)| {
        let attached = listeners.into_iter().map(|(listener, name)| Attachment {
            listener,
            hosts: (hosts.iter())
                .filter_map(|configured| {
                    let effective = name.intersection(configured)?;
                    let configured = configured.clone();
                    Some(RouteHost {
                        effective,
                        configured,
                    })
                })
                .collect(),
        });
        attached.filter(|a| !a.hosts.is_empty()).collect()
    })
}
