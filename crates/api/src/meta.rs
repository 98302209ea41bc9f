//! What every object has: a name, a kind, metadata.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::Resource;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::kind::Kind;

/// The name of an object within its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The key of `namespace`/`name`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The key of an object with this metadata; what is absent is empty.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default(),
        )
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// The `spec` of a Gateway API kind, or of our own kind, and what goes with it.
pub trait Spec:
    Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The kind, as a value.
    const KIND: Kind;
    /// The kind, as `k8s_openapi` wants it.
    const KIND_NAME: &'static str = Self::KIND.as_str();
    /// The plural, as `k8s_openapi` wants it.
    const PLURAL: &'static str = Self::KIND.plural();
    /// Group and version, as in `apiVersion:`, that we write.
    const API_VERSION: &'static str = "gateway.networking.k8s.io/v1";
    /// The type of `status`.
    type Status: Clone
        + fmt::Debug
        + Default
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// Cluster or namespace.
    type Scope: k8s_openapi::ResourceScope;
}

/// An object of a Gateway API kind, or of our own kind: what it wants, and what was said about it.
///
/// Copies share what is large: thousands of routes are held as they were written, as they are
/// numbered, and with what is said about them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(bound = "S: Spec")]
pub struct Object<S: Spec> {
    /// Name, labels, generation.
    pub metadata: ObjectMeta,
    /// What the user wants.
    pub spec: Arc<S>,
    /// What controllers said.
    pub status: Option<Arc<S::Status>>,
}

impl<S: Spec> Object<S> {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(&self.metadata)
    }

    /// `metadata.generation`, zero if absent.
    pub fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }
}

impl<S: Spec> Serialize for Object<S> {
    fn serialize<Ser: Serializer>(&self, serializer: Ser) -> Result<Ser::Ok, Ser::Error> {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        let len = 4 + usize::from(status.is_some());
        let mut object = serializer.serialize_struct(S::KIND_NAME, len)?;
        object.serialize_field("apiVersion", Self::API_VERSION)?;
        object.serialize_field("kind", S::KIND_NAME)?;
        object.serialize_field("metadata", metadata)?;
        object.serialize_field("spec", spec)?;
        match status {
            Some(status) => object.serialize_field("status", status)?,
            None => object.skip_field("status")?,
        }
        object.end()
    }
}

impl<S: Spec> Resource for Object<S> {
    const API_VERSION: &'static str = S::API_VERSION;
    const GROUP: &'static str = S::KIND.group();
    const KIND: &'static str = S::KIND_NAME;
    const VERSION: &'static str = S::KIND.versions()[0];
    const URL_PATH_SEGMENT: &'static str = S::PLURAL;
    type Scope = S::Scope;
}

impl<S: Spec> k8s_openapi::Metadata for Object<S> {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Implements [`Spec`] for a namespaced kind.
macro_rules! namespaced {
    ($spec:ty, $kind:ident, $status:ty) => {
        impl crate::meta::Spec for $spec {
            const KIND: crate::kind::Kind = crate::kind::Kind::$kind;
            type Status = $status;
            type Scope = k8s_openapi::NamespaceResourceScope;
        }
    };
}
pub(crate) use namespaced;
