//! Objects with what is said about them, as the API server would hold them.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec, Time};
use portcullis_api::{ObjectChange, ObjectKey, Objects};
use portcullis_ir::shared::{Alike, SharedMap};
use portcullis_translate::status::{Conditioned, carry_transition_times};
use portcullis_translate::{StatusMap, Statuses};

type Map<S> = SharedMap<ObjectKey, Arc<Object<S>>>;

/// The objects that have a status, with it; brought up to date at a cost that goes with what
/// changed.
///
/// `metadata.creationTimestamp` is filled in: an object that the user gave none was created when it
/// was first seen. An object about which nothing changed is the same in memory as before.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// As the user wrote them.
    objects: Objects,
    statuses: Statuses,
    shown: Arc<Objects>,
}

/// Whether an update made a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    None,
    Some,
}

impl Listing {
    /// The objects with their statuses.
    pub(crate) fn shown(&self) -> &Arc<Objects> {
        &self.shown
    }

    /// These are the objects now, and their statuses.
    pub(crate) fn update(
        &mut self,
        objects: &Objects,
        statuses: Statuses,
        now: &Time,
    ) -> Difference {
        let changes = self.objects.follow(objects);
        let before = std::mem::replace(&mut self.statuses, statuses);
        let Statuses {
            gateway_classes,
            gateways,
            listener_sets,
            http_routes,
            grpc_routes,
            tls_routes,
            tcp_routes,
            udp_routes,
            backend_tls_policies,
        } = &self.statuses;
        let shown = &*self.shown;
        let update = Update {
            changes: &changes,
            now,
        };
        let gateway_classes = update.of(
            (&objects.gateway_classes, &shown.gateway_classes),
            (&before.gateway_classes, gateway_classes),
        );
        let gateways = update.of(
            (&objects.gateways, &shown.gateways),
            (&before.gateways, gateways),
        );
        let listener_sets = update.of(
            (&objects.listener_sets, &shown.listener_sets),
            (&before.listener_sets, listener_sets),
        );
        let http_routes = update.of(
            (&objects.http_routes, &shown.http_routes),
            (&before.http_routes, http_routes),
        );
        let grpc_routes = update.of(
            (&objects.grpc_routes, &shown.grpc_routes),
            (&before.grpc_routes, grpc_routes),
        );
        let tls_routes = update.of(
            (&objects.tls_routes, &shown.tls_routes),
            (&before.tls_routes, tls_routes),
        );
        let tcp_routes = update.of(
            (&objects.tcp_routes, &shown.tcp_routes),
            (&before.tcp_routes, tcp_routes),
        );
        let udp_routes = update.of(
            (&objects.udp_routes, &shown.udp_routes),
            (&before.udp_routes, udp_routes),
        );
        let backend_tls_policies = update.of(
            (&objects.backend_tls_policies, &shown.backend_tls_policies),
            (&before.backend_tls_policies, backend_tls_policies),
        );
        let is_same = gateway_classes.is_empty()
            && gateways.is_empty()
            && listener_sets.is_empty()
            && http_routes.is_empty()
            && grpc_routes.is_empty()
            && tls_routes.is_empty()
            && tcp_routes.is_empty()
            && udp_routes.is_empty()
            && backend_tls_policies.is_empty();
        if is_same {
            return Difference::None;
        }
        let shown = Arc::make_mut(&mut self.shown);
        put(&mut shown.gateway_classes, gateway_classes);
        put(&mut shown.gateways, gateways);
        put(&mut shown.listener_sets, listener_sets);
        put(&mut shown.http_routes, http_routes);
        put(&mut shown.grpc_routes, grpc_routes);
        put(&mut shown.tls_routes, tls_routes);
        put(&mut shown.tcp_routes, tcp_routes);
        put(&mut shown.udp_routes, udp_routes);
        put(&mut shown.backend_tls_policies, backend_tls_policies);
        Difference::Some
    }
}

/// What is to be shown of some objects; `None`: nothing any more.
type News<S> = Vec<(ObjectKey, Option<Arc<Object<S>>>)>;

fn put<S: Spec>(shown: &mut Map<S>, news: News<S>) {
    for (key, object) in news {
        match object {
            Some(object) => shown.insert(key, object),
            None => shown.remove(&key),
        };
    }
}

struct Update<'a> {
    changes: &'a [ObjectChange],
    now: &'a Time,
}

impl Update<'_> {
    /// What is new of one kind.
    fn of<S: Spec>(
        &self,
        (objects, shown): (&Map<S>, &Map<S>),
        (before, statuses): (&StatusMap<S::Status>, &StatusMap<S::Status>),
    ) -> News<S>
    where
        S::Status: Conditioned,
    {
        let is_of_kind = |change: &&ObjectChange| change.kind == S::KIND;
        let of_objects = self.changes.iter().filter(is_of_kind);
        let of_statuses = statuses.changes_since(before);
        let dirty: BTreeSet<&ObjectKey> = of_objects
            .map(|change| &change.key)
            .chain(of_statuses.map(|change| change.key))
            .collect();
        // What is said of a thousand routes is mostly the same.
        let mut alike = Alike::default();
        let news = dirty.into_iter().filter_map(|key| {
            let old = shown.get(key);
            let new = match (objects.get(key), statuses.get(key)) {
                (Some(object), Some(status)) => {
                    let status = alike.share(self.timed::<S>(status, old));
                    Some(self.with_status(object, status, old))
                }
                _ => None,
            };
            (new.as_ref() != old).then(|| (key.clone(), new))
        });
        news.collect()
    }

    /// A status with the times of its transitions.
    fn timed<S: Spec>(&self, status: &S::Status, old: Option<&Arc<Object<S>>>) -> S::Status
    where
        S::Status: Conditioned,
    {
        let mut status = status.clone();
        let before = old.and_then(|old| old.status.as_deref());
        carry_transition_times(before, &mut status, self.now);
        status
    }

    fn with_status<S: Spec>(
        &self,
        object: &Object<S>,
        status: Arc<S::Status>,
        old: Option<&Arc<Object<S>>>,
    ) -> Arc<Object<S>> {
        let mut metadata = object.metadata.clone();
        if metadata.creation_timestamp.is_none() {
            let first_seen = old.and_then(|old| old.metadata.creation_timestamp.clone());
            metadata.creation_timestamp = Some(first_seen.unwrap_or_else(|| self.now.clone()));
        }
        Arc::new(Object {
            metadata,
            spec: Arc::clone(&object.spec),
            status: Some(status),
        })
    }
}
