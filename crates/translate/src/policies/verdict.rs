//! What becomes of a policy, Gateway by Gateway.

use std::collections::BTreeMap;

use portcullis_api::route::ParentReference;
use portcullis_api::status::{ConditionReason, PolicyAncestorStatus, PolicyStatus};
use portcullis_api::{BackendTlsPolicy, Kind, ObjectKey};

use super::target::{Section, Target, first, targets};
use super::users::Users;
use super::validation;
use crate::backends::{Origin, Usage, transport};
use crate::facts::Fact;
use crate::inputs::Options;
use crate::problem::Problem;
use crate::status;
use crate::world::World;

/// What is to be said about a policy; `None` if it concerns none of our Gateways.
///
/// "Each Gateway that has a Route that includes a backend with an attached `BackendTLSPolicy` SHOULD
/// have a separate `PolicyAncestorStatus` section in the `BackendTLSPolicy`'s `status.ancestors`
/// stanza". (GEP-713)
///
/// Deviation: "If this slice is full, implementations … MUST consider the policy unimplementable".
/// (`PolicyStatus.Ancestors`) The policy is in force for the seventeenth Gateway as well: without it,
/// nothing could be sent. Who writes the status leaves out what has no room, and says so in the log.
pub(crate) fn status(
    key: &ObjectKey,
    policy: &BackendTlsPolicy,
    users: &Users,
    world: &World<'_>,
    options: &Options,
) -> Option<PolicyStatus> {
    let reading = validation::read(world, key, policy);
    let verdicts: Vec<Verdict> = targets(key, policy)
        .map(|target| judge(key, target, world))
        .collect();
    let mut concerned: BTreeMap<&ObjectKey, Vec<&Verdict>> = BTreeMap::new();
    for verdict in &verdicts {
        world.note(Fact::Users(verdict.service.clone()));
        let users = users.of(&verdict.service);
        for (gateway, _) in users.filter(|(_, origin)| verdict.reach.covers(origin)) {
            let list = concerned.entry(gateway).or_default();
            if !list.iter().any(|known| std::ptr::eq(*known, verdict)) {
                list.push(verdict);
            }
        }
    }
    let ancestors: Vec<_> = concerned
        .into_iter()
        .map(|(gateway, verdicts)| {
            let refused = verdicts.iter().find_map(|it| it.refused.as_ref());
            let facts = status::policy::Facts {
                refused: refused.or(reading.tls.as_ref().err()),
                warnings: verdicts
                    .iter()
                    .filter_map(|it| it.warning.as_deref())
                    .collect(),
                unresolved: &reading.unresolved,
            };
            PolicyAncestorStatus {
                ancestor_ref: ancestor(gateway),
                controller_name: options.controller_name.clone(),
                conditions: status::policy::conditions(policy.generation(), &facts),
            }
        })
        .collect();
    let is_ours = |entry: &PolicyAncestorStatus| entry.controller_name == options.controller_name;
    // Old entries of ours must go: an empty status says so.
    let had_entry = || {
        let status = policy.status.as_ref();
        status.is_some_and(|status| status.ancestors.iter().any(is_ours))
    };
    (!ancestors.is_empty() || had_entry()).then_some(PolicyStatus { ancestors })
}

fn ancestor(gateway: &ObjectKey) -> ParentReference {
    ParentReference {
        group: Some(Kind::Gateway.group().to_owned()),
        kind: Some(Kind::Gateway.as_str().to_owned()),
        namespace: Some(gateway.namespace.to_string()),
        name: gateway.name.to_string(),
        ..ParentReference::default()
    }
}

/// What becomes of one target.
#[derive(Debug)]
struct Verdict {
    service: ObjectKey,
    /// What of the Service it is about.
    reach: Reach,
    /// Why the policy is not in force there, whatever it says.
    refused: Option<Problem>,
    /// What is not covered though it might seem to be.
    warning: Option<String>,
}

