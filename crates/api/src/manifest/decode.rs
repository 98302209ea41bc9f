//! Plain values to typed objects.

mod confidential;

pub(super) use self::confidential::shown as shown_of_secret;

use k8s_openapi::Metadata;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::error::Problem;
use crate::core::{ConfigMap, EndpointSlice, Namespace, Secret, Service};
use crate::field_path::{FieldPath, Segment};
use crate::kind::{Kind, Scope};
use crate::meta::{Object, ObjectMeta, Spec};
use crate::objects::AnyObject;
use crate::schema::Fault;
use crate::shape::{self, Misfit};

/// A field that cannot be read.
pub(super) struct Refusal {
    pub(super) path: FieldPath,
    pub(super) problem: Problem,
}

/// The object of a kind, with its namespace filled in.
pub(super) fn object(kind: Kind, mut json: Json) -> Result<AnyObject, Vec<Refusal>> {
    unwrap_base64(kind, &mut json);
    let json = &json;
    match kind {
        Kind::GatewayClass => gateway_api(kind, json).map(AnyObject::GatewayClass),
        Kind::Gateway => gateway_api(kind, json).map(AnyObject::Gateway),
        Kind::ListenerSet => gateway_api(kind, json).map(AnyObject::ListenerSet),
        Kind::HttpRoute => gateway_api(kind, json).map(AnyObject::HttpRoute),
        Kind::GrpcRoute => gateway_api(kind, json).map(AnyObject::GrpcRoute),
        Kind::TlsRoute => gateway_api(kind, json).map(AnyObject::TlsRoute),
        Kind::TcpRoute => gateway_api(kind, json).map(AnyObject::TcpRoute),
        Kind::UdpRoute => gateway_api(kind, json).map(AnyObject::UdpRoute),
        Kind::ReferenceGrant => gateway_api(kind, json).map(AnyObject::ReferenceGrant),
        Kind::BackendTlsPolicy => gateway_api(kind, json).map(AnyObject::BackendTlsPolicy),
        Kind::GatewayParameters => gateway_api(kind, json).map(AnyObject::GatewayParameters),
        Kind::ClusterTrustBundle => without_schema(kind, json).map(AnyObject::ClusterTrustBundle),
        Kind::Namespace => Ok(core::<Namespace>(kind, json)?.into()),
        Kind::Service => Ok(core::<Service>(kind, json)?.into()),
        Kind::EndpointSlice => Ok(core::<EndpointSlice>(kind, json)?.into()),
        Kind::Secret => core(kind, json)
            .map(|secret| merge_string_data(secret).into())
            .map_err(|refusals| confidential::refusals(refusals, json)),
        Kind::ConfigMap => Ok(core::<ConfigMap>(kind, json)?.into()),
    }
}

/// An object whose fields the schema has checked, but for its metadata.
fn gateway_api<S: Spec>(
    kind: Kind,
    json: &Json,
) -> Result<std::sync::Arc<Object<S>>, Vec<Refusal>> {
    let (mut object, unknown) = typed::<Object<S>>(json)?;
    let metadata = Segment::Key("metadata".to_owned());
    let in_metadata = |path: &FieldPath| path.segments().first() == Some(&metadata);
    refuse_unknown(unknown.into_iter().filter(in_metadata))?;
    settle_namespace(kind, &mut object.metadata);
    Ok(object.into())
}

/// An object with a `spec` that no schema has checked.
fn without_schema<S: Spec>(
    kind: Kind,
    json: &Json,
) -> Result<std::sync::Arc<Object<S>>, Vec<Refusal>> {
    let (mut object, unknown) = typed::<Object<S>>(json)?;
    let known = ["apiVersion", "kind"].map(|name| Segment::Key(name.to_owned()));
    let is_known = |path: &FieldPath| path.segments().first().is_some_and(|it| known.contains(it));
    refuse_unknown(unknown.into_iter().filter(|path| !is_known(path)))?;
    settle_namespace(kind, &mut object.metadata);
    Ok(object.into())
}

/// An object of a core kind, that no schema has checked.
fn core<T>(kind: Kind, json: &Json) -> Result<T, Vec<Refusal>>
where
    T: DeserializeOwned + Metadata<Ty = ObjectMeta>,
{
    let (mut object, unknown) = typed::<T>(json)?;
    refuse_unknown(unknown.into_iter())?;
    settle_namespace(kind, object.metadata_mut());
    Ok(object)
}

/// The object, and the fields that are none of its type's.
fn typed<T: DeserializeOwned>(json: &Json) -> Result<(T, Vec<FieldPath>), Vec<Refusal>> {
    shape::read(json).map_err(|Misfit { path, message }| {
        let problem = Problem::Value { message };
        vec![Refusal { path, problem }]
    })
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
