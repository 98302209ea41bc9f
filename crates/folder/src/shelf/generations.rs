//! `metadata.generation`: "a sequence number representing a specific generation of the desired
//! state", 1 at first and one more with each change of `spec`.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec};
use portcullis_api::{AnyObject, Kind, ObjectKey};

use super::file::Placed;

/// The generation of every object.
#[derive(Debug, Default)]
pub(super) struct Generations {
    known: BTreeMap<(Kind, ObjectKey), Known>,
    /// The number of the assembly, to forget objects that one did not have.
    round: u64,
}

#[derive(Debug)]
struct Known {
    token: u64,
    generation: i64,
    /// The object with its generation.
    numbered: AnyObject,
    round: u64,
}

impl Generations {
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// Forgets what was not numbered since [`Generations::begin`]: an object that is made again
    /// begins again.
    pub(super) fn end(&mut self) {
        self.known.retain(|_, known| known.round == self.round);
    }

    /// An object as it was numbered last, if it was.
    pub(super) fn of(&self, placed: &Placed) -> Option<AnyObject> {
        let known = self.known.get(&placed.name)?;
        (known.token == placed.token).then(|| known.numbered.clone())
    }

    /// The object with its generation, if its kind has one.
    pub(super) fn number(&mut self, name: &(Kind, ObjectKey), placed: &Placed) -> AnyObject {
        let Placed {
            name: _,
            object,
            line: _,
            token,
        } = placed;
        let known = self.known.get_mut(name);
        if let Some(known) = known.filter(|known| known.token == *token) {
            known.round = self.round;
            return known.numbered.clone();
        }
        let generation = match self.known.get(name) {
            Some(known) if has_same_spec(&known.numbered, object) => known.generation,
            Some(known) => known.generation + 1,
            None => 1,
        };
        let numbered = with_generation(object.clone(), generation);
        let token = *token;
        let known = Known {
            token,
            generation,
            numbered: numbered.clone(),
            round: self.round,
        };
        self.known.insert(name.clone(), known);
        numbered
    }
}

fn has_same_spec(a: &AnyObject, b: &AnyObject) -> bool {
    fn same<S: Spec>(a: &Object<S>, b: &Object<S>) -> bool {
        a.spec == b.spec
    }
    match (a, b) {
        (AnyObject::GatewayClass(a), AnyObject::GatewayClass(b)) => same(a, b),
        (AnyObject::Gateway(a), AnyObject::Gateway(b)) => same(a, b),
        (AnyObject::ListenerSet(a), AnyObject::ListenerSet(b)) => same(a, b),
        (AnyObject::HttpRoute(a), AnyObject::HttpRoute(b)) => same(a, b),
        (AnyObject::GrpcRoute(a), AnyObject::GrpcRoute(b)) => same(a, b),
        (AnyObject::TlsRoute(a), AnyObject::TlsRoute(b)) => same(a, b),
        (AnyObject::TcpRoute(a), AnyObject::TcpRoute(b)) => same(a, b),
        (AnyObject::UdpRoute(a), AnyObject::UdpRoute(b)) => same(a, b),
        (AnyObject::ReferenceGrant(a), AnyObject::ReferenceGrant(b)) => same(a, b),
        (AnyObject::BackendTlsPolicy(a), AnyObject::BackendTlsPolicy(b)) => same(a, b),
        (AnyObject::GatewayParameters(a), AnyObject::GatewayParameters(b)) => same(a, b),
        (AnyObject::ClusterTrustBundle(a), AnyObject::ClusterTrustBundle(b)) => same(a, b),
        // Kinds without a generation, which is then never seen.
        _ => true,
    }
}

fn with_generation(object: AnyObject, generation: i64) -> AnyObject {
    fn set<S: Spec>(mut object: Arc<Object<S>>, generation: i64) -> Arc<Object<S>> {
        Arc::make_mut(&mut object).metadata.generation = Some(generation);
        object
    }
    match object {
        AnyObject::GatewayClass(it) => AnyObject::GatewayClass(set(it, generation)),
        AnyObject::Gateway(it) => AnyObject::Gateway(set(it, generation)),
        AnyObject::ListenerSet(it) => AnyObject::ListenerSet(set(it, generation)),
        AnyObject::HttpRoute(it) => AnyObject::HttpRoute(set(it, generation)),
        AnyObject::GrpcRoute(it) => AnyObject::GrpcRoute(set(it, generation)),
        AnyObject::TlsRoute(it) => AnyObject::TlsRoute(set(it, generation)),
        AnyObject::TcpRoute(it) => AnyObject::TcpRoute(set(it, generation)),
        AnyObject::UdpRoute(it) => AnyObject::UdpRoute(set(it, generation)),
        AnyObject::ReferenceGrant(it) => AnyObject::ReferenceGrant(set(it, generation)),
        AnyObject::BackendTlsPolicy(it) => AnyObject::BackendTlsPolicy(set(it, generation)),
        AnyObject::GatewayParameters(it) => AnyObject::GatewayParameters(set(it, generation)),
        AnyObject::ClusterTrustBundle(it) => AnyObject::ClusterTrustBundle(set(it, generation)),
        AnyObject::Namespace(_)
        | AnyObject::Service(_)
        | AnyObject::EndpointSlice(_)
        | AnyObject::Secret(_)
        | AnyObject::ConfigMap(_) => object,
    }
}
