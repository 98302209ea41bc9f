//! A mounted Secret as an object.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use portcullis_api::core::Secret;
use portcullis_api::meta::ObjectMeta;

use super::file::Read;
use crate::finding::{Finding, Severity};
use crate::scan::{Mount, MountName, Reading};

pub(super) fn read(name: &MountName, mount: &Mount) -> Read {
    let MountName { namespace, name } = name;
    let Mount { path, keys } = mount;
    let mut data = BTreeMap::new();
    let mut findings = Vec::new();
    for (key, reading) in keys {
        match reading {
            Reading::Bytes(bytes) => {
                data.insert(key.clone(), ByteString(bytes.to_vec()));
            }
            Reading::Unreadable(reason) => findings.push(Finding {
                path: path.join(key),
                at: None,
                severity: Severity::Error,
                message: format!("cannot be read: {reason}"),
            }),
        }
    }
    if !findings.is_empty() {
        return Read {
            objects: Vec::new(),
            findings,
        };
    }
    let is_tls = data.contains_key("tls.crt") && data.contains_key("tls.key");
    let secret = Secret {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_string()),
            name: Some(name.to_string()),
            ..ObjectMeta::default()
        },
        type_: Some(
            if is_tls {
                "kubernetes.io/tls"
            } else {
                "Opaque"
            }
            .to_owned(),
        ),
        data: Some(data),
        ..Secret::default()
    };
    Read {
        objects: vec![(secret.into(), None)],
        findings,
    }
}
