//! What no status says, since on a cluster it would be none of our business: objects that nothing
//! here serves, most likely by mistake.

use std::path::PathBuf;

use portcullis_api::{Kind, ObjectKey, Objects};
use portcullis_folder::{Contents, Finding, LineColumn, Origin, Severity};

use super::{CLASS, CONTROLLER};

/// Kinds that are read but not served yet.
const UNSERVED: [Kind; 5] = [
    Kind::GrpcRoute,
    Kind::TlsRoute,
    Kind::TcpRoute,
    Kind::UdpRoute,
    Kind::BackendTlsPolicy,
];

/// Warnings about objects that are in `contents` but not in `listing`.
pub(super) fn hints(contents: &Contents, listing: &Objects) -> Vec<Finding> {
    let Contents {
        objects,
        origins: _,
        findings: _,
        kept: _,
    } = contents;
    let mut hints = Vec::new();
    let mut hint = |kind: Kind, key: &ObjectKey, message: String| {
        hints.push(finding(contents, kind, key, &message));
    };
    for (key, gateway) in &objects.gateways {
        if !listing.gateways.contains_key(key) {
            hint(
                Kind::Gateway,
                key,
                foreign_class(&gateway.spec.gateway_class_name, objects),
            );
        }
    }
    for (key, route) in &objects.http_routes {
        let namespace = &key.namespace;
        for parent in &route.spec.parent_refs {
            let target = parent.target();
            let name = ObjectKey::new(target.namespace.unwrap_or(namespace), target.name);
            let exists = match target.kind {
                "Gateway" => objects.gateways.contains_key(&name),
                "ListenerSet" => objects.listener_sets.contains_key(&name),
                _ => continue,
            };
            if !exists {
                let message = format!(
                    "its parent, {} {name}, is in none of the files",
                    target.kind
                );
                hint(Kind::HttpRoute, key, message);
            }
        }
        if route.spec.parent_refs.is_empty() {
            hint(
                Kind::HttpRoute,
                key,
                "it has no parentRefs, so no Gateway serves it".to_owned(),
            );
        }
    }
    for object in objects
        .iter()
        .filter(|object| UNSERVED.contains(&object.kind()))
    {
        let kind = object.kind();
        hint(
            kind,
            &object.key(),
            format!("{kind} is not supported yet, and has no effect"),
        );
    }
    hints
}

fn foreign_class(class: &str, objects: &Objects) -> String {
    match objects.gateway_classes.get(&ObjectKey::new("", class)) {
        Some(object) => format!(
            "ignored: its class {class:?} belongs to the controller {:?}; Portcullis serves classes \
             of {CONTROLLER:?}, such as {CLASS:?}",
            object.spec.controller_name
        ),
        None => format!(
            "ignored: there is no GatewayClass {class:?}; use gatewayClassName: {CLASS}, which is \
             always there, or add a GatewayClass with controllerName: {CONTROLLER}"
        ),
    }
}

fn finding(contents: &Contents, kind: Kind, key: &ObjectKey, message: &str) -> Finding {
    let origin = contents.origins.get(&(kind, key.clone()));
    let path = origin.map_or_else(PathBuf::new, |Origin { path, line: _ }| path.clone());
    let line = origin.and_then(|origin| origin.line);
    Finding {
        path,
        at: line.map(|line| LineColumn { line, column: 1 }),
        severity: Severity::Warning,
        message: format!("{kind} {key}: {message}"),
    }
}
