//! The authority as a Secret.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Ca, Content, issue};

/// The name of the Secret, in the controller's namespace.
pub(super) const NAME: &str = "portcullis-authority";

const CURRENT: &str = "current";
const NEXT: &str = "next";
const PREVIOUS: &str = "previous";

/// What a Secret holds. What cannot be read is as if it were not there.
pub(super) fn content(secret: &Secret) -> Content {
    let text = |key: String| {
        let value = secret.data.as_ref()?.get(&key)?;
        str::from_utf8(&value.0).ok().map(ToOwned::to_owned)
    };
    let read = |name: &str| {
        let certificate = text(format!("{name}.crt"))?;
        let key = text(format!("{name}.key")).unwrap_or_default();
        let ca = issue::read(&certificate, &key);
        if ca.is_none() {
            tracing::error!("Secret {NAME}: {name}.crt and {name}.key cannot be used");
        }
        ca
    };
    Content {
        current: read(CURRENT),
        next: read(NEXT),
        previous: read(PREVIOUS),
    }
}

/// The Secret that holds `content`, in place of `before`.
pub(super) fn secret(content: &Content, namespace: &str, before: Option<Secret>) -> Secret {
    let Content {
        current,
        next,
        previous,
    } = content;
    let mut data = BTreeMap::new();
    for (name, ca) in [(CURRENT, current), (NEXT, next), (PREVIOUS, previous)] {
        let Some(Ca {
            certificate,
            key,
            not_before: _,
            not_after: _,
        }) = ca
        else {
            continue;
        };
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        data.insert(format!("{name}.crt"), bytes(certificate));
        if !key.is_empty() {
            data.insert(format!("{name}.key"), bytes(key));
        }
    }
    Secret {
        data: Some(data),
        ..before.unwrap_or_else(|| named(namespace))
    }
}

fn named(namespace: &str) -> Secret {
    let labels = [
        ("app.kubernetes.io/managed-by", "portcullis"),
        ("app.kubernetes.io/component", "controller"),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Secret {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let without_key = Ca {
            key: String::new(),
            ..issue::mint(1_700_000_000).unwrap()
        };
        let whole = Content {
            current: Some(issue::mint(1_800_000_000).unwrap()),
            next: Some(issue::mint(1_800_000_001).unwrap()),
            previous: Some(without_key),
        };
        for written in [Content::default(), whole] {
            assert_eq!(content(&secret(&written, "ns", None)), written);
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let written = Content {
            current: Some(issue::mint(1_800_000_000).unwrap()),
            ..Content::default()
        };
        let mut secret = secret(&written, "ns", None);
        let data = secret.data.as_mut().unwrap();
        data.insert("current.key".to_owned(), ByteString(vec![0xff]));
        data.insert("next.crt".to_owned(), ByteString(b"garbage".to_vec()));
        // Without a key nothing can be signed with it, but it may still be trusted.
        let read = content(&secret);
        assert_eq!(read.current.unwrap().key, "");
        assert_eq!(read.next, None);
    }
}
