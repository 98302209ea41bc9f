//! From the statuses of a translation to what is told to the writer.

use std::collections::BTreeMap;

use portcullis_api::{Kind, ObjectKey};
use portcullis_translate::Statuses;
use serde::Serialize;
use serde_json::Value;

use super::Subject;

/// What is to be said about one object; `None`: nothing any more.
pub type Change = (Subject, Option<Value>);

/// What is said otherwise in `new` than in `old`.
pub fn changes(old: &Statuses, new: &Statuses) -> Vec<Change> {
    let Statuses {
        gateway_classes,
        gateways,
        listener_sets,
        http_routes,
    } = new;
    let mut changes = Vec::new();
    let all = &mut changes;
    compare(
        Kind::GatewayClass,
        &old.gateway_classes,
        gateway_classes,
        all,
    );
    compare(Kind::Gateway, &old.gateways, gateways, all);
    compare(Kind::ListenerSet, &old.listener_sets, listener_sets, all);
    compare(Kind::HttpRoute, &old.http_routes, http_routes, all);
    changes
}

fn compare<S: PartialEq + Serialize>(
    kind: Kind,
    old: &BTreeMap<ObjectKey, S>,
    new: &BTreeMap<ObjectKey, S>,
    changes: &mut Vec<Change>,
) {
    let subject = |key: &ObjectKey| Subject {
        kind,
        key: key.clone(),
    };
    for (key, status) in new {
        if old.get(key) == Some(status) {
            continue;
        }
        // Our own types: strings, numbers, lists of them. There is nothing that could not be JSON.
        let status = serde_json::to_value(status).unwrap_or_default();
        changes.push((subject(key), Some(status)));
    }
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    changes.extend(gone.map(|key| (subject(key), None)));
}
