//! What no status says, since on a cluster it would be none of our business: objects that nothing
//! here serves, most likely by mistake.

use std::path::PathBuf;

use portcullis_api::route::ParentReference;
use portcullis_api::{Kind, ObjectKey, Objects};
use portcullis_folder::{Contents, Finding, LineColumn, Origin, Severity};

use super::{CLASS, CONTROLLER};
use crate::status::remarks::parent_refs;

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
    for object in objects.iter() {
        let (kind, key) = (object.kind(), object.key());
        if let Some(parents) = parent_refs(&object) {
            for message in astray(parents, &key.namespace, objects) {
                hint(kind, &key, message);
            }
        }
    }
    for key in objects.backend_tls_policies.keys() {
        if !listing.backend_tls_policies.contains_key(key) {
            let message = "it has no effect: no route that is served names a Service it is about";
            hint(Kind::BackendTlsPolicy, key, message.to_owned());
        }
    }
    hints
}

/// What is wrong with a route's parents that no status of it says, for there is nobody to say it.
fn astray(parents: &[ParentReference], namespace: &str, objects: &Objects) -> Vec<String> {
    if parents.is_empty() {
        return vec!["it has no parentRefs, so no Gateway serves it".to_owned()];
    }
    let message = |parent: &ParentReference| {
        let target = parent.target();
        let name = ObjectKey::new(target.namespace.unwrap_or(namespace), target.name);
        let exists = match target.kind {
            "Gateway" => objects.gateways.contains_key(&name),
            "ListenerSet" => objects.listener_sets.contains_key(&name),
            _ => return None,
        };
        let kind = target.kind;
        (!exists).then(|| format!("its parent, {kind} {name}, is in none of the files"))
    };
    parents.iter().filter_map(message).collect()
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
    let path = origin.map_or_else(PathBuf::new, |Origin { path, line: _ }| path.to_path_buf());
    let line = origin.and_then(|origin| origin.line);
    Finding {
        path,
        at: line.map(|line| LineColumn { line, column: 1 }),
        severity: Severity::Warning,
        message: format!("{kind} {key}: {message}"),
    }
}
