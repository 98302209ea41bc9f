//! Objects with what is said about them, as the API server would hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec, Time};
use portcullis_api::{ObjectKey, Objects};
use portcullis_translate::status::{Conditioned, carry_transition_times};
use portcullis_translate::{StatusMap, Statuses};

type Map<S> = BTreeMap<ObjectKey, Arc<Object<S>>>;

/// The objects that have a status, with it.
///
/// `metadata.creationTimestamp` is filled in: an object that the user gave none was created when it
/// was first seen. An object about which nothing changed is the same in memory as before.
pub(crate) fn listing(
    objects: &Objects,
    statuses: &Statuses,
    before: &Objects,
    now: &Time,
) -> Objects {
    let Statuses {
        gateway_classes,
        gateways,
        listener_sets,
        http_routes,
    } = statuses;
    Objects {
        gateway_classes: shown(
            &objects.gateway_classes,
            gateway_classes,
            &before.gateway_classes,
            now,
        ),
        gateways: shown(&objects.gateways, gateways, &before.gateways, now),
        listener_sets: shown(
            &objects.listener_sets,
            listener_sets,
            &before.listener_sets,
            now,
        ),
        http_routes: shown(&objects.http_routes, http_routes, &before.http_routes, now),
        ..Objects::default()
    }
}

fn shown<S: Spec>(
    objects: &Map<S>,
    statuses: &StatusMap<S::Status>,
    before: &Map<S>,
    now: &Time,
) -> Map<S>
where
    S::Status: Conditioned,
{
    let with_status = |(key, status): (&ObjectKey, &Arc<S::Status>)| {
        let object = objects.get(key)?;
        let old = before.get(key);
        let mut status = S::Status::clone(status);
        carry_transition_times(old.and_then(|old| old.status.as_ref()), &mut status, now);
        let mut metadata = object.metadata.clone();
        if metadata.creation_timestamp.is_none() {
            let first_seen = old.and_then(|old| old.metadata.creation_timestamp.clone());
            metadata.creation_timestamp = Some(first_seen.unwrap_or_else(|| now.clone()));
        }
        let is_same = |old: &&Arc<Object<S>>| {
            old.metadata == metadata
                && old.spec == object.spec
                && old.status.as_ref() == Some(&status)
        };
        if let Some(same) = old.filter(is_same) {
            return Some((key.clone(), Arc::clone(same)));
        }
        let spec = object.spec.clone();
        Some((
            key.clone(),
            Arc::new(Object {
                metadata,
                spec,
                status: Some(status),
            }),
        ))
    };
    statuses.iter().filter_map(with_status).collect()
}
