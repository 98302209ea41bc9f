//! How long a translation of many routes takes: `cargo run --release --example many_routes [N]`.
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "this measures"
)]

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
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: wide, port: 8080, protocol: HTTP, hostname: '*.example.com'}
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
  parentRefs: [{name: web}]
  hostnames: [a.example.com]
  rules:
  - matches: [{path: {value: /a}}, {path: {type: RegularExpression, value: '/v[0-9]+'}}]
    backendRefs: [{name: httpbin, port: 8000}]
";

fn main() {
    let count: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000);
    let read = |text: &str| manifest::parse(text).objects.into_iter().map(|o| o.object);
    let mut objects: Objects = read(BASE).collect();
    let Some(AnyObject::HttpRoute(route)) = read(ROUTE).next() else {
        return;
    };
    for index in 0..count {
        let mut route = (*route).clone();
        route.metadata.name = Some(format!("route-{index}"));
        route.spec.hostnames = vec![format!("host-{index}.example.com")];
        objects.insert(route);
    }
    let inputs = Inputs {
        objects,
        ..Inputs::default()
    };
    let options = Options {
        controller_name: "portcullis.dev/gateway-controller".to_owned(),
    };
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
