use std::sync::Arc;

use portcullis_api::core::{ConfigMap, EndpointSlice, Namespace, Secret, Service};
use portcullis_api::meta::ObjectMeta;
use portcullis_api::status::{RouteParentStatus, RouteStatus};
use portcullis_api::{GatewayParameters, HttpRoute, ReferenceGrant, manifest};

use super::*;
use crate::world::SERVICE_NAME;

const OURS: &str = "portcullis.dev/gateway-controller";

const WORLD: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portcullis}
spec:
  controllerName: portcullis.dev/gateway-controller
  parametersRef: {group: portcullis.dev, kind: GatewayParameters, namespace: infra, name: all}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: other}
spec: {controllerName: example.com/other}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  gatewayClassName: portcullis
  allowedListeners: {namespaces: {from: All}}
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: cert}, {name: shared, namespace: certs}]}
    allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: set, namespace: teams}
spec:
  parentRef: {name: gw, namespace: default}
  listeners:
  - {name: extra, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: own}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: apps}
spec:
  parentRefs: [{kind: ListenerSet, name: set, namespace: teams}]
  rules:
  - backendRefs: [{name: web, port: 80}]
    filters:
    - type: RequestMirror
      requestMirror: {backendRef: {name: mirror, namespace: shadow, port: 80}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: theirs, namespace: apps}
spec:
  parentRefs: [{name: elsewhere}]
  rules: [{backendRefs: [{name: theirs, port: 80}]}]
";

fn objects(text: &str) -> Vec<AnyObject> {
    let read = manifest::parse(text);
    assert!(read.errors.is_empty(), "{:?}", read.errors);
    read.objects.into_iter().map(|it| it.object).collect()
}

/// The index of [`WORLD`], and its objects.
fn world() -> (References, Objects) {
    let mut index = References::new(OURS);
    let mut all = Objects::default();
    for object in objects(WORLD) {
        index.note(None, Some(&object));
        all.insert(object);
    }
    index.refresh(&all);
    (index, all)
}

/// An object of which nothing but its name is known.
fn named(kind: Kind, namespace: &str, name: &str) -> AnyObject {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()).filter(|it| !it.is_empty()),
        ..ObjectMeta::default()
    };
    match kind {
        Kind::Secret => AnyObject::from(Secret {
            metadata,
            ..Secret::default()
        }),
        Kind::ConfigMap => AnyObject::from(ConfigMap {
            metadata,
            ..ConfigMap::default()
        }),
        Kind::Service => AnyObject::from(Service {
            metadata,
            ..Service::default()
        }),
        Kind::Namespace => AnyObject::from(Namespace {
            metadata,
            ..Namespace::default()
        }),
        Kind::ReferenceGrant => AnyObject::from(ReferenceGrant {
            metadata,
            ..ReferenceGrant::default()
        }),
        Kind::GatewayParameters => AnyObject::from(GatewayParameters {
            metadata,
            ..GatewayParameters::default()
        }),
        other => panic!("no {other} is made here"),
    }
}

fn slice(service: &str) -> AnyObject {
    let labels = [(SERVICE_NAME.to_owned(), service.to_owned())];
    let metadata = ObjectMeta {
        name: Some("slice".to_owned()),
        namespace: Some("apps".to_owned()),
        labels: Some(labels.into()),
        ..ObjectMeta::default()
    };
    AnyObject::from(EndpointSlice {
        metadata,
        ..EndpointSlice::default()
    })
}

#[test]
fn what_our_gateways_reach_is_relevant_and_nothing_else() {
    use Relevance::{Irrelevant, Relevant};
    let cases = [
        (named(Kind::Secret, "default", "cert"), Relevant),
        (named(Kind::Secret, "default", "cert-cacert"), Relevant),
        (named(Kind::Secret, "certs", "shared"), Relevant),
        (named(Kind::Secret, "teams", "own"), Relevant),
        (named(Kind::Secret, "teams", "cert"), Irrelevant),
        (named(Kind::Secret, "default", "unrelated"), Irrelevant),
        (named(Kind::ConfigMap, "default", "cert"), Irrelevant),
        (named(Kind::GatewayParameters, "infra", "all"), Relevant),
        (named(Kind::GatewayParameters, "infra", "none"), Irrelevant),
        (named(Kind::Service, "apps", "web"), Relevant),
        (named(Kind::Service, "shadow", "mirror"), Relevant),
        (named(Kind::Service, "apps", "theirs"), Irrelevant),
        (slice("web"), Relevant),
        (slice("theirs"), Irrelevant),
        (named(Kind::Namespace, "", "apps"), Relevant),
        (named(Kind::Namespace, "", "teams"), Relevant),
        (named(Kind::Namespace, "", "unrelated"), Irrelevant),
        (named(Kind::ReferenceGrant, "certs", "g"), Relevant),
        (named(Kind::ReferenceGrant, "shadow", "g"), Relevant),
        (named(Kind::ReferenceGrant, "apps", "g"), Irrelevant),
    ];
    let (index, _) = world();
    for (object, expected) in cases {
        assert_eq!(
            index.clone().note(None, Some(&object)),
            expected,
            "{object:?}"
        );
    }
}

