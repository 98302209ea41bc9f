//! What one object names.

use std::collections::BTreeSet;

use portcullis_api::core::EndpointSlice;
use portcullis_api::gateway::{FromNamespaces, GatewayTls, Listener};
use portcullis_api::grpc_route::GrpcRouteSpec;
use portcullis_api::http_route::HttpRouteSpec;
use portcullis_api::kind::Scope;
use portcullis_api::meta::{Object, ObjectMeta, Spec};
use portcullis_api::route::{BackendRef, ParentReference, RouteFilter, Target};
use portcullis_api::status::RouteStatus;
use portcullis_api::tcp_route::TcpRouteSpec;
use portcullis_api::tls_route::TlsRouteSpec;
use portcullis_api::udp_route::UdpRouteSpec;
use portcullis_api::{
    AnyObject, BackendTlsPolicy, Gateway, GatewayClass, Kind, ListenerSet, ObjectKey,
};

use super::Subject;
use crate::world::SERVICE_NAME;

/// What an object names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// What a translation looks for because of it.
    pub(super) subjects: Subjects,
    /// Of a ListenerSet, the Gateway it names; of a route, its parents.
    pub(super) parents: Subjects,
    /// Whether it chooses namespaces by their labels.
    pub(super) is_selecting: bool,
}

/// A set of a few, of which there are many: one list in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Subjects(Vec<Subject>);

impl Subjects {
    pub(super) fn insert(&mut self, subject: Subject) {
        if let Err(at) = self.0.binary_search(&subject) {
            self.0.insert(at, subject);
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Subject> {
        self.0.iter()
    }

    /// Those that are in a set as well.
    pub(super) fn within<'a>(
        &'a self,
        all: &'a BTreeSet<Subject>,
    ) -> impl Iterator<Item = &'a Subject> {
        self.0.iter().filter(|subject| all.contains(subject))
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Subject) -> bool) {
        self.0.retain(keep);
    }

    /// Makes each share its text with the equal one that `known` gives, and takes no more room than
    /// is needed.
    pub(super) fn settle(&mut self, known: impl Fn(&Subject) -> Option<Subject>) {
        for subject in &mut self.0 {
            if let Some(known) = known(subject) {
                *subject = known;
            }
        }
        self.0.shrink_to_fit();
    }
}

impl Extend<Subject> for Subjects {
    fn extend<I: IntoIterator<Item = Subject>>(&mut self, subjects: I) {
        subjects.into_iter().for_each(|it| self.insert(it));
    }
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A kind of route, as far as what it names is concerned.
trait RouteSpec: Spec<Status = RouteStatus> {
    fn parent_refs(&self) -> &[ParentReference];
    /// Everything that requests are sent to.
    fn backends(&self) -> Vec<Target<'_>>;
}

/// What routes of all kinds have.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnyRoute<'a> {
    pub(super) metadata: &'a ObjectMeta,
    pub(super) parent_refs: &'a [ParentReference],
    pub(super) status: Option<&'a RouteStatus>,
}

impl<'a, S: RouteSpec> From<&'a Object<S>> for AnyRoute<'a> {
    fn from(route: &'a Object<S>) -> Self {
        Self {
            metadata: &route.metadata,
            parent_refs: route.spec.parent_refs(),
            status: route.status.as_deref(),
        }
    }
}

/// The object as a route, if it is one.
pub(super) fn route(object: &AnyObject) -> Option<AnyRoute<'_>> {
    match object {
        AnyObject::HttpRoute(route) => Some((&**route).into()),
        AnyObject::GrpcRoute(route) => Some((&**route).into()),
        AnyObject::TlsRoute(route) => Some((&**route).into()),
        AnyObject::TcpRoute(route) => Some((&**route).into()),
        AnyObject::UdpRoute(route) => Some((&**route).into()),
        _ => None,
    }
}

