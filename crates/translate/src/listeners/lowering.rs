//! From a listener as it is written to a draft.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use portcullis_api::gateway::{FrontendTlsValidation, Listener, ProtocolType};
use portcullis_api::status::ConditionReason;
use portcullis_api::{Gateway, Kind, ObjectKey};
use portcullis_ir::{HostPattern, ListenerId};

use super::{ListenerDraft, Owner, Presence, kinds, passes_tls_on};
use crate::grants::Referrer;
use crate::problem::Problem;
use crate::tls::credentials::Credentials;
use crate::tls::termination::{TlsFacts, TlsSpec, termination};

/// The listeners of one Gateway and its ListenerSets, as they are read.
#[derive(Debug)]
pub(super) struct Lowering<'a, 'c> {
    gateway: &'a Gateway,
    namespace: &'c str,
    credentials: &'c mut Credentials<'a>,
    pub(super) listeners: Vec<ListenerDraft<'a>>,
    /// Where in `listeners` those of each object are.
    pub(super) owned: BTreeMap<Owner, Range<usize>>,
}

impl<'a, 'c> Lowering<'a, 'c> {
    pub(super) fn new(
        gateway: &'a Gateway,
        namespace: &'c str,
        credentials: &'c mut Credentials<'a>,
    ) -> Self {
        Self {
            gateway,
            namespace,
            credentials,
            listeners: Vec::new(),
            owned: BTreeMap::new(),
        }
    }

    /// Reads the listeners of one object.
    pub(super) fn add(&mut self, kind: Kind, key: &ObjectKey, listeners: &'a [Listener]) {
        let owner = Owner {
            kind,
            key: key.clone(),
        };
        let start = self.listeners.len();
        let mut names = BTreeSet::new();
        for spec in listeners {
            let name = if names.insert(spec.name.as_str()) {
                Name::Free
            } else {
                Name::Taken
            };
            let draft = self.listener(owner.clone(), spec, name);
            self.listeners.push(draft);
        }
        self.owned.insert(owner, start..self.listeners.len());
    }

    fn listener(&mut self, owner: Owner, spec: &'a Listener, name: Name) -> ListenerDraft<'a> {
        let (kinds, bad_kinds) = kinds::supported(spec);
        let hostname = HostPattern::parse(hostname(spec));
        let mut refused = refusal(spec);
        if let Err(error) = &hostname {
            refused.get_or_insert_with(|| Problem::unsupported(format!("hostname {error}")));
        }
        if name == Name::Taken {
            refused = Some(Problem::unsupported(format!(
                "the name {} is taken by another listener; names must be unique",
                spec.name
            )));
        }
        let mut presence = match refused {
            Some(_) => Presence::Absent,
            None => Presence::Open,
        };
        if let (None, Some(problem)) = (&refused, filters_refusal(spec)) {
            refused = Some(problem);
            presence = Presence::Closed;
        }
        let id = ListenerId::new(format!("{}/{}/{}", owner.kind, owner.key, spec.name));
        let tls = self.tls(&id, &owner, spec);
        let mut unresolved = Vec::new();
        if let Some(tls) = &tls {
            refused = refused.or_else(|| tls.refused.clone());
            unresolved.clone_from(&tls.unresolved);
        }
        unresolved.extend(bad_kinds);
        ListenerDraft {
            id,
            owner,
            spec,
            hostname: hostname.unwrap_or(HostPattern::Any),
            conflict: None,
            overlap: None,
            refused,
            unresolved,
            kinds,
            tls,
            presence,
            attached_routes: 0,
        }
    }

    fn tls(&mut self, id: &ListenerId, owner: &Owner, spec: &'a Listener) -> Option<TlsFacts> {
        let ends_tls = match spec.protocol {
            ProtocolType::Https => true,
            ProtocolType::Tls => !passes_tls_on(spec),
            _ => false,
        };
        if !ends_tls {
            return None;
        }
        let gateway = Referrer {
            kind: Kind::Gateway,
            namespace: self.namespace,
        };
        let validation = validation(self.gateway, spec).map(|found| (found, gateway));
        let spec = TlsSpec {
            id: id.as_str(),
            protocol: &spec.protocol,
            tls: spec.tls.as_ref(),
            owner: Referrer {
                kind: owner.kind,
                namespace: &owner.key.namespace,
            },
            validation,
        };
        Some(termination(spec, self.credentials))
    }
}

/// The text of a listener's hostname, empty for all. "This field is ignored for protocols that
/// don't require hostname based matching." (`Listener.Hostname`)
fn hostname(spec: &Listener) -> &str {
    match spec.protocol {
        ProtocolType::Tcp | ProtocolType::Udp => "",
        _ => spec.hostname.as_deref().unwrap_or_default(),
    }
}

/// Whether a listener before it in the same object has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Free,
    Taken,
}

/// What the Gateway asks of a listener's clients: "for all Listeners handling HTTPS traffic"
/// (`FrontendTLSConfig.Default`, and `PerPort` alike). A listener of protocol TLS asks by its
/// options.
fn validation<'a>(gateway: &'a Gateway, spec: &Listener) -> Option<&'a FrontendTlsValidation> {
    if spec.protocol != ProtocolType::Https {
        return None;
    }
    let frontend = gateway.spec.tls.as_ref()?.frontend.as_ref()?;
    frontend.for_port(spec.port).validation.as_ref()
}

/// What is not served of a listener's own fields, TLS and filters apart.
fn refusal(spec: &Listener) -> Option<Problem> {
    if !kinds::is_served(&spec.protocol) {
        // "If an implementation does not support a specified protocol, it MUST set the "Accepted"
        // condition to False for the affected Listener with a reason of "UnsupportedProtocol"."
        // (`ProtocolType`)
        return Some(Problem::new(
            ConditionReason::UnsupportedProtocol,
            format!(
                "protocol {} is not supported; HTTP, HTTPS, TLS, TCP and UDP are",
                spec.protocol
            ),
        ));
    }
    if spec.port == 0 {
        return Some(Problem::new(
            ConditionReason::PortUnavailable,
            "port 0 is no port; use one from 1 to 65535",
        ));
    }
    // "It is invalid to set this field if the Protocol field is "HTTP", "TCP", or "UDP"."
    // (`Listener.TLS`)
    let other = match spec.protocol {
        ProtocolType::Http => "HTTPS",
        ProtocolType::Tcp | ProtocolType::Udp => "TLS",
        _ => return None,
    };
    spec.tls.is_some().then(|| {
        let protocol = &spec.protocol;
        Problem::unsupported(format!(
            "tls must not be set on a listener of protocol {protocol}; remove it, or use {other}"
        ))
    })
}

/// "If an implementation can not implement the filters in the order they are specified", or at all.
fn filters_refusal(spec: &Listener) -> Option<Problem> {
    let filters = &spec.filters.as_ref()?.requests;
    (!filters.is_empty())
        .then(|| Problem::unsupported("filters of listeners are not supported; remove filters"))
}