/// What of a Service a target is about.
#[derive(Debug)]
enum Reach {
    /// Whatever is sent to it that a policy may be about.
    Service,
    /// As far as it goes to this port.
    Port(u16),
    /// Datagrams, too: the user expects them to be covered.
    Datagrams(u16),
}

impl Reach {
    fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::Service => origin.usage.may_use_tls(),
            Self::Port(port) => origin.usage.may_use_tls() && origin.port == *port,
            Self::Datagrams(port) => {
                let uses = origin.usage.may_use_tls() || origin.usage == Usage::Datagram;
                uses && origin.port == *port
            }
        }
    }
}

fn judge(policy: &ObjectKey, target: Target<'_>, world: &World<'_>) -> Verdict {
    let Target { service, section } = target;
    let (reach, standing) = find(&service, section, world);
    let (refused, warning) = match standing {
        Ok(warning) => (conflict(policy, &service, section, world), warning),
        Err(problem) => (Some(problem), None),
    };
    Verdict {
        service,
        reach,
        refused,
        warning,
    }
}

/// What a target leads to, and a warning about it.
///
/// "If a SectionName is specified, but does not exist on the targeted object, the Policy must fail
/// to attach". (`LocalPolicyTargetReferenceWithSectionName.SectionName`)
///
/// "If a policy explicitly attaches to a UDP port of a Service (that is, the `targetRef` has a
/// `sectionName` specifying a single port or the service has only 1 port), the `Accepted: False`
/// Condition with `Reason: Invalid` MUST be set. If the policy attaches to a mix of TCP and UDP
/// ports, implementations SHOULD include a warning in the `Accepted` condition message". (GEP-1897)
fn find(
    key: &ObjectKey,
    section: Section<'_>,
    world: &World<'_>,
) -> (Reach, Result<Option<String>, Problem>) {
    let not_found = |message| Err(Problem::new(ConditionReason::TargetNotFound, message));
    let Some(service) = world.service(key) else {
        return (
            Reach::Service,
            not_found(format!("Service {key} does not exist")),
        );
    };
    let ports = service.spec.iter().flat_map(|it| it.ports.iter().flatten());
    let named = ports.filter(|port| match section {
        Section::Whole => true,
        Section::Port(name) => port.name.as_deref() == Some(name),
    });
    let named: Vec<_> = named.collect();
    let number = |port: i32| u16::try_from(port).unwrap_or_default();
    match (section, &*named) {
        (Section::Port(name), []) => (
            Reach::Service,
            not_found(format!("Service {key} has no port named {name}")),
        ),
        (_, [only]) if transport(only) == "UDP" => {
            let port = only.port;
            let message = format!("port {port} of Service {key} is of protocol UDP, without TLS");
            let problem = Problem::new(ConditionReason::Invalid, message);
            (Reach::Datagrams(number(port)), Err(problem))
        }
        (Section::Port(_), [port, ..]) => (Reach::Port(number(port.port)), Ok(None)),
        (Section::Whole, all) => {
            let is_udp = |port: &&portcullis_api::core::ServicePort| transport(port) == "UDP";
            let has_udp = all.iter().any(is_udp);
            let warning = has_udp.then(|| {
                format!("the policy is in force for the TCP ports of Service {key}, not for UDP")
            });
            (Reach::Service, Ok(warning))
        }
    }
}

/// "For any BackendTLSPolicy that does not take precedence, the implementation MUST ensure the
/// `Accepted` Condition is set to `status: False`, with Reason `Conflicted`."
/// (`BackendTLSPolicySpec.TargetRefs`)
fn conflict(
    policy: &ObjectKey,
    service: &ObjectKey,
    section: Section<'_>,
    world: &World<'_>,
) -> Option<Problem> {
    let (winner, _) = first(&world.policies(service), service, section)?;
    if winner == policy {
        return None;
    }
    let part = match section {
        Section::Whole => String::new(),
        Section::Port(name) => format!("port {name} of "),
    };
    Some(Problem::new(
        ConditionReason::Conflicted,
        format!("{part}Service {service} has another BackendTLSPolicy with precedence, {winner}"),
    ))
}
