use portcullis_api::manifest;

use super::*;

const OURS: &str = "portcullis.dev/gateway-controller";

const CLUSTER: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portcullis}
spec: {controllerName: portcullis.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: other}
spec: {controllerName: example.com/other}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: infra}
spec: {gatewayClassName: portcullis, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: foreign, namespace: infra}
spec: {gatewayClassName: other, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: both, namespace: shop}
spec: {parentRefs: [{name: web, namespace: infra}, {name: foreign, namespace: infra}]}
status:
  parents:
  - parentRef: {name: web, namespace: infra}
    controllerName: portcullis.dev/gateway-controller
    conditions:
    - {type: Accepted, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}
  - parentRef: {name: foreign, namespace: infra}
    controllerName: example.com/other
    conditions:
    - {type: Accepted, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: foreign, namespace: shop}
spec: {parentRefs: [{name: foreign, namespace: infra}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: more, namespace: shop}
spec: {parentRef: {name: web, namespace: infra}, listeners: [{name: x, port: 81, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: by-set, namespace: shop}
spec: {parentRefs: [{kind: ListenerSet, name: more}]}
"#;

fn cluster() -> Objects {
    let manifest = manifest::parse(CLUSTER);
    assert!(manifest.errors.is_empty(), "{:?}", manifest.errors);
    let objects = manifest.objects.into_iter();
    objects.map(|located| located.object).collect()
}

fn shown(namespace: Option<&str>, name: Option<&str>) -> Vec<String> {
    let objects = ours(&cluster(), OURS, &Scope::new(namespace, name));
    let named = |object: AnyObject| format!("{} {}", object.kind(), object.key());
    objects.iter().map(named).collect()
}

const CLASS: &str = "GatewayClass portcullis";
const GATEWAY: &str = "Gateway infra/web";
const SET: &str = "ListenerSet shop/more";
const ROUTES: [&str; 2] = ["HTTPRoute shop/both", "GRPCRoute shop/by-set"];

#[test]
fn only_what_is_of_our_classes_is_shown() {
    let expected = [CLASS, GATEWAY, SET, ROUTES[0], ROUTES[1]];
    assert_eq!(shown(None, None), expected);
}

#[test]
fn routes_of_a_shown_gateway_are_shown_wherever_they_are() {
    let expected = [CLASS, GATEWAY, SET, ROUTES[0], ROUTES[1]];
    assert_eq!(shown(Some("infra"), None), expected);
    assert_eq!(shown(None, Some("web")), expected);
    assert_eq!(shown(Some("elsewhere"), Some("infra/web")), expected);
}

#[test]
fn routes_in_a_namespace_are_shown_without_their_gateway() {
    let expected = [CLASS, SET, ROUTES[0], ROUTES[1]];
    assert_eq!(shown(Some("shop"), None), expected);
    assert_eq!(shown(Some("shop"), Some("both")), [CLASS, ROUTES[0]]);
    assert_eq!(shown(Some("elsewhere"), None), [CLASS]);
}

#[test]
fn what_other_controllers_say_of_a_route_is_left_out() {
    let objects = ours(&cluster(), OURS, &Scope::default());
    let route = &objects.http_routes[&ObjectKey::new("shop", "both")];
    let parents = &route.status.as_ref().unwrap().parents;
    assert_eq!(parents.len(), 1);
    assert_eq!(parents[0].controller_name, OURS);
}
