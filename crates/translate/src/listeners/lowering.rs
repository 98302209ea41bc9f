//! From a listener as it is written to a draft.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use portcullis_api::gateway::{FrontendTlsValidation, Listener, ProtocolType};
use portcullis_api::status::ConditionReason;
use portcullis_api::{Gateway, Kind, ObjectKey};
use portcullis_ir::{HostPattern, ListenerId};

use super::{ListenerDraft, Owner, Presence, kinds};
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
        let hostname = HostPattern::parse(spec.hostname.as_deref().unwrap_or_default());
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
        if spec.protocol != ProtocolType::Https {
            return None;
        }
        let gateway = Referrer {
            kind: Kind::Gateway,
            namespace: self.namespace,
        };
        let validation = validation(self.gateway, spec.port).map(|found| (found, gateway));
        let spec = TlsSpec {
            id: id.as_str(),
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

/// Whether a listener before it in the same object has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Free,
    Taken,
}

/// What the Gateway asks of clients on a port.
fn validation(gateway: &Gateway, port: u16) -> Option<&FrontendTlsValidation> {
    let frontend = gateway.spec.tls.as_ref()?.frontend.as_ref()?;
    frontend.for_port(port).validation.as_ref()
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
                "protocol {} is not supported; HTTP and HTTPS are",
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
    (spec.protocol == ProtocolType::Http && spec.tls.is_some()).then(|| {
        Problem::unsupported("tls must not be set on an HTTP listener; remove it, or use HTTPS")
    })
}

/// "If an implementation can not implement the filters in the order they are specified", or at all.
fn filters_refusal(spec: &Listener) -> Option<Problem> {
    let filters = &spec.filters.as_ref()?.requests;
    (!filters.is_empty())
        .then(|| Problem::unsupported("filters of listeners are not supported; remove filters"))
}
