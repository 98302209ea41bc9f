//! Listeners that cannot share a port.

use std::collections::BTreeMap;

use portcullis_api::gateway::ProtocolType;
use portcullis_api::status::ConditionReason;
use portcullis_ir::{HostPattern, PortKey};

use super::ListenerDraft;
use crate::problem::{Problem, joined};

/// Marks the listeners that are not distinct. `listeners` is in precedence order.
///
/// Within one object "the implementation MUST NOT pick one conflicting Listener as the winner. ALL
/// indistinct Listeners must not be accepted for processing" (`GatewaySpec.Listeners`). Between
/// objects precedence decides: the Gateway before its ListenerSets, older before younger.
pub(super) fn mark(listeners: &mut [ListenerDraft<'_>]) {
    let mut standing = Standing::default();
    let mut marks: Vec<Option<Mark>> = Vec::with_capacity(listeners.len());
    for (index, listener) in listeners.iter().enumerate() {
        let lost = against_earlier_owners(listeners, &standing, listener);
        if lost.is_none() {
            standing.add(index, listener);
        }
        marks.push(lost);
    }
    let mutual: Vec<Option<Mark>> = listeners
        .iter()
        .zip(&marks)
        .enumerate()
        .map(|(index, (listener, lost))| match lost {
            Some(_) => None,
            None => within_owner(listeners, &standing, index, listener),
        })
        .collect();
    for ((listener, lost), mutual) in listeners.iter_mut().zip(marks).zip(mutual) {
        listener.conflict = lost.or(mutual).map(Mark::into_problem);
    }
}

/// Why a listener loses, and to whom.
#[derive(Clone, Debug)]
struct Mark {
    reason: ConditionReason,
    port: u16,
    others: Vec<String>,
}

impl Mark {
    fn into_problem(self) -> Problem {
        let Self {
            reason,
            port,
            others,
        } = self;
        let others = joined(others.iter().map(String::as_str));
        let message = match reason {
            ConditionReason::HostnameConflict => {
                format!("has the hostname and port ({port}) of {others}; change one of them")
            }
            _ => format!("cannot share port {port} with {others}; change the port of one of them"),
        };
        Problem::new(reason, message)
    }
}

/// The numbers of the listeners that hold their place, so that each is compared with its rivals
/// only: there may be thousands on one port.
#[derive(Debug, Default)]
struct Standing<'l> {
    by_family: BTreeMap<(PortKey, Family), Vec<usize>>,
    by_hostname: BTreeMap<(PortKey, Family, &'l HostPattern), Vec<usize>>,
}

impl<'l> Standing<'l> {
    fn add(&mut self, index: usize, listener: &'l ListenerDraft<'_>) {
        let Some(port) = listener.port_key().filter(|_| listener.is_bound()) else {
            return;
        };
        let family = family(&listener.spec.protocol);
        let same_family = self.by_family.entry((port, family)).or_default();
        same_family.push(index);
        let name = (port, family, &listener.hostname);
        self.by_hostname.entry(name).or_default().push(index);
    }

    /// Whoever has the port under another protocol, or the hostname on it; in their order.
    fn rivals(&self, listener: &'l ListenerDraft<'_>) -> Vec<usize> {
        let Some(port) = listener.port_key() else {
            return Vec::new();
        };
        let own = family(&listener.spec.protocol);
        let lists = [Family::Plain, Family::Tls, Family::Stream].map(|family| {
            if family == own {
                self.by_hostname.get(&(port, family, &listener.hostname))
            } else {
                self.by_family.get(&(port, family))
            }
        });
        let mut rivals: Vec<usize> = lists.into_iter().flatten().flatten().copied().collect();
        rivals.sort_unstable();
        rivals
    }
}

/// A loser against an earlier owner takes no part any more: who comes later may have the place.
/// Those that conflict within their owner still hold it, for none of them has won.
fn against_earlier_owners<'l>(
    listeners: &'l [ListenerDraft<'_>],
    standing: &Standing<'l>,
    listener: &'l ListenerDraft<'_>,
) -> Option<Mark> {
    if !listener.is_bound() && !is_of_unsupported_protocol(listener) {
        return None;
    }
    let rivals = standing.rivals(listener).into_iter();
    let rivals = rivals.filter_map(|rival| listeners.get(rival));
    let earlier = rivals.filter(|rival| rival.owner != listener.owner);
    conflicts(listener, earlier, Names::Owned)
}

/// Such a listener is never bound, but it could not be either where its port is taken: then that
/// is said, as it would be if the protocol were supported.
fn is_of_unsupported_protocol(listener: &ListenerDraft<'_>) -> bool {
    let refused = listener.refused.as_ref();
    refused.is_some_and(|problem| problem.reason == ConditionReason::UnsupportedProtocol)
}

fn within_owner<'l>(
    listeners: &'l [ListenerDraft<'_>],
    standing: &Standing<'l>,
    index: usize,
    listener: &'l ListenerDraft<'_>,
) -> Option<Mark> {
    if !listener.is_bound() {
        return None;
    }
    let rivals = standing.rivals(listener).into_iter();
    let others = rivals.filter(|rival| *rival != index);
    let others = others.filter_map(|rival| listeners.get(rival));
    let own = others.filter(|rival| rival.owner == listener.owner);
    conflicts(listener, own, Names::Plain)
}

/// How a listener is named to the user.
#[derive(Clone, Copy)]
enum Names {
    /// By its name in the same object.
    Plain,
    /// With the object it is in.
    Owned,
}

fn conflicts<'a, 'b: 'a>(
    listener: &ListenerDraft<'_>,
    others: impl Iterator<Item = &'a ListenerDraft<'b>>,
    names: Names,
) -> Option<Mark> {
    let mut found: Option<Mark> = None;
    for other in others {
        let Some(reason) = conflict(listener, other) else {
            continue;
        };
        let mark = found.get_or_insert(Mark {
            reason,
            port: listener.spec.port,
            others: Vec::new(),
        });
        mark.others.push(match names {
            Names::Plain => format!("listener {}", other.spec.name),
            Names::Owned => {
                let owner = &other.owner;
                format!(
                    "listener {} of {} {}",
                    other.spec.name, owner.kind, owner.key
                )
            }
        });
    }
    found
}

/// "**HTTP, HTTPS, TLS**: Port, Hostname. **TCP, UDP**: Port", and listeners of several protocols
/// cannot share a port unless all are told apart by SNI. Nobody conflicts with a listener that is
/// refused for itself: it will not be bound.
fn conflict(a: &ListenerDraft<'_>, b: &ListenerDraft<'_>) -> Option<ConditionReason> {
    if !b.is_bound() || a.port_key() != b.port_key() {
        return None;
    }
    let (own, other) = (family(&a.spec.protocol), family(&b.spec.protocol));
    if own != other || own == Family::Stream {
        return Some(ConditionReason::ProtocolConflict);
    }
    (a.hostname == b.hostname).then_some(ConditionReason::HostnameConflict)
}

/// Protocols that can share a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    /// Told apart by Host.
    Plain,
    /// Told apart by SNI.
    Tls,
    /// Not told apart.
    Stream,
}

fn family(protocol: &ProtocolType) -> Family {
    match protocol {
        ProtocolType::Http => Family::Plain,
        ProtocolType::Https | ProtocolType::Tls => Family::Tls,
        ProtocolType::Tcp | ProtocolType::Udp | ProtocolType::Other(_) => Family::Stream,
    }
}