/// What an object of any kind names.
pub(super) fn of(object: &AnyObject) -> Outgoing {
    match object {
        AnyObject::GatewayClass(class) => of_class(class),
        AnyObject::Gateway(gateway) => of_gateway(gateway),
        AnyObject::ListenerSet(set) => of_set(set),
        AnyObject::HttpRoute(route) => of_route(route),
        AnyObject::GrpcRoute(route) => of_route(route),
        AnyObject::TlsRoute(route) => of_route(route),
        AnyObject::TcpRoute(route) => of_route(route),
        AnyObject::UdpRoute(route) => of_route(route),
        AnyObject::ReferenceGrant(_)
        // It is looked at only while what it is about is; see `of_policy`.
        | AnyObject::BackendTlsPolicy(_)
        | AnyObject::Namespace(_)
        | AnyObject::Service(_)
        | AnyObject::EndpointSlice(_)
        | AnyObject::Secret(_)
        | AnyObject::ConfigMap(_)
        | AnyObject::GatewayParameters(_)
        | AnyObject::ClusterTrustBundle(_) => Outgoing::default(),
    }
}

/// The parent that a reference of an object leads to, if it is of a kind that can be one.
pub(super) fn parent(reference: &ParentReference, metadata: &ObjectMeta) -> Option<Subject> {
    let target = reference.target();
    let kind = Kind::find(target.group, target.kind)?;
    let namespace = target.namespace.or(metadata.namespace.as_deref());
    Some((
        kind,
        ObjectKey::new(namespace.unwrap_or_default(), target.name),
    ))
}

/// The Service that an EndpointSlice belongs to.
pub(super) fn service_of(slice: &EndpointSlice) -> Option<ObjectKey> {
    let name = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
    Some(ObjectKey::new(namespace, name.as_str()))
}

/// Gathers what one object names.
struct Gathering<'a> {
    namespace: &'a str,
    outgoing: Outgoing,
}

impl<'a> Gathering<'a> {
    fn new(metadata: &'a ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.as_deref().unwrap_or_default(),
            outgoing: Outgoing::default(),
        }
    }

    /// The object that is named, and the grants that may be needed to name it.
    fn name(&mut self, target: Target<'_>) {
        let namespace = target.namespace.unwrap_or(self.namespace);
        if namespace != self.namespace {
            let grants = (Kind::ReferenceGrant, ObjectKey::new(namespace, ""));
            self.outgoing.subjects.insert(grants);
        }
        if let Some(kind) = Kind::find(target.group, target.kind) {
            let namespace = match kind.scope() {
                Scope::Cluster => "",
                Scope::Namespaced => namespace,
            };
            let subject = (kind, ObjectKey::new(namespace, target.name));
            self.outgoing.subjects.insert(subject);
        }
    }

    /// The labels of its own namespace, by which it may be chosen.
    fn name_own_namespace(&mut self) {
        let subject = (Kind::Namespace, ObjectKey::new("", self.namespace));
        self.outgoing.subjects.insert(subject);
    }

    fn name_of_listeners(&mut self, listeners: &[Listener]) {
        for listener in listeners {
            self.outgoing.is_selecting |=
                *listener.allowed_namespaces() == FromNamespaces::Selector;
            let references = listener.tls.iter().flat_map(|tls| &tls.certificate_refs);
            for reference in references {
                let target = reference.target();
                self.name(target);
                // Where the CA may be when the listener's options ask for client certificates.
                let beside = format!("{}-cacert", target.name);
                self.name(Target {
                    name: &beside,
                    ..target
                });
            }
        }
    }

    fn name_of_tls(&mut self, tls: &GatewayTls) {
        let GatewayTls { backend, frontend } = tls;
        let own = backend.iter().flat_map(|it| &it.client_certificate_ref);
        for reference in own {
            self.name(reference.target());
        }
        let Some(frontend) = frontend else { return };
        let per_port = frontend.per_port.iter().map(|port| &port.tls);
        let validations = per_port.chain([&frontend.default]);
        for validation in validations.flat_map(|it| &it.validation) {
            for reference in &validation.ca_certificate_refs {
                self.name(reference.target());
            }
        }
    }
}

fn of_class(class: &GatewayClass) -> Outgoing {
    let mut gathering = Gathering::new(&class.metadata);
    if let Some(parameters) = &class.spec.parameters_ref {
        gathering.name(parameters.target());
    }
    gathering.outgoing
}

