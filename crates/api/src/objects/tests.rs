use k8s_openapi::{ClusterResourceScope, Metadata, NamespaceResourceScope, Resource};

use super::Objects;
use crate::gateway::GatewayClassSpec;
use crate::http_route::HttpRouteSpec;
use crate::kind::{Kind, Scope};
use crate::meta::{Object, ObjectKey, ObjectMeta, Spec};
use crate::{Gateway, GatewayClass, HttpRoute, ReferenceGrant};

fn named<S: Spec + Default>(namespace: Option<&str>, name: &str) -> Object<S> {
    Object {
        metadata: ObjectMeta {
            namespace: namespace.map(ToOwned::to_owned),
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..Object::default()
    }
}

#[test]
fn objects_are_listed_by_kind_then_key() {
    let mut objects = Objects::default();
    assert!(objects.is_empty());
    objects.insert(named::<HttpRouteSpec>(Some("b"), "a"));
    objects.insert(named::<HttpRouteSpec>(Some("a"), "b"));
    objects.insert(named::<GatewayClassSpec>(None, "z"));
    assert!(
        objects
            .insert(named::<GatewayClassSpec>(None, "z"))
            .is_some()
    );
    let expected = "[GatewayClass(z), HTTPRoute(a/b), HTTPRoute(b/a)]";
    assert_eq!(format!("{objects:?}"), expected);
    assert_eq!(objects.len(), 3);
    let key = ObjectKey::new("", "z");
    assert!(objects.find(Kind::GatewayClass, &key).is_some());
    assert!(objects.remove(Kind::GatewayClass, &key).is_some());
    assert!(objects.find(Kind::GatewayClass, &key).is_none());
}

#[test]
fn a_store_that_follows_another_says_what_changed() {
    let store = |routes: &[(&str, i64)]| -> Objects {
        let routes = routes.iter().map(|(name, generation)| {
            let mut route = named::<HttpRouteSpec>(Some("a"), name);
            route.metadata.generation = Some(*generation);
            route.into()
        });
        routes.collect()
    };
    let mut seen = Objects::default();
    let first = store(&[("one", 1), ("two", 1), ("three", 1)]);
    assert_eq!(seen.follow(&first).len(), 3);
    assert!(seen.follow(&first).is_empty());

    let mut second = first.clone();
    second.extend(store(&[("two", 2), ("four", 1)]).iter());
    second.remove(Kind::HttpRoute, &ObjectKey::new("a", "one"));
    let changes = seen.follow(&second);
    assert_eq!(seen, second);
    let told: Vec<_> = changes
        .iter()
        .map(|c| (&*c.key.name, c.before.is_some(), c.after.is_some()))
        .collect();
    let expected = [
        ("four", false, true),
        ("one", true, false),
        ("two", true, true),
    ];
    assert_eq!(told, expected);
}

#[test]
fn kinds_are_what_a_client_needs_to_know() {
    fn url<T: Resource + Metadata<Ty = ObjectMeta>>() -> String {
        format!("{}/{} {}", T::API_VERSION, T::URL_PATH_SEGMENT, T::KIND)
    }
    fn cluster<T: Resource<Scope = ClusterResourceScope>>() {}
    fn namespaced<T: Resource<Scope = NamespaceResourceScope>>() {}
    cluster::<GatewayClass>();
    namespaced::<Gateway>();
    assert_eq!(
        url::<HttpRoute>(),
        "gateway.networking.k8s.io/v1/httproutes HTTPRoute"
    );
    assert_eq!(
        url::<ReferenceGrant>(),
        "gateway.networking.k8s.io/v1/referencegrants ReferenceGrant"
    );
    for kind in Kind::ALL {
        assert_eq!(Kind::find(kind.group(), kind.as_str()), Some(kind));
        let cluster = matches!(
            kind,
            Kind::GatewayClass | Kind::Namespace | Kind::ClusterTrustBundle
        );
        assert_eq!(kind.scope() == Scope::Cluster, cluster);
    }
}
