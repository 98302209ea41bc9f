//! How long a translation of many routes takes:
//! `cargo run --release --example many_routes [N] [routes|grants|sets]`.
//!
//! `grants`: each route is in a namespace of its own, with a ReferenceGrant into that of the
//! backend. `sets`: each route has a ListenerSet of its own.
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "this measures"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use portcullis_api::{AnyObject, Objects, manifest};
use portcullis_translate::{Inputs, Options, translate};

const BASE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portcullis}
spec: {controllerName: portcullis.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: default}
spec:
  gatewayClassName: portcullis
  allowedListeners: {namespaces: {from: All}}
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - name: wide
    port: 8080
    protocol: HTTP
    hostname: '*.example.com'
    allowedRoutes: {namespaces: {from: All}}
---
apiVersion: v1
kind: Service
metadata: {name: httpbin, namespace: default}
spec: {ports: [{port: 8000}]}
";

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: default}
spec:
  parentRefs: [{name: web, namespace: default}]
  hostnames: [a.example.com]
  rules:
  - matches: [{path: {value: /a}}, {path: {type: RegularExpression, value: '/v[0-9]+'}}]
    backendRefs: [{name: httpbin, namespace: default, port: 8000}]
";

const GRANT: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: grant, namespace: default}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: apart}]
  to: [{group: '', kind: Service}]
";

const SET: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: set, namespace: default}
spec:
  parentRef: {name: web}
  listeners:
  - {name: own, port: 80, protocol: HTTP, hostname: a.example.com}
";

/// The objects of one kind of world, `count` times.
fn world(case: &str, count: usize) -> Option<Objects> {
    let read = |text: &str| manifest::parse(text).objects.into_iter().map(|o| o.object);
    let mut objects: Objects = read(BASE).collect();
    let (
        Some(AnyObject::HttpRoute(route)),
        Some(AnyObject::ReferenceGrant(grant)),
        Some(AnyObject::ListenerSet(set)),
    ) = (read(ROUTE).next(), read(GRANT).next(), read(SET).next())
    else {
        return None;
    };
    for index in 0..count {
        let mut route = (*route).clone();
        route.metadata.name = Some(format!("route-{index}"));
        route.spec.hostnames = vec![format!("host-{index}.example.com")];
        match case {
            "grants" => {
                let namespace = format!("apart-{index}");
                let mut grant = (*grant).clone();
                grant.metadata.name = Some(format!("grant-{index}"));
                for from in &mut grant.spec.from {
                    from.namespace.clone_from(&namespace);
                }
                objects.insert(grant);
                route.metadata.namespace = Some(namespace);
            }
            "sets" => {
                let name = format!("set-{index}");
                let mut set = (*set).clone();
                set.metadata.name = Some(name.clone());
                for listener in &mut set.spec.listeners {
                    listener.hostname = Some(format!("host-{index}.example.com"));
                }
                objects.insert(set);
                for parent in &mut route.spec.parent_refs {
                    parent.kind = Some("ListenerSet".to_owned());
                    parent.name.clone_from(&name);
                }
            }
            _ => {}
        }
        objects.insert(route);
    }
    Some(objects)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|text| text.parse().ok());
    let case = arguments.next().unwrap_or_default();
    let Some(objects) = world(&case, count.unwrap_or(10_000)) else {
        return;
    };
    let inputs = Inputs {
        objects: &objects,
        observed: &BTreeMap::new(),
        now: 0,
    };
    let options = Options::new("portcullis.dev/gateway-controller");
    for _ in 0..5 {
        let start = Instant::now();
        let output = translate(&inputs, &options);
        let took = start.elapsed();
        let routes: usize = output
            .gateways
            .values()
            .map(|gateway| gateway.snapshot.http_routes.len())
            .sum();
        println!("{routes} routes in {took:?}");
    }
}
