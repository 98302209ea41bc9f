//! Tables of objects, as `kubectl get` prints them, and below them what is not as it should be.

use std::collections::BTreeSet;

use portcullis_api::gateway::{Gateway, GatewayClass};
use portcullis_api::status::{Condition, ConditionType};
use portcullis_api::{AnyObject, BackendTlsPolicy, ObjectKey, Objects};

use super::columns::{Columns, duration};
use super::remarks::{Verdict, hostnames, parent_name, remarks, route_status};

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Narrow,
    Wide,
}

/// How many rows of a table are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    All,
    AtMost(usize),
}

impl Rows {
    /// What one wants to see at the start.
    pub(crate) const SOME: Self = Self::AtMost(30);
}

/// All objects in tables, one for each kind, and their problems. `now` is in seconds since the Unix
/// epoch.
pub(crate) fn tables(objects: &Objects, width: Width, rows: Rows, now: i64) -> String {
    let mut parts = Vec::new();
    if width == Width::Wide {
        parts.push(classes(objects, now));
    }
    parts.push(gateways(objects, width, now));
    parts.push(listener_sets(objects, now));
    parts.push(routes(objects, width, now));
    parts.push(policies(objects, now));
    parts.retain(|columns| !columns.is_empty());
    let mut parts: Vec<String> = parts
        .iter()
        .map(|columns| shown(&columns.print(), 1, rows))
        .collect();
    let problems = shown(&problems(objects), 0, rows);
    if !problems.is_empty() {
        parts.push(format!("Not as it should be:\n{problems}"));
    }
    if parts.is_empty() {
        return "No Gateways or routes.\n".to_owned();
    }
    parts.join("\n")
}

/// The first lines of a text: `headings`, and as many rows as wanted.
fn shown(text: &str, headings: usize, rows: Rows) -> String {
    let Rows::AtMost(limit) = rows else {
        return text.to_owned();
    };
    let more = text.lines().count().saturating_sub(headings + limit);
    if more == 0 {
        return text.to_owned();
    }
    let lines = text
        .lines()
        .take(headings + limit)
        .flat_map(|line| [line, "\n"]);
    lines.collect::<String>() + &format!("... and {more} more, see `portcullis status`\n")
}

fn classes(objects: &Objects, now: i64) -> Columns {
    let mut columns = Columns::new(&["GATEWAYCLASS", "CONTROLLER", "ACCEPTED", "AGE"]);
    for (key, class) in &objects.gateway_classes {
        let GatewayClass {
            metadata: _,
            spec,
            status,
        } = &**class;
        let conditions = status.as_ref().map(|status| status.conditions.as_slice());
        columns.row([
            key.to_string(),
            spec.controller_name.clone(),
            said(conditions.unwrap_or_default(), &ConditionType::Accepted),
            age(&AnyObject::GatewayClass(class.clone()), now),
        ]);
    }
    columns
}

fn gateways(objects: &Objects, width: Width, now: i64) -> Columns {
    let headings = [
        "NAMESPACE",
        "GATEWAY",
        "CLASS",
        "ADDRESS",
        "PROGRAMMED",
        "AGE",
        "LISTENERS",
    ];
    let shown = if width == Width::Wide {
        headings.len()
    } else {
        headings.len() - 1
    };
    let mut columns = Columns::new(headings.get(..shown).unwrap_or(&headings));
    for (key, gateway) in &objects.gateways {
        let Gateway {
            metadata: _,
            spec,
            status,
        } = &**gateway;
        let status = status.clone().unwrap_or_default();
        let addresses = status
            .addresses
            .iter()
            .filter_map(|address| address.value.as_deref());
        let row = [
            key.namespace.to_string(),
            key.name.to_string(),
            spec.gateway_class_name.clone(),
            addresses.collect::<Vec<_>>().join(","),
            said(&status.conditions, &ConditionType::Programmed),
            age(&AnyObject::Gateway(gateway.clone()), now),
        ];
        match width {
            Width::Narrow => columns.row(row),
            Width::Wide => {
                let [namespace, name, class, address, programmed, age] = row;
                let listeners = listeners(gateway);
                columns.row([namespace, name, class, address, programmed, age, listeners]);
            }
        }
    }
    columns
}

/// `https:443(2)`: name, port, attached routes.
fn listeners(gateway: &Gateway) -> String {
    let attached = |name: &str| {
        let mut listeners = gateway.status.iter().flat_map(|status| &status.listeners);
        listeners
            .find(|listener| listener.name == name)
            .map_or(0, |listener| listener.attached_routes)
    };
    let listeners = gateway.spec.listeners.iter();
    let listeners = listeners.map(|l| format!("{}:{}({})", l.name, l.port, attached(&l.name)));
    listeners.collect::<Vec<_>>().join(",")
}

