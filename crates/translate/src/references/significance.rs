//! Which part of an object a translation reads.

use portcullis_api::AnyObject;
use portcullis_api::meta::{Object, ObjectMeta, Spec};

/// Whether two states of one object are the same to a translation, statuses apart.
pub(super) fn is_same(old: &AnyObject, new: &AnyObject) -> bool {
    use AnyObject as A;
    match (old, new) {
        (A::GatewayClass(old), A::GatewayClass(new)) => is_same_object(old, new),
        (A::Gateway(old), A::Gateway(new)) => is_same_object(old, new),
        (A::ListenerSet(old), A::ListenerSet(new)) => is_same_object(old, new),
        (A::HttpRoute(old), A::HttpRoute(new)) => is_same_object(old, new),
        (A::GrpcRoute(old), A::GrpcRoute(new)) => is_same_object(old, new),
        (A::TlsRoute(old), A::TlsRoute(new)) => is_same_object(old, new),
        (A::TcpRoute(old), A::TcpRoute(new)) => is_same_object(old, new),
        (A::UdpRoute(old), A::UdpRoute(new)) => is_same_object(old, new),
        (A::ReferenceGrant(old), A::ReferenceGrant(new)) => is_same_object(old, new),
        (A::BackendTlsPolicy(old), A::BackendTlsPolicy(new)) => is_same_object(old, new),
        (A::GatewayParameters(old), A::GatewayParameters(new)) => is_same_object(old, new),
        (A::ClusterTrustBundle(old), A::ClusterTrustBundle(new)) => old.spec == new.spec,
        (A::Namespace(old), A::Namespace(new)) => old.metadata.labels == new.metadata.labels,
        (A::Service(old), A::Service(new)) => old.spec == new.spec,
        (A::EndpointSlice(old), A::EndpointSlice(new)) => {
            old.metadata.labels == new.metadata.labels
                && old.address_type == new.address_type
                && old.endpoints == new.endpoints
                && old.ports == new.ports
        }
        (A::Secret(old), A::Secret(new)) => {
            old.data == new.data && old.string_data == new.string_data && old.type_ == new.type_
        }
        (A::ConfigMap(old), A::ConfigMap(new)) => {
            old.data == new.data && old.binary_data == new.binary_data
        }
        _ => false,
    }
}

fn is_same_object<S: Spec>(old: &Object<S>, new: &Object<S>) -> bool {
    is_same_metadata(&old.metadata, &new.metadata) && old.spec == new.spec
}

fn is_same_metadata(old: &ObjectMeta, new: &ObjectMeta) -> bool {
    old.uid == new.uid
        && old.generation == new.generation
        && old.creation_timestamp == new.creation_timestamp
        && old.deletion_timestamp == new.deletion_timestamp
        && old.labels == new.labels
        && old.annotations == new.annotations
}
