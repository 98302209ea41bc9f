//! Gateways with the listeners of their own and of their ListenerSets.

mod conflict;
mod kinds;
mod lowering;
mod overlap;
mod parent;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::ops::Range;

use portcullis_api::gateway::{Listener, ListenerTls, ProtocolType, TlsMode};
use portcullis_api::route::RouteGroupKind;
use portcullis_api::status::ConditionReason;
use portcullis_api::{Gateway, Kind, ListenerSet, ObjectKey};
use portcullis_ir::{HostPattern, ListenerId, ListenerProtocol, PortKey, Transport};

use self::lowering::Lowering;
pub(crate) use self::parent::{Parent, ParentListener};
use crate::class::{self, Class};
use crate::infra::parameters::{self, Parameters};
use crate::inputs::Options;
use crate::namespaces;
use crate::problem::Problem;
use crate::tls::backend::{ClientCertificate, client_certificate};
use crate::tls::credentials::Credentials;
use crate::tls::termination::TlsFacts;
use crate::world::World;

/// One Gateway of ours on its way to a snapshot.
#[derive(Debug)]
pub(crate) struct GatewayDraft<'a> {
    pub(crate) key: ObjectKey,
    pub(crate) object: &'a Gateway,
    /// Why its class is not accepted.
    pub(crate) class_refused: Option<Problem>,
    /// How its data planes are to be run, or why that cannot be said.
    pub(crate) parameters: Result<Parameters, Problem>,
    /// What it shows to backends.
    pub(crate) client_certificate: ClientCertificate,
    /// Every listener, in the specification's precedence: "1. "parent" Gateway 2. ListenerSet
    /// ordered by creation time (oldest first) 3. ListenerSet ordered alphabetically by
    /// "{namespace}/{name}"." (`ListenerSetSpec.Listeners`)
    pub(crate) listeners: Vec<ListenerDraft<'a>>,
    /// Where in `listeners` those of each object are.
    owned: BTreeMap<Owner, Range<usize>>,
    /// Every ListenerSet that names it as its parent.
    pub(crate) sets: Vec<SetDraft<'a>>,
}

impl<'a> GatewayDraft<'a> {
    /// The listeners of one object, each with its number among all.
    pub(crate) fn listeners_of(
        &self,
        owner: &Owner,
    ) -> impl Iterator<Item = (usize, &ListenerDraft<'a>)> + use<'_, 'a> {
        let range = self.owned.get(owner).cloned().unwrap_or_default();
        let own = self.listeners.get(range.clone()).unwrap_or_default();
        range.zip(own)
    }

    /// Sets how many routes each listener accepted, by its owner and its number there.
    pub(crate) fn count_routes(&mut self, attached: &BTreeMap<(Owner, usize), i32>) {
        for ((owner, number), count) in attached {
            let range = self.owned.get(owner).cloned().unwrap_or_default();
            let own = self.listeners.get_mut(range).unwrap_or_default();
            if let Some(listener) = own.get_mut(*number) {
                listener.attached_routes = *count;
            }
        }
    }
}

/// A ListenerSet with one of our Gateways as its parent.
#[derive(Debug)]
pub(crate) struct SetDraft<'a> {
    pub(crate) key: ObjectKey,
    pub(crate) object: &'a ListenerSet,
    /// Why its listeners are not the Gateway's.
    pub(crate) refused: Option<Problem>,
}

impl SetDraft<'_> {
    pub(crate) fn owner(&self) -> Owner {
        Owner {
            kind: Kind::ListenerSet,
            key: self.key.clone(),
        }
    }
}

/// The object that a listener is written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// Gateway or ListenerSet.
    pub(crate) kind: Kind,
    pub(crate) key: ObjectKey,
}

/// One listener on its way to a snapshot.
#[derive(Debug)]
pub(crate) struct ListenerDraft<'a> {
    pub(crate) id: ListenerId,
    pub(crate) owner: Owner,
    pub(crate) spec: &'a Listener,
    /// [`HostPattern::Any`] also where the text is no hostname; then the listener is refused.
    pub(crate) hostname: HostPattern,
    /// With whom it cannot share its port.
    pub(crate) conflict: Option<Problem>,
    /// With whose TLS configuration its own overlaps.
    pub(crate) overlap: Option<Problem>,
    /// Why it is not accepted for itself.
    pub(crate) refused: Option<Problem>,
    /// References that lead nowhere.
    pub(crate) unresolved: Vec<Problem>,
    /// The kinds of route it takes.
    pub(crate) kinds: Vec<RouteGroupKind>,
    /// For HTTPS, and for TLS that ends at it.
    pub(crate) tls: Option<TlsFacts>,
    /// What the data plane makes of it, conflicts apart.
    pub(crate) presence: Presence,
    /// How many routes it accepted.
    pub(crate) attached_routes: i32,
}

/// What the data plane makes of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is not bound.
    Absent,
    /// It is bound without routes. It is refused because something that may have been there to keep
    /// requests out is not supported; if it were absent, its names would fall to a less specific
    /// listener that lets them in.
    Closed,
    /// It is bound with its routes. If it is refused because of its TLS, the data plane carries
    /// that out, see [`TlsFacts`].
    Open,
}

