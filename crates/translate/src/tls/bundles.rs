//! ConfigMaps, Secrets and ClusterTrustBundles with CA certificates, each read once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_api::core::{ConfigMap, Secret};
use portcullis_api::kind::Scope;
use portcullis_api::route::Target;
use portcullis_api::{ClusterTrustBundle, Kind, ObjectKey};
use portcullis_ir::TrustBundleId;
use portcullis_ir::tls::{TrustAnchors, TrustBundle};

use super::credentials::entry;
use super::trust::{self, UnusableBundle};
use crate::world::World;

/// What of CA certificates can be named, in words.
pub(crate) const STORES: &str = "ConfigMaps and Secrets of the core group, and ClusterTrustBundles \
                                 of certificates.k8s.io where the cluster has them,";

/// Where CA certificates are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Store {
    ConfigMap,
    Secret,
    ClusterTrustBundle,
}

impl Store {
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::ConfigMap => Some(Self::ConfigMap),
            Kind::Secret => Some(Self::Secret),
            Kind::ClusterTrustBundle => Some(Self::ClusterTrustBundle),
            _ => None,
        }
    }

    /// Where the CA certificates of a reference in `namespace` are, if the cluster has such a store.
    ///
    /// "If a ClusterTrustBundle reference in `caCertificateRefs` is configured while the API is
    /// unavailable, set `ResolvedRefs=False` with reason `InvalidKind`". (GEP-5075)
    pub(crate) fn find(
        world: &World<'_>,
        target: Target<'_>,
        namespace: &str,
    ) -> Option<(Self, ObjectKey)> {
        let kind = Kind::find(target.group, target.kind)?;
        let store = Self::of(kind).filter(|_| world.serves(kind))?;
        let namespace = match kind.scope() {
            Scope::Cluster => "",
            Scope::Namespaced => target.namespace.unwrap_or(namespace),
        };
        Some((store, ObjectKey::new(namespace, target.name)))
    }

    /// The kind of its objects.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::ConfigMap => Kind::ConfigMap,
            Self::Secret => Kind::Secret,
            Self::ClusterTrustBundle => Kind::ClusterTrustBundle,
        }
    }

    /// The name of one of its objects in snapshots.
    pub(crate) fn id(self, key: &ObjectKey) -> TrustBundleId {
        TrustBundleId::new(format!("{}/{key}", self.kind()))
    }
}

/// CA bundles that were read, until their objects change.
#[derive(Debug, Default)]
pub(crate) struct Bundles(RefCell<BTreeMap<(Store, ObjectKey), TrustBundle>>);

impl Bundles {
    /// An object changed.
    pub(crate) fn forget(&mut self, kind: Kind, key: &ObjectKey) {
        if let Some(store) = Store::of(kind) {
            self.0.get_mut().remove(&(store, key.clone()));
        }
    }

    /// The bundle of an object as it is now.
    pub(crate) fn read(&self, key: &ObjectKey, source: Source<'_>) -> TrustBundle {
        let mut known = self.0.borrow_mut();
        let bundle = known.entry((source.store(), key.clone()));
        bundle.or_insert_with(|| read(key, source)).clone()
    }
}

/// An object that may hold CA certificates.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    ConfigMap(&'a ConfigMap),
    Secret(&'a Secret),
    ClusterTrustBundle(&'a ClusterTrustBundle),
}

impl Source<'_> {
    fn store(self) -> Store {
        match self {
            Self::ConfigMap(_) => Store::ConfigMap,
            Self::Secret(_) => Store::Secret,
            Self::ClusterTrustBundle(_) => Store::ClusterTrustBundle,
        }
    }
}

/// The keys of a CA bundle, in the order of preference. The first is the specification's, the
/// second that of generic Secrets.
const CA_KEYS: [&str; 2] = ["ca.crt", "cacert"];

/// Whether a Secret holds a CA bundle, good or bad.
pub(crate) fn holds_ca(secret: &Secret) -> bool {
    CA_KEYS.iter().any(|name| entry(secret, name).is_some())
}

fn read(key: &ObjectKey, source: Source<'_>) -> TrustBundle {
    let object = format!("{} {key}", source.store().kind());
    let text = match source {
        Source::ConfigMap(map) => CA_KEYS.iter().find_map(|name| config_entry(map, name)),
        Source::Secret(secret) => CA_KEYS.iter().find_map(|name| entry(secret, name)),
        Source::ClusterTrustBundle(bundle) => Some(bundle.spec.trust_bundle.as_bytes().into()),
    };
    let Some(text) = text else {
        return TrustBundle::Unusable {
            reason: format!("{object} has no key ca.crt"),
        };
    };
    lower(&object, trust::trust_bundle(&text))
}

fn config_entry<'a>(map: &'a ConfigMap, key: &str) -> Option<Cow<'a, [u8]>> {
    if let Some(text) = map.data.as_ref().and_then(|data| data.get(key)) {
        return Some(text.as_bytes().into());
    }
    let bytes = map.binary_data.as_ref()?.get(key)?;
    Some(bytes.0.as_slice().into())
}

fn lower(object: &str, reading: Result<Arc<TrustAnchors>, UnusableBundle>) -> TrustBundle {
    match reading {
        Ok(anchors) => TrustBundle::Usable(anchors),
        Err(why) => TrustBundle::Unusable {
            reason: format!("{object} {why}"),
        },
    }
}
