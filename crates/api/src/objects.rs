//! The typed store of everything that was read.

mod changes;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use portcullis_shared::SharedMap;
use serde_json::Value as Json;

pub use self::changes::ObjectChange;
use crate::backend_tls::BackendTlsPolicy;
use crate::core::{ConfigMap, EndpointSlice, Namespace, Secret, Service};
use crate::field_path::FieldPath;
use crate::gateway::{Gateway, GatewayClass};
use crate::grant::ReferenceGrant;
use crate::grpc_route::GrpcRoute;
use crate::http_route::HttpRoute;
use crate::kind::Kind;
use crate::listener_set::ListenerSet;
use crate::meta::{ObjectKey, ObjectMeta};
use crate::parameters::GatewayParameters;
use crate::shape::{self, Misfit};
use crate::tcp_route::TcpRoute;
use crate::tls_route::TlsRoute;
use crate::trust_bundle::ClusterTrustBundle;
use crate::udp_route::UdpRoute;

/// Declares [`AnyObject`] and [`Objects`] over the list of kinds.
macro_rules! kinds {
    ($($kind:ident => $field:ident,)+) => {
        /// An object of any kind that Portcullis reads.
        ///
        /// Prints as kind and key: what a Secret holds must not get into a log.
        #[derive(Clone, PartialEq)]
        pub enum AnyObject {
            $(
                #[doc = concat!("A ", stringify!($kind), ".")]
                $kind(Arc<$kind>),
            )+
        }

        impl AnyObject {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind,)+
                }
            }

            /// Whether it is the same object in memory.
            pub fn is(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$kind(object), Self::$kind(other)) => Arc::ptr_eq(object, other),)+
                    _ => false,
                }
            }

            /// The object of a kind, and the fields that are none of its type's.
            ///
            /// # Errors
            /// The first field that holds something else than the type's field does.
            pub fn read(kind: Kind, json: &Json) -> Result<(Self, Vec<FieldPath>), Misfit> {
                match kind {
                    $(Kind::$kind => shape::read::<$kind>(json)
                        .map(|(object, unknown)| (object.into(), unknown)),)+
                }
            }

            /// The object of a kind, whatever else the value holds.
            ///
            /// # Errors
            /// As [`AnyObject::read`].
            pub fn known(kind: Kind, json: &Json) -> Result<Self, Misfit> {
                match kind {
                    $(Kind::$kind => shape::known::<$kind>(json).map(Into::into),)+
                }
            }

            /// Its metadata, to be changed: in a copy, if others hold the object.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self {
                    $(Self::$kind(object) => &mut Arc::make_mut(object).metadata,)+
                }
            }

            /// Its metadata.
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Self::$kind(object) => &object.metadata,)+
                }
            }
        }

        impl serde::Serialize for AnyObject {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$kind(object) => object.serialize(serializer),)+
                }
            }
        }

        $(
            impl From<$kind> for AnyObject {
                fn from(object: $kind) -> Self {
                    Self::$kind(Arc::new(object))
                }
            }
        )+

        /// All objects, by kind and key, in a fixed order. Cluster-scoped kinds have keys with an
        /// empty namespace. Copies share what they have in common.
        ///
        /// Prints as kinds and keys: what a Secret holds must not get into a log.
        #[derive(Clone, Default, PartialEq)]
        pub struct Objects {
            $(
                #[doc = concat!("Every ", stringify!($kind), ".")]
                pub $field: SharedMap<ObjectKey, Arc<$kind>>,
            )+
        }

        impl Objects {
            /// Puts an object in; returns the one it replaces.
            pub fn insert(&mut self, object: impl Into<AnyObject>) -> Option<AnyObject> {
                let object = object.into();
                self.insert_at(object.key(), object)
            }

            /// Puts an object in under its key, which the caller has.
            pub fn insert_at(&mut self, key: ObjectKey, object: AnyObject) -> Option<AnyObject> {
                match object {
                    $(AnyObject::$kind(object) => {
                        self.$field.insert(key, object).map(AnyObject::$kind)
                    })+
                }
            }

            /// Takes an object out, if it is there.
            pub fn remove(&mut self, kind: Kind, key: &ObjectKey) -> Option<AnyObject> {
                match kind {
                    $(Kind::$kind => self.$field.remove(key).map(AnyObject::$kind),)+
                }
            }

            /// The object, if it is there.
            pub fn find(&self, kind: Kind, key: &ObjectKey) -> Option<AnyObject> {
                match kind {
                    $(Kind::$kind => self.$field.get(key).cloned().map(AnyObject::$kind),)+
                }
            }

            /// Every object, by kind, then by key.
            pub fn iter(&self) -> impl Iterator<Item = AnyObject> + '_ {
                std::iter::empty()
                    $(.chain(self.$field.values().cloned().map(AnyObject::$kind)))+
            }

            /// Makes this store what `wanted` is, and says what changed, by kind, then by key.
            ///
            /// An object is taken to be the same if it is the same in memory. Who keeps a store of
            /// what it has seen learns what is new, at a cost that goes with what is new.
            pub fn follow(&mut self, wanted: &Self) -> Vec<ObjectChange> {
                let changes = wanted.changes_since(self);
                self.clone_from(wanted);
                changes
            }

            /// What changed since `before`, by kind, then by key; see [`Objects::follow`].
            pub fn changes_since(&self, before: &Self) -> Vec<ObjectChange> {
                let mut changes = Vec::new();
                $(changes.extend(changes::between(
                    &before.$field,
                    &self.$field,
                    Kind::$kind,
                    AnyObject::$kind,
                ));)+
                changes
            }

            /// How many objects there are.
            pub fn len(&self) -> usize {
                0 $(+ self.$field.len())+
            }

            /// Whether there is none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }
    };
}

kinds! {
    GatewayClass => gateway_classes,
    Gateway => gateways,
    ListenerSet => listener_sets,
    HttpRoute => http_routes,
    GrpcRoute => grpc_routes,
    TlsRoute => tls_routes,
    TcpRoute => tcp_routes,
    UdpRoute => udp_routes,
    ReferenceGrant => reference_grants,
    BackendTlsPolicy => backend_tls_policies,
    Namespace => namespaces,
    Service => services,
    EndpointSlice => endpoint_slices,
    Secret => secrets,
    ConfigMap => config_maps,
    GatewayParameters => gateway_parameters,
    ClusterTrustBundle => cluster_trust_bundles,
}

impl AnyObject {
    /// Its namespace (empty for cluster-scoped kinds) and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(self.metadata())
    }
}

impl fmt::Debug for AnyObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.kind(), self.key())
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Extend<AnyObject> for Objects {
    fn extend<I: IntoIterator<Item = AnyObject>>(&mut self, objects: I) {
        for object in objects {
            self.insert(object);
        }
    }
}

impl FromIterator<AnyObject> for Objects {
    fn from_iter<I: IntoIterator<Item = AnyObject>>(objects: I) -> Self {
        let mut all = Self::default();
        all.extend(objects);
        all
    }
}
