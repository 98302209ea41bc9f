//! From the statuses of a translation to what is told to the writer.

use std::sync::Arc;

use portcullis_api::Kind;
use portcullis_shared::Alike;
use portcullis_translate::{StatusMap, Statuses};
use serde::Serialize;
use serde_json::Value;

use super::Subject;

/// What is to be said about one object; `None`: nothing any more. The same of two is there once.
pub type Change = (Subject, Option<Arc<Value>>);

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
        backend_tls_policies,
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
    compare(
        Kind::BackendTlsPolicy,
        &old.backend_tls_policies,
        backend_tls_policies,
        all,
    );
    changes
}

/// What is said of a route or policy.
pub fn said(statuses: &Statuses, subject: &Subject) -> Option<Value> {
    let Subject { kind, key } = subject;
    if *kind == Kind::BackendTlsPolicy {
        return Some(json(&**statuses.backend_tls_policies.get(key)?));
    }
    let of_kind = statuses.routes().into_iter().find(|(of, _)| of == kind);
    Some(json(&**of_kind?.1.get(key)?))
}

/// Our own types: strings, numbers, lists of them. There is nothing that could not be JSON.
fn json<S: Serialize>(status: &S) -> Value {
    serde_json::to_value(status).unwrap_or_default()
}

fn compare<S: PartialEq + Serialize>(
    kind: Kind,
    old: &StatusMap<S>,
    new: &StatusMap<S>,
    changes: &mut Vec<Change>,
) {
    let mut alike = Alike::default();
    changes.extend(new.changes_since(old).map(|change| {
        let key = change.key.clone();
        let status = change.after.map(|status| alike.share(json(&**status)));
        (Subject { kind, key }, status)
    }));
}
