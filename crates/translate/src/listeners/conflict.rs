//! Listeners that cannot share a port.

use portcullis_api::gateway::ProtocolType;
use portcullis_api::status::ConditionReason;

use super::ListenerDraft;
use crate::problem::{Problem, joined};

/// Marks the listeners that are not distinct. `listeners` is in precedence order.
///
/// Within one object "the implementation MUST NOT pick one conflicting Listener as the winner. ALL
/// indistinct Listeners must not be accepted for processing" (`GatewaySpec.Listeners`). Between
/// objects precedence decides: the Gateway before its ListenerSets, older before younger.
pub(super) fn mark(listeners: &mut [ListenerDraft<'_>]) {
    let mut marks: Vec<Option<Mark>> = vec![None; listeners.len()];
    for index in 0..listeners.len() {
        let lost = against_earlier_owners(listeners, &marks, index);
        if let (Some(lost), Some(slot)) = (lost, marks.get_mut(index)) {
            *slot = Some(lost);
        }
    }
    let mutual: Vec<Option<Mark>> = (0..listeners.len())
        .map(|index| within_owner(listeners, &marks, index))
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
            _ => format!(
                "cannot share port {port} with {others}, of another protocol; change one of them"
            ),
        };
        Problem::new(reason, message)
    }
}

/// A loser against an earlier owner takes no part any more: who comes later may have the place.
/// Those that conflict within their owner still hold it, for none of them has won.
fn against_earlier_owners(
    listeners: &[ListenerDraft<'_>],
    marks: &[Option<Mark>],
    index: usize,
) -> Option<Mark> {
    let listener = listeners.get(index)?;
    let earlier = listeners.iter().zip(marks).take(index);
    let standing = earlier.filter(|(other, mark)| mark.is_none() && other.owner != listener.owner);
    conflicts(listener, standing.map(|(other, _)| other), Names::Owned)
}

fn within_owner(
    listeners: &[ListenerDraft<'_>],
    marks: &[Option<Mark>],
    index: usize,
) -> Option<Mark> {
    let listener = listeners.get(index)?;
    if marks.get(index)?.is_some() {
        return None;
    }
    let others = listeners.iter().zip(marks).enumerate();
    let standing = others.filter(|(place, (other, mark))| {
        *place != index && mark.is_none() && other.owner == listener.owner
    });
    conflicts(
        listener,
        standing.map(|(_, (other, _))| other),
        Names::Plain,
    )
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
/// cannot share a port unless all are told apart by SNI. A listener that is refused for itself
/// conflicts with nobody: it will not be bound.
fn conflict(a: &ListenerDraft<'_>, b: &ListenerDraft<'_>) -> Option<ConditionReason> {
    if !a.is_bound() || !b.is_bound() || a.port_key() != b.port_key() {
        return None;
    }
    if family(&a.spec.protocol) != family(&b.spec.protocol) {
        return Some(ConditionReason::ProtocolConflict);
    }
    (a.hostname == b.hostname).then_some(ConditionReason::HostnameConflict)
}

/// Protocols that can share a port.
#[derive(Clone, Copy, PartialEq, Eq)]
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