#[test]
fn statuses_are_read_only_to_take_back_what_we_said() {
    let (mut index, all) = world();
    let with_status = |name: &str| -> (AnyObject, AnyObject) {
        let route = &all.http_routes[&ObjectKey::new("apps", name)];
        let mut said = HttpRoute::clone(route);
        said.metadata.resource_version = Some("2".to_owned());
        let entry = RouteParentStatus {
            parent_ref: ParentReference::default(),
            controller_name: OURS.to_owned(),
            conditions: Vec::new(),
        };
        let parents = vec![entry];
        said.status = Some(Arc::new(RouteStatus { parents }));
        (AnyObject::HttpRoute(Arc::clone(route)), said.into())
    };
    let (before, after) = with_status("web");
    assert_eq!(
        index.note(Some(&before), Some(&after)),
        Relevance::Irrelevant
    );
    let (before, after) = with_status("theirs");
    assert_eq!(index.note(Some(&before), Some(&after)), Relevance::Relevant);
    assert_eq!(index.note(Some(&after), Some(&before)), Relevance::Relevant);
}

#[test]
fn what_a_route_named_is_forgotten_with_it() {
    let (mut index, mut all) = world();
    let key = ObjectKey::new("apps", "web");
    let route = all.remove(Kind::HttpRoute, &key);
    assert_eq!(index.note(route.as_ref(), None), Relevance::Relevant);
    assert_eq!(index.wanted(Kind::Service).count(), 0);
}

#[test]
fn a_class_that_becomes_ours_brings_its_gateways_and_their_routes() {
    let mut index = References::new(OURS);
    let mut all: Objects = objects(WORLD).into_iter().collect();
    let class = all.remove(Kind::GatewayClass, &ObjectKey::new("", "portcullis"));
    for object in all.iter() {
        assert_eq!(index.note(None, Some(&object)), Relevance::Irrelevant);
    }
    assert_eq!(index.note(None, class.as_ref()), Relevance::Relevant);
    all.extend(class);
    index.refresh(&all);
    let named: Vec<String> = index
        .wanted(Kind::Service)
        .map(ToString::to_string)
        .collect();
    assert_eq!(named, ["apps/web", "shadow/mirror"]);
}

#[test]
fn gateways_are_found_by_what_their_listener_sets_name() {
    let (index, _) = world();
    let gateways = |kind, namespace, name| -> Vec<String> {
        let key = ObjectKey::new(namespace, name);
        let found = index.concerned_by([(kind, &key)]);
        found.gateways.iter().map(ToString::to_string).collect()
    };
    assert_eq!(gateways(Kind::Secret, "default", "cert"), ["default/gw"]);
    assert_eq!(gateways(Kind::Secret, "teams", "own"), ["default/gw"]);
    assert!(gateways(Kind::Service, "apps", "web").is_empty());
}

const POLICY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: tls, namespace: apps}
spec:
  targetRefs: [{group: '', kind: Service, name: web}]
  validation:
    hostname: web.example.com
    caCertificateRefs:
    - {group: '', kind: ConfigMap, name: ca}
    - {group: certificates.k8s.io, kind: ClusterTrustBundle, name: all}
";

fn wanted(index: &References, kind: Kind) -> Vec<String> {
    index.wanted(kind).map(ToString::to_string).collect()
}

#[test]
fn what_a_policy_names_is_wanted_while_its_service_is() {
    let (mut index, mut all) = world();
    let key = ObjectKey::new("apps", "web");
    let route = all.remove(Kind::HttpRoute, &key);
    index.note(route.as_ref(), None);
    for policy in objects(POLICY) {
        assert_eq!(index.note(None, Some(&policy)), Relevance::Irrelevant);
        all.insert(policy);
    }
    assert!(wanted(&index, Kind::ConfigMap).is_empty());

    index.note(None, route.as_ref());
    assert_eq!(wanted(&index, Kind::ConfigMap), ["apps/ca"]);
    assert_eq!(wanted(&index, Kind::ClusterTrustBundle), ["all"]);
    let ca = named(Kind::ConfigMap, "apps", "ca");
    assert_eq!(index.note(None, Some(&ca)), Relevance::Relevant);

    index.note(route.as_ref(), None);
    assert!(wanted(&index, Kind::ConfigMap).is_empty());
}

#[test]
fn a_policy_that_names_its_own_service_does_not_keep_it_wanted() {
    let (mut index, all) = world();
    let itself = POLICY.replace("kind: ConfigMap, name: ca", "kind: Service, name: web");
    for policy in objects(&itself) {
        assert_eq!(index.note(None, Some(&policy)), Relevance::Relevant);
    }
    let route = &all.http_routes[&ObjectKey::new("apps", "web")];
    index.note(Some(&AnyObject::HttpRoute(Arc::clone(route))), None);
    assert!(wanted(&index, Kind::Service).is_empty());
    assert!(wanted(&index, Kind::ClusterTrustBundle).is_empty());
}

#[test]
fn a_ca_of_a_policy_concerns_it_and_the_routes_and_gateways_that_send_there() {
    let (mut index, _) = world();
    for policy in objects(POLICY) {
        assert_eq!(index.note(None, Some(&policy)), Relevance::Relevant);
    }
    let ca = ObjectKey::new("apps", "ca");
    let Concern { gateways, others } = index.concerned_by([(Kind::ConfigMap, &ca)]);
    assert_eq!(Vec::from_iter(gateways), [ObjectKey::new("default", "gw")]);
    let others: Vec<_> = others
        .iter()
        .map(|(kind, key)| format!("{kind} {key}"))
        .collect();
    assert_eq!(others, ["HTTPRoute apps/web", "BackendTLSPolicy apps/tls"]);
}
