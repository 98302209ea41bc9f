//! From the statuses of a translation to what is told to the writer.

use portcullis_api::Kind;
use portcullis_translate::{StatusMap, Statuses};
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
        http_routes: _,
        grpc_routes: _,
        tls_routes: _,
        tcp_routes: _,
        udp_routes: _,
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
    for ((kind, new), (_, old)) in new.routes().into_iter().zip(old.routes()) {
        compare(kind, old, new, all);
    }
    changes
}

fn compare<S: PartialEq + Serialize>(
    kind: Kind,
    old: &StatusMap<S>,
    new: &StatusMap<S>,
    changes: &mut Vec<Change>,
) {
    changes.extend(new.changes_since(old).map(|change| {
        let key = change.key.clone();
        // Our own types: strings, numbers, lists of them. There is nothing that could not be JSON.
        let status = change.after.map(|status| serde_json::to_value(&**status));
        let status = status.map(Result::unwrap_or_default);
        (Subject { kind, key }, status)
    }));
}
