//! Which objects of a cluster are shown: those of Portcullis, in a namespace, of a name.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec};
use portcullis_api::route::ParentReference;
use portcullis_api::status::{PolicyAncestorStatus, RouteStatus};
use portcullis_api::{AnyObject, BackendTlsPolicy, Kind, ObjectKey, Objects};

use crate::status::remarks::parent_refs;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// `None`: all of them.
    pub(super) namespace: Option<String>,
    /// `None`: any.
    pub(super) name: Option<String>,
}

impl Scope {
    /// `namespace/name` says both.
    pub(super) fn new(namespace: Option<&str>, name: Option<&str>) -> Self {
        let (namespace, name) = match name.and_then(|name| name.split_once('/')) {
            Some((namespace, name)) => (Some(namespace), Some(name)),
            None => (namespace, name),
        };
        Self {
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        }
    }

    fn has_namespace(&self, key: &ObjectKey) -> bool {
        let mut wanted = self.namespace.iter();
        wanted.all(|namespace| **namespace == *key.namespace)
    }

    fn has_name(&self, key: &ObjectKey) -> bool {
        self.name.iter().all(|name| **name == *key.name)
    }

    fn has(&self, key: &ObjectKey) -> bool {
        self.has_namespace(key) && self.has_name(key)
    }
}

/// What of `all` is Portcullis's and in scope: Gateways of its classes, ListenerSets and routes of
/// those wherever they are, and the policies that take effect there. The status of a route or policy
/// has only what `controller` says.
pub(super) fn ours(all: &Objects, controller: &str, scope: &Scope) -> Objects {
    let classes: BTreeSet<&str> = all
        .gateway_classes
        .iter()
        .filter(|(_, class)| class.spec.controller_name == controller)
        .map(|(key, _)| &*key.name)
        .collect();
    let our_gateways: BTreeSet<&ObjectKey> = all
        .gateways
        .iter()
        .filter(|(_, gateway)| classes.contains(&*gateway.spec.gateway_class_name))
        .map(|(key, _)| key)
        .collect();
    let mut parents: BTreeSet<Parent> = BTreeSet::new();
    let mut in_scope: BTreeSet<Parent> = BTreeSet::new();
    for key in our_gateways {
        let parent = (Kind::Gateway, key.clone());
        in_scope.extend(scope.has(key).then(|| parent.clone()));
        parents.insert(parent);
    }
    for (key, set) in &all.listener_sets {
        let above = parent(&set.spec.parent_ref, &key.namespace);
        let is = |known: &BTreeSet<Parent>| above.as_ref().is_some_and(|p| known.contains(p));
        let own = (Kind::ListenerSet, key.clone());
        if is(&in_scope) || (is(&parents) && scope.has(key)) {
            in_scope.insert(own.clone());
        }
        if is(&parents) {
            parents.insert(own);
        }
    }
    let is_shown = |object: &AnyObject| match object {
        AnyObject::GatewayClass(class) => class.spec.controller_name == controller,
        AnyObject::Gateway(_) | AnyObject::ListenerSet(_) => {
            in_scope.contains(&(object.kind(), object.key()))
        }
        AnyObject::BackendTlsPolicy(policy) => {
            let key = object.key();
            let entries = policy.status.iter().flat_map(|status| &status.ancestors);
            let mut own = entries.filter(|entry| entry.controller_name == controller);
            own.any(|entry| {
                let above = parent(&entry.ancestor_ref, &key.namespace);
                above.is_some_and(|above| {
                    in_scope.contains(&above) || (parents.contains(&above) && scope.has(&key))
                })
            })
        }
        route => parent_refs(route).into_iter().flatten().any(|reference| {
            let key = route.key();
            let above = parent(reference, &key.namespace);
            above.is_some_and(|above| {
                in_scope.contains(&above) || (parents.contains(&above) && scope.has(&key))
            })
        }),
    };
    let shown = all.iter().filter(is_shown);
    shown
        .map(|object| with_our_status(object, controller))
        .collect()
}

type Parent = (Kind, ObjectKey);

/// What a parentRef names, if it is a kind that we know.
fn parent(reference: &ParentReference, own_namespace: &str) -> Option<Parent> {
    let target = reference.target();
    let kind = Kind::find(target.group, target.kind)?;
    let namespace = target.namespace.unwrap_or(own_namespace);
    Some((kind, ObjectKey::new(namespace, target.name)))
}

/// Without what other controllers say of a route or policy.
fn with_our_status(object: AnyObject, controller: &str) -> AnyObject {
    fn own<S: Spec<Status = RouteStatus>>(route: &Object<S>, controller: &str) -> Arc<Object<S>>
    where
        Object<S>: Clone,
    {
        let mut route = route.clone();
        if let Some(status) = &mut route.status {
            let parents = &mut Arc::make_mut(status).parents;
            parents.retain(|parent| parent.controller_name == controller);
        }
        Arc::new(route)
    }
    match object {
        AnyObject::HttpRoute(route) => AnyObject::HttpRoute(own(&route, controller)),
        AnyObject::GrpcRoute(route) => AnyObject::GrpcRoute(own(&route, controller)),
        AnyObject::TlsRoute(route) => AnyObject::TlsRoute(own(&route, controller)),
        AnyObject::TcpRoute(route) => AnyObject::TcpRoute(own(&route, controller)),
        AnyObject::UdpRoute(route) => AnyObject::UdpRoute(own(&route, controller)),
        AnyObject::BackendTlsPolicy(policy) => {
            let mut policy = BackendTlsPolicy::clone(&policy);
            if let Some(status) = &mut policy.status {
                let is_own = |entry: &PolicyAncestorStatus| entry.controller_name == controller;
                Arc::make_mut(status).ancestors.retain(is_own);
            }
            policy.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
