//! Which listeners a route attaches to.

use portcullis_api::Kind;
use portcullis_api::route::ParentReference;
use portcullis_api::status::ConditionReason;
use portcullis_ir::{HostPattern, RouteHost};

use crate::listeners::{Owner, ParentListener};
use crate::namespaces;
use crate::problem::{Problem, joined};
use crate::world::World;

/// What attachment depends on, of a route of any kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) kind: Kind,
    pub(crate) namespace: &'a str,
    /// The names in `spec.hostnames`; empty for all.
    pub(crate) hostnames: &'a [HostPattern],
}

/// Of the `listeners` of `owner`, those that accept the route for `parent`, by number, with the names it serves on each.
pub(crate) fn attach(
    route: Candidate<'_>,
    parent: &ParentReference,
    owner: &Owner,
    listeners: &[ParentListener],
    world: &World<'_>,
) -> Result<Vec<(usize, Vec<RouteHost>)>, Problem> {
    let all = listeners.iter().enumerate();
    let named: Vec<_> = all
        .filter(|(_, listener)| is_named(listener, parent))
        .collect();
    if named.is_empty() {
        return Err(no_matching_parent(parent, owner, listeners));
    }
    let allowing: Vec<_> = named
        .iter()
        .filter(|(_, listener)| takes(listener, route, owner, world))
        .collect();
    if allowing.is_empty() {
        return Err(not_allowed(
            route,
            named.iter().map(|(_, listener)| *listener),
        ));
    }
    let attached: Vec<_> = allowing
        .iter()
        .map(|(index, listener)| (*index, common_hosts(&listener.hostname, route.hostnames)))
        .filter(|(_, hosts)| !hosts.is_empty())
        .collect();
    if attached.is_empty() {
        return Err(no_matching_hostname(
            allowing.iter().map(|(_, listener)| *listener),
        ));
    }
    Ok(attached)
}

/// "When both Port … and SectionName are specified, the name and port of the selected listener must
/// match both specified values." (`ParentReference.SectionName`)
fn is_named(listener: &ParentListener, parent: &ParentReference) -> bool {
    let by_name = parent
        .section_name
        .as_deref()
        .is_none_or(|name| name.is_empty() || name == listener.name);
    let by_port = parent.port.is_none_or(|port| port == listener.port);
    by_name && by_port
}

fn takes(
    listener: &ParentListener,
    route: Candidate<'_>,
    owner: &Owner,
    world: &World<'_>,
) -> bool {
    takes_kind(listener, route.kind)
        && namespaces::takes(
            world,
            &listener.from,
            listener.selector.as_ref(),
            &owner.key.namespace,
            route.namespace,
        )
}

fn takes_kind(listener: &ParentListener, kind: Kind) -> bool {
    listener.kinds.iter().any(|k| k.kind == kind.as_str())
}

/// The names in common, each with the route's own that it comes from. "Any HTTPRoute hostnames
/// that do not match the Listener hostname MUST be ignored." (`HTTPRouteSpec.Hostnames`)
fn common_hosts(listener: &HostPattern, route: &[HostPattern]) -> Vec<RouteHost> {
    let common = |configured: &HostPattern| {
        Some(RouteHost {
            effective: listener.intersection(configured)?,
            configured: configured.clone(),
        })
    };
    if route.is_empty() {
        return common(&HostPattern::Any).into_iter().collect();
    }
    let mut hosts: Vec<_> = route.iter().filter_map(common).collect();
    hosts.sort();
    hosts.dedup();
    hosts.shrink_to_fit();
    hosts
}

fn no_matching_parent(
    parent: &ParentReference,
    owner: &Owner,
    listeners: &[ParentListener],
) -> Problem {
    let there: Vec<String> = listeners
        .iter()
        .map(|listener| format!("{} on port {}", listener.name, listener.port))
        .collect();
    let wanted = match (&parent.section_name, parent.port) {
        (Some(name), Some(port)) => format!("listener {name} on port {port}"),
        (Some(name), None) => format!("listener {name}"),
        (None, Some(port)) => format!("listener on port {port}"),
        (None, None) => "listener".to_owned(),
    };
    let there = if there.is_empty() {
        "it has none".to_owned()
    } else {
        format!("it has {}", joined(there.iter().map(String::as_str)))
    };
    Problem::new(
        ConditionReason::NoMatchingParent,
        format!("{} {} has no {wanted}; {there}", owner.kind, owner.key),
    )
}

fn not_allowed<'a>(
    route: Candidate<'_>,
    listeners: impl Iterator<Item = &'a ParentListener>,
) -> Problem {
    let reasons: Vec<String> = listeners
        .map(|listener| {
            let name = &listener.name;
            if takes_kind(listener, route.kind) {
                format!(
                    "listener {name} takes no routes from namespace {} (allowedRoutes.namespaces)",
                    route.namespace
                )
            } else {
                format!("listener {name} takes no {}s", route.kind)
            }
        })
        .collect();
    Problem::new(
        ConditionReason::NotAllowedByListeners,
        joined(reasons.iter().map(String::as_str)),
    )
}

fn no_matching_hostname<'a>(listeners: impl Iterator<Item = &'a ParentListener>) -> Problem {
    let names: Vec<String> = listeners
        .map(|listener| format!("{} ({})", listener.name, listener.hostname))
        .collect();
    Problem::new(
        ConditionReason::NoMatchingListenerHostname,
        format!(
            "no hostname of the route is one of listener {}",
            joined(names.iter().map(String::as_str))
        ),
    )
}
