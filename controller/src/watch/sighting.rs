//! An object as the API server sent it, not yet of any type.

use std::borrow::Cow;
use std::fmt;

use kube::Resource;
use kube::api::{ApiResource, DynamicObject, ObjectMeta};
use kube::core::DynamicResourceScope;
use portcullis_api::ObjectKey;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// What a watch of any kind yields.
///
/// Reading happens in two steps, so that one object that our types cannot read does not fail the
/// list that it comes in.
#[derive(Clone, Default)]
pub(super) struct Sighting {
    /// Its metadata, trimmed.
    pub(super) metadata: ObjectMeta,
    /// All of it, `metadata` included, trimmed as well.
    pub(super) json: Value,
}

impl<'de> Deserialize<'de> for Sighting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = Value::deserialize(deserializer)?;
        let metadata = match json.get_mut("metadata") {
            Some(metadata) => {
                trim(metadata);
                ObjectMeta::deserialize(&*metadata).map_err(de::Error::custom)?
            }
            None => ObjectMeta::default(),
        };
        Ok(Self { metadata, json })
    }
}

/// Takes out what nobody here reads and what may be larger than all the rest.
fn trim(metadata: &mut Value) {
    let Value::Object(fields) = metadata else {
        return;
    };
    fields.remove("managedFields");
    if let Some(Value::Object(annotations)) = fields.get_mut("annotations") {
        annotations.remove(LAST_APPLIED);
    }
}

/// What `kubectl apply` last applied, all of it.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Resource for Sighting {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(kind)
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(kind)
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(kind)
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Prints as its key: what a Secret holds must not get into a log.
impl fmt::Debug for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sighting({})", ObjectKey::of(&self.metadata))
    }
}