fn of_gateway(gateway: &Gateway) -> Outgoing {
    let spec = &gateway.spec;
    let mut gathering = Gathering::new(&gateway.metadata);
    gathering.name_of_listeners(&spec.listeners);
    if let Some(tls) = &spec.tls {
        gathering.name_of_tls(tls);
    }
    let infrastructure = spec.infrastructure.as_ref();
    if let Some(parameters) = infrastructure.and_then(|it| it.parameters_ref.as_ref()) {
        gathering.name(parameters.target());
    }
    let sets = spec.allowed_listeners.as_ref();
    gathering.outgoing.is_selecting |=
        sets.is_some_and(|allowed| *allowed.from() == FromNamespaces::Selector);
    gathering.outgoing
}

fn of_set(set: &ListenerSet) -> Outgoing {
    let mut gathering = Gathering::new(&set.metadata);
    gathering.name_of_listeners(&set.spec.listeners);
    gathering.name_own_namespace();
    let gateway = parent(&set.spec.parent_ref, &set.metadata);
    gathering.outgoing.parents.extend(gateway);
    gathering.outgoing
}

/// What a policy names, for as long as it is looked at.
pub(super) fn of_policy(policy: &BackendTlsPolicy) -> Outgoing {
    let mut gathering = Gathering::new(&policy.metadata);
    for reference in &policy.spec.validation.ca_certificate_refs {
        gathering.name(reference.target());
    }
    let mut outgoing = gathering.outgoing;
    // A Service, named by mistake, is never looked at for certificates. Were it counted, policies
    // about the Services that they name would keep each other looked at for ever.
    outgoing.subjects.retain(|(kind, _)| *kind != Kind::Service);
    outgoing
}

fn of_route<S: RouteSpec>(route: &Object<S>) -> Outgoing {
    let mut gathering = Gathering::new(&route.metadata);
    for target in route.spec.backends() {
        gathering.name(target);
    }
    let parents = route.spec.parent_refs().iter();
    let parents = parents.filter_map(|reference| parent(reference, &route.metadata));
    gathering.outgoing.parents.extend(parents);
    gathering.name_own_namespace();
    gathering.outgoing
}

/// What filters send requests to.
fn backends_of_filters(filters: &[RouteFilter]) -> impl Iterator<Item = Target<'_>> {
    filters.iter().flat_map(|filter| {
        let mirror = filter.request_mirror.as_ref();
        let auth = filter.external_auth.as_ref();
        let mirror = mirror.map(|it| it.backend_ref.target());
        mirror
            .into_iter()
            .chain(auth.map(|it| it.backend_ref.target()))
    })
}

/// What a rule sends requests to.
fn backends_of_rule<'a>(
    filters: &'a [RouteFilter],
    shares: &'a [BackendRef],
) -> impl Iterator<Item = Target<'a>> {
    let of_share =
        |share: &'a BackendRef| backends_of_filters(&share.filters).chain([share.target()]);
    backends_of_filters(filters).chain(shares.iter().flat_map(of_share))
}

macro_rules! request_route {
    ($spec:ty) => {
        impl RouteSpec for $spec {
            fn parent_refs(&self) -> &[ParentReference] {
                &self.parent_refs
            }

            fn backends(&self) -> Vec<Target<'_>> {
                let rules = self.rules.iter();
                rules
                    .flat_map(|rule| backends_of_rule(&rule.filters, &rule.backend_refs))
                    .collect()
            }
        }
    };
}

macro_rules! l4_route {
    ($spec:ty) => {
        impl RouteSpec for $spec {
            fn parent_refs(&self) -> &[ParentReference] {
                &self.parent_refs
            }

            fn backends(&self) -> Vec<Target<'_>> {
                let rules = self.rules.iter();
                rules
                    .flat_map(|rule| backends_of_rule(&[], &rule.backend_refs))
                    .collect()
            }
        }
    };
}

request_route!(HttpRouteSpec);
request_route!(GrpcRouteSpec);
l4_route!(TlsRouteSpec);
l4_route!(TcpRouteSpec);
l4_route!(UdpRouteSpec);