fn listener_sets(objects: &Objects, now: i64) -> Columns {
    let headings = [
        "NAMESPACE",
        "LISTENERSET",
        "PARENT",
        "ACCEPTED",
        "PROGRAMMED",
        "AGE",
    ];
    let mut columns = Columns::new(&headings);
    for (key, set) in &objects.listener_sets {
        let status = set.status.as_ref();
        let conditions = status.map_or(&[] as &[Condition], |status| &status.conditions);
        columns.row([
            key.namespace.to_string(),
            key.name.to_string(),
            parent_name(&set.spec.parent_ref, &key.namespace),
            said(conditions, &ConditionType::Accepted),
            said(conditions, &ConditionType::Programmed),
            age(&AnyObject::ListenerSet(set.clone()), now),
        ]);
    }
    columns
}

fn routes(objects: &Objects, width: Width, now: i64) -> Columns {
    let headings = [
        "NAMESPACE",
        "ROUTE",
        "KIND",
        "HOSTNAMES",
        "PARENT",
        "ACCEPTED",
        "RESOLVED",
        "AGE",
    ];
    let mut columns = Columns::new(&headings);
    for object in objects.iter() {
        let Some(status) = route_status(&object) else {
            continue;
        };
        let ObjectKey { namespace, name } = object.key();
        for parent in &status.parents {
            columns.row([
                namespace.to_string(),
                name.to_string(),
                object.kind().to_string(),
                shortened(hostnames(&object), width),
                parent_name(&parent.parent_ref, &namespace),
                said(&parent.conditions, &ConditionType::Accepted),
                said(&parent.conditions, &ConditionType::ResolvedRefs),
                age(&object, now),
            ]);
        }
    }
    columns
}

fn policies(objects: &Objects, now: i64) -> Columns {
    let headings = [
        "NAMESPACE",
        "BACKENDTLSPOLICY",
        "TARGETS",
        "GATEWAY",
        "ACCEPTED",
        "RESOLVED",
        "AGE",
    ];
    let mut columns = Columns::new(&headings);
    for (key, policy) in &objects.backend_tls_policies {
        let ancestors = policy.status.iter().flat_map(|status| &status.ancestors);
        for ancestor in ancestors {
            columns.row([
                key.namespace.to_string(),
                key.name.to_string(),
                targets(policy),
                parent_name(&ancestor.ancestor_ref, &key.namespace),
                said(&ancestor.conditions, &ConditionType::Accepted),
                said(&ancestor.conditions, &ConditionType::ResolvedRefs),
                age(&AnyObject::BackendTlsPolicy(policy.clone()), now),
            ]);
        }
    }
    columns
}

/// `Service/web:https,Service/api`
fn targets(policy: &BackendTlsPolicy) -> String {
    let targets = policy.spec.target_refs.iter().map(|target| {
        let section = target.section_name.as_ref();
        let section = section.map(|name| format!(":{name}")).unwrap_or_default();
        format!("{}/{}{section}", target.kind, target.name)
    });
    targets.collect::<Vec<_>>().join(",")
}

/// `a.example.com,b.example.com + 3 more`
fn shortened(hostnames: &[String], width: Width) -> String {
    const SHOWN: usize = 2;
    match (hostnames.split_at_checked(SHOWN), width) {
        (Some((shown, more)), Width::Narrow) if !more.is_empty() => {
            format!("{} + {} more", shown.join(","), more.len())
        }
        _ => hostnames.join(","),
    }
}

/// A line for every condition that is not as it should be. What several listeners or parents have in
/// common is said once for each.
fn problems(objects: &Objects) -> String {
    let mut lines = BTreeSet::new();
    for object in objects.iter() {
        let name = format!("{} {}", object.kind(), object.key());
        let bad = remarks(&object)
            .into_iter()
            .filter(|remark| remark.verdict() == Verdict::Bad);
        lines.extend(bad.map(|remark| format!("  {name}: {}\n", remark.sentence())));
    }
    lines.into_iter().collect()
}

fn said(conditions: &[Condition], kind: &ConditionType) -> String {
    let found = conditions
        .iter()
        .find(|condition| condition.r#type == *kind);
    found.map_or("Unknown".to_owned(), |condition| {
        condition.status.to_string()
    })
}

fn age(object: &AnyObject, now: i64) -> String {
    let created = object.metadata().creation_timestamp.as_ref();
    created.map_or_else(String::new, |created| duration(now - created.0.as_second()))
}

#[cfg(test)]
mod tests;
