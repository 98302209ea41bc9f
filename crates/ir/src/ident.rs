//! Stable names of things, and content versions.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A namespaced Kubernetes object's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The object's namespace; empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// The object's name.
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
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the id's text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A listener of the Gateway or of one of its ListenerSets:
    /// `Gateway/<namespace>/<name>/<listener>`.
    ListenerId
}
id! {
    /// A server certificate with its key: `Secret/<namespace>/<name>`.
    CertificateId
}
id! {
    /// A set of trusted CA certificates: `ConfigMap/<namespace>/<name>`, `Secret/<namespace>/<name>`,
    /// `ClusterTrustBundle/<name>`.
    TrustBundleId
}
id! {
    /// A route: `<kind>/<namespace>/<name>`, such as `HTTPRoute/default/httpbin`. A TLSRoute is two
    /// where TLS ends at one of its listeners and passes another: the latter ends in `/passthrough`.
    RouteId
}
id! {
    /// One port of one backend: `Service/<namespace>/<name>/<port>`, for HTTP; for other usages
    /// something follows: `/grpc`, `/stream`, `/passthrough`, `/datagram`.
    BackendId
}

/// The content hash of a snapshot: equal content has an equal version.
///
/// A data plane echoes it to say which snapshot it serves. It is compared for equality only, and
/// never computed again by the receiver, so it need not be stable between builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
