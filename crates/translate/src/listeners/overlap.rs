//! Listeners that answer for the same names in TLS.

use std::collections::BTreeMap;
use std::iter::successors;

use portcullis_api::status::ConditionReason;
use portcullis_ir::{HostPattern, PortKey};

use super::ListenerDraft;
use crate::problem::{Problem, joined};

/// Marks the listeners with overlapping TLS configuration, once conflicts are known.
///
/// "Controllers MUST detect the presence of overlapping hostnames … This condition MUST be set on
/// all Listeners with overlapping TLS config. For example, consider the following listener -
/// hostname mapping: A: foo.example.com, B: foo.example.org, C: *.example.com. In the above example,
/// Listeners A and C would have overlapping hostnames and therefore this condition should be set for
/// Listeners A and C, but not B." (`ListenerConditionOverlappingTLSConfig`)
pub(super) fn mark(listeners: &mut [ListenerDraft<'_>]) {
    let mut others: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (a, b) in pairs(listeners) {
        for (listener, other) in [(a, b), (b, a)] {
            let (Some(own), Some(other)) = (listeners.get(listener), listeners.get(other)) else {
                continue;
            };
            let name = words(own, other);
            others.entry(listener).or_default().push(name);
        }
    }
    for (listener, others) in others {
        if let Some(listener) = listeners.get_mut(listener) {
            listener.overlap = Some(problem(listener, &others));
        }
    }
}

/// Every two that overlap, by number.
fn pairs(listeners: &[ListenerDraft<'_>]) -> Vec<(usize, usize)> {
    // Without conflicts there is one listener for each name on a port.
    let mut ports: BTreeMap<PortKey, BTreeMap<&HostPattern, usize>> = BTreeMap::new();
    for (index, listener) in listeners.iter().enumerate() {
        let ends_tls = listener.tls.is_some() && listener.is_bound() && listener.conflict.is_none();
        if let (true, Some(port)) = (ends_tls, listener.port_key()) {
            let names = ports.entry(port).or_default();
            names.insert(&listener.hostname, index);
        }
    }
    let mut pairs = Vec::new();
    for names in ports.values() {
        for (name, index) in names {
            let around = wider(name);
            let around = around.iter().filter_map(|wider| names.get(wider));
            pairs.extend(around.map(|other| (*index, *other)));
        }
    }
    pairs
}

/// Every pattern that covers all of `name`, and more.
fn wider(name: &HostPattern) -> Vec<HostPattern> {
    let text = match name {
        HostPattern::Exact(text) | HostPattern::Wildcard(text) => text,
        HostPattern::Any => return Vec::new(),
    };
    let suffixes = successors(Some(&**text), |rest| {
        rest.split_once('.').map(|(_, rest)| rest)
    });
    let wildcards = suffixes
        .skip(1)
        .map(|suffix| HostPattern::Wildcard(suffix.into()));
    wildcards.chain([HostPattern::Any]).collect()
}

fn words(own: &ListenerDraft<'_>, other: &ListenerDraft<'_>) -> String {
    let place = if own.owner == other.owner {
        String::new()
    } else {
        format!(" of {} {}", other.owner.kind, other.owner.key)
    };
    format!("listener {}{place} ({})", other.spec.name, other.hostname)
}

fn problem(listener: &ListenerDraft<'_>, others: &[String]) -> Problem {
    Problem::new(
        ConditionReason::OverlappingHostnames,
        format!(
            "on port {} the hostname {} overlaps with that of {}; a client that reuses its \
             connection for both names has agreed on the TLS settings of one only",
            listener.spec.port,
            listener.hostname,
            joined(others.iter().map(String::as_str))
        ),
    )
}