impl ListenerDraft<'_> {
    /// The socket it wants, if it can have one at all.
    pub(crate) fn port_key(&self) -> Option<PortKey> {
        let transport = match self.spec.protocol {
            ProtocolType::Udp => Transport::Udp,
            _ => Transport::Tcp,
        };
        let port = NonZeroU16::new(self.spec.port)?;
        Some(PortKey { port, transport })
    }

    /// Whether the data plane gets it, conflicts apart.
    pub(crate) fn is_bound(&self) -> bool {
        self.presence != Presence::Absent
    }

    /// Whether the data plane gets the routes on it.
    pub(crate) fn takes_requests(&self) -> bool {
        self.presence == Presence::Open && self.conflict.is_none()
    }

    /// What the data plane gets: "If a Listener is conflicted, its network port should not be
    /// configured on any network elements." (`ListenerConditionConflicted`)
    pub(crate) fn lower(&self) -> Option<portcullis_ir::Listener> {
        let protocol = match (&self.spec.protocol, &self.tls) {
            (ProtocolType::Http, _) => ListenerProtocol::Http,
            (ProtocolType::Https, Some(tls)) => ListenerProtocol::Https(tls.termination.clone()),
            (ProtocolType::Tls, Some(tls)) => {
                ListenerProtocol::TlsTerminate(tls.termination.clone())
            }
            (ProtocolType::Tls, None) => ListenerProtocol::TlsPassthrough,
            (ProtocolType::Tcp, _) => ListenerProtocol::Tcp,
            (ProtocolType::Udp, _) => ListenerProtocol::Udp,
            _ => return None,
        };
        if !self.is_bound() || self.conflict.is_some() {
            return None;
        }
        Some(portcullis_ir::Listener {
            port: NonZeroU16::new(self.spec.port)?,
            hostname: self.hostname.clone(),
            protocol,
        })
    }

    /// What of its configuration keeps it from being accepted.
    pub(crate) fn defect(&self) -> Option<&Problem> {
        self.conflict.as_ref().or(self.refused.as_ref())
    }

    /// Whether its configuration can be accepted.
    pub(crate) fn is_valid(&self) -> bool {
        self.defect().is_none()
    }
}

/// "Mode defines the TLS behavior for the TLS session initiated by the client."
/// (`ListenerTLSConfig.Mode`)
fn passes_tls_on(spec: &Listener) -> bool {
    let mode = spec.tls.as_ref().map(ListenerTls::mode);
    spec.protocol == ProtocolType::Tls && mode == Some(&TlsMode::Passthrough)
}

/// Drafts a Gateway, if its class is ours.
pub(crate) fn draft<'a>(
    key: &ObjectKey,
    object: &'a Gateway,
    options: &Options,
    credentials: &mut Credentials<'a>,
) -> Option<GatewayDraft<'a>> {
    let world = credentials.world;
    let class = class::find(world, options, &object.spec.gateway_class_name)?;
    Some(draft_of(key, object, &class, credentials))
}

fn draft_of<'a>(
    key: &ObjectKey,
    object: &'a Gateway,
    class: &Class<'_>,
    credentials: &mut Credentials<'a>,
) -> GatewayDraft<'a> {
    let world = credentials.world;
    let sets = world.sets(key);
    let mut lowering = Lowering::new(object, &key.namespace, credentials);
    lowering.add(Kind::Gateway, key, &object.spec.listeners);
    conflict::mark(&mut lowering.listeners);
    let has_valid = lowering.listeners.iter().any(ListenerDraft::is_valid);
    let mut drafts = Vec::with_capacity(sets.len());
    for (set_key, set) in sets {
        let refused = set_refusal(object, &key.namespace, set_key, world)
            .or_else(|| (!has_valid).then(parent_not_accepted));
        if refused.is_none() {
            lowering.add(Kind::ListenerSet, set_key, &set.spec.listeners);
        }
        drafts.push(SetDraft {
            key: set_key.clone(),
            object: set,
            refused,
        });
    }
    let mut listeners = lowering.listeners;
    let owned = lowering.owned;
    conflict::mark(&mut listeners);
    overlap::mark(&mut listeners);
    GatewayDraft {
        key: key.clone(),
        object,
        class_refused: class.refused.clone(),
        parameters: parameters::of_gateway(object, class.parameters, world),
        client_certificate: client_certificate(object, &key.namespace, credentials),
        listeners,
        owned,
        sets: drafts,
    }
}

/// "The default value None": no ListenerSets. (`AllowedListeners`)
fn set_refusal(
    gateway: &Gateway,
    namespace: &str,
    set: &ObjectKey,
    world: &World<'_>,
) -> Option<Problem> {
    let allowed = gateway.spec.allowed_listeners.as_ref();
    let taken = allowed.is_some_and(|allowed| {
        namespaces::takes(
            world,
            allowed.from(),
            allowed.selector(),
            namespace,
            &set.namespace,
        )
    });
    (!taken).then(|| {
        Problem::new(
            ConditionReason::NotAllowed,
            format!(
                "allowedListeners of the Gateway does not take ListenerSets of namespace {}",
                set.namespace
            ),
        )
    })
}

/// "At least one distinct Listener MUST be present, or else the Gateway effectively contains _no_
/// Listeners, and must be rejected from processing as a whole." (`GatewaySpec.Listeners`)
fn parent_not_accepted() -> Problem {
    Problem::new(
        ConditionReason::ParentNotAccepted,
        "the Gateway is not accepted: it has no valid listener of its own",
    )
}
