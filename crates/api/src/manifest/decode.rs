//! Plain values to typed objects.

mod confidential;

pub(super) use self::confidential::shown as shown_of_secret;

use std::sync::Arc;

use serde_json::Value as Json;

use super::error::Problem;
use crate::core::Secret;
use crate::field_path::{FieldPath, Segment};
use crate::kind::{Kind, Scope};
use crate::meta::ObjectMeta;
use crate::objects::AnyObject;
use crate::schema::{Fault, has_schema};
use crate::shape::Misfit;

/// A field that cannot be read.
pub(super) struct Refusal {
    pub(super) path: FieldPath,
    pub(super) problem: Problem,
}

/// The object of a kind, with its namespace filled in.
pub(super) fn object(kind: Kind, mut json: Json) -> Result<AnyObject, Vec<Refusal>> {
    unwrap_base64(kind, &mut json);
    let mut object = read(kind, &json).map_err(|refusals| match kind {
        Kind::Secret => confidential::refusals(refusals, &json),
        _ => refusals,
    })?;
    settle_namespace(kind, object.metadata_mut());
    Ok(match object {
        AnyObject::Secret(secret) => merge_string_data(Arc::unwrap_or_clone(secret)).into(),
        other => other,
    })
}

fn read(kind: Kind, json: &Json) -> Result<AnyObject, Vec<Refusal>> {
    let (object, unknown) = AnyObject::read(kind, json).map_err(|Misfit { path, message }| {
        let problem = Problem::Value { message };
        vec![Refusal { path, problem }]
    })?;
    let of_schema = has_schema(kind);
    let is_refused = |path: &FieldPath| match path.segments().first() {
        // The schema has checked all but the metadata.
        Some(Segment::Key(key)) if of_schema => key == "metadata",
        Some(Segment::Key(key)) => key != "apiVersion" && key != "kind",
        _ => !of_schema,
    };
    refuse_unknown(unknown.into_iter().filter(is_refused))?;
    Ok(object)
}

fn refuse_unknown(paths: impl Iterator<Item = FieldPath>) -> Result<(), Vec<Refusal>> {
    let fault = Fault::UnknownField { suggestion: None };
    let refusals: Vec<Refusal> = paths
        .map(|path| Refusal {
            path,
            problem: fault.clone().into(),
        })
        .collect();
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(refusals)
    }
}

/// Takes the line breaks out of base64, as `base64 FILE` puts them in: the API server, too, reads
/// past them.
fn unwrap_base64(kind: Kind, json: &mut Json) {
    let field = match kind {
        Kind::Secret => "data",
        Kind::ConfigMap => "binaryData",
        _ => return,
    };
    let Some(Json::Object(values)) = json.get_mut(field) else {
        return;
    };
    for value in values.values_mut() {
        if let Json::String(text) = value {
            text.retain(|character| !matches!(character, '\r' | '\n'));
        }
    }
}

/// `kubectl apply` puts objects without a namespace into `default`, and takes the namespace off
/// objects that have none.
fn settle_namespace(kind: Kind, metadata: &mut ObjectMeta) {
    let given = metadata.namespace.take().filter(|name| !name.is_empty());
    metadata.namespace = match kind.scope() {
        Scope::Namespaced => given.or_else(|| Some("default".to_owned())),
        Scope::Cluster => None,
    };
}

/// "stringData … It is provided as a write-only input field for convenience. All keys and values
/// are merged into the data field on write, overwriting any existing values." (`Secret`)
fn merge_string_data(mut secret: Secret) -> Secret {
    if let Some(texts) = secret.string_data.take() {
        let data = secret.data.get_or_insert_default();
        for (key, text) in texts {
            data.insert(key, k8s_openapi::ByteString(text.into_bytes()));
        }
    }
    secret
}
