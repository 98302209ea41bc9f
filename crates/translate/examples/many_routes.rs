//! How long a translation of many routes takes, from nothing and after one change:
//! `cargo run --release --example many_routes [N] [routes|grants|sets] [from-nothing|new-route TIMES]`.
//!
//! With the last two it does that so many times and nothing else, each time in [`counted`], which is what
//! callgrind has to count (`--toggle-collect='*counted*'`).
//!
//! Each route has a Service of its own, with an EndpointSlice. `grants`: each route is in a namespace
//! of its own, with a ReferenceGrant into that of the backend. `sets`: each route has a ListenerSet of
//! its own.
#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "this measures"
)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_api::core::{EndpointSlice, Service};
use portcullis_api::{AnyObject, HttpRoute, ListenerSet, Objects, ReferenceGrant, manifest};
use portcullis_translate::{Inputs, ObservedGateway, Options, Output, Translator, translate};

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
";

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: service, namespace: default}
spec: {ports: [{port: 8000}]}
";

const SLICE: &str = "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: slice, namespace: default}
addressType: IPv4
ports: [{port: 8000}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]
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
    backendRefs: [{name: service, namespace: default, port: 8000}]
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

/// One of each kind, to be copied.
struct Originals {
    route: Arc<HttpRoute>,
    service: Arc<Service>,
    slice: Arc<EndpointSlice>,
    grant: Arc<ReferenceGrant>,
    set: Arc<ListenerSet>,
}

fn read(text: &str) -> Vec<AnyObject> {
    let read = manifest::parse(text).objects.into_iter();
    read.map(|located| located.object).collect()
}

impl Originals {
    fn read() -> Option<Self> {
        let mut objects = [ROUTE, SERVICE, SLICE, GRANT, SET]
            .map(read)
            .into_iter()
            .flatten();
        let mut next = || objects.next();
        let (
            AnyObject::HttpRoute(route),
            AnyObject::Service(service),
            AnyObject::EndpointSlice(slice),
            AnyObject::ReferenceGrant(grant),
            AnyObject::ListenerSet(set),
        ) = (next()?, next()?, next()?, next()?, next()?)
        else {
            return None;
        };
        Some(Self {
            route,
            service,
            slice,
            grant,
            set,
        })
    }

    fn route(&self, case: &str, index: usize) -> HttpRoute {
        let mut route = (*self.route).clone();
        route.metadata.name = Some(format!("route-{index}"));
        let spec = Arc::make_mut(&mut route.spec);
        spec.hostnames = vec![format!("host-{index}.example.com")];
        for rule in &mut spec.rules {
            for backend in &mut rule.backend_refs {
                backend.name = format!("service-{index}");
            }
        }
        if case == "grants" {
            route.metadata.namespace = Some(format!("apart-{index}"));
        }
        if case == "sets" {
            for parent in &mut spec.parent_refs {
                parent.kind = Some("ListenerSet".to_owned());
                parent.name = format!("set-{index}");
            }
        }
        route
    }

    fn slice(&self, index: usize, endpoints: usize) -> EndpointSlice {
        let mut slice = (*self.slice).clone();
        slice.metadata.name = Some(format!("slice-{index}"));
        let service = ("kubernetes.io/service-name", format!("service-{index}"));
        slice.metadata.labels = Some([service].map(|(k, v)| (k.to_owned(), v)).into());
        slice.endpoints.truncate(endpoints);
        slice
    }

    fn add(&self, case: &str, index: usize, objects: &mut Objects) {
        objects.insert(self.route(case, index));
        let mut service = (*self.service).clone();
        service.metadata.name = Some(format!("service-{index}"));
        objects.insert(service);
        objects.insert(self.slice(index, 2));
        if case == "grants" {
            let mut grant = (*self.grant).clone();
            grant.metadata.name = Some(format!("grant-{index}"));
            for from in &mut Arc::make_mut(&mut grant.spec).from {
                from.namespace = format!("apart-{index}");
            }
            objects.insert(grant);
        }
        if case == "sets" {
            let mut set = (*self.set).clone();
            set.metadata.name = Some(format!("set-{index}"));
            for listener in &mut Arc::make_mut(&mut set.spec).listeners {
                listener.hostname = Some(format!("host-{index}.example.com"));
            }
            objects.insert(set);
        }
    }
}

/// Something done again and again, timed.
struct Timing {
    translator: Translator,
    last: Output,
}

impl Timing {
    /// The middle of several times: of the translation, of the comparison with the snapshot before,
    /// and of its version.
    fn time(&mut self, what: &str, objects: &mut Objects, change: impl Fn(&mut Objects, usize)) {
        let mut times = Vec::new();
        let mut compared = Vec::new();
        let mut versions = Vec::new();
        for round in 0..21 {
            change(objects, round);
            let start = Instant::now();
            let output = self.translator.translate(&inputs(objects));
            times.push(start.elapsed());
            let pairs = output.gateways.values().zip(self.last.gateways.values());
            let start = Instant::now();
            for (new, old) in pairs {
                let new = &new.snapshot;
                std::hint::black_box(
                    new.http_routes
                        .changes_since(&old.snapshot.http_routes)
                        .count(),
                );
                std::hint::black_box(new.backends.changes_since(&old.snapshot.backends).count());
            }
            compared.push(start.elapsed());
            let start = Instant::now();
            for new in output.gateways.values() {
                std::hint::black_box(new.snapshot.version());
            }
            versions.push(start.elapsed());
            self.last = output;
        }
        let median = |mut times: Vec<Duration>| {
            times.sort();
            times.get(times.len() / 2).copied().unwrap_or_default()
        };
        println!(
            "{what:24} {:>10.1?}  compared {:>8.1?}  version {:>8.1?}",
            median(times),
            median(compared),
            median(versions)
        );
    }
}

fn inputs(objects: &Objects) -> Inputs<'_> {
    static NOTHING: BTreeMap<portcullis_ir::ObjectKey, ObservedGateway> = BTreeMap::new();
    Inputs {
        objects,
        observed: &NOTHING,
        now: 0,
    }
}

/// Never a part of its caller, so that a profiler finds it by its name.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    std::hint::black_box(work())
}

fn from_nothing(times: usize, objects: &Objects, options: &Options) {
    for _ in 0..times {
        counted(|| drop(translate(&inputs(objects), options)));
    }
}

/// The first translation is of all that is there, each other one of one route more.
fn new_routes(
    indexes: Range<usize>,
    originals: &Originals,
    case: &str,
    mut objects: Objects,
    options: Options,
) {
    let mut translator = Translator::new(options);
    drop(translator.translate(&inputs(&objects)));
    for index in indexes {
        originals.add(case, index, &mut objects);
        counted(|| drop(translator.translate(&inputs(&objects))));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|text| text.parse().ok());
    let count = count.unwrap_or(10_000);
    let case = arguments.next().unwrap_or_default();
    let Some(originals) = Originals::read() else {
        return;
    };
    let mut objects: Objects = read(BASE).into_iter().collect();
    for index in 0..count {
        originals.add(&case, index, &mut objects);
    }
    let options = Options::new("portcullis.dev/gateway-controller");
    if let (Some(what), Some(times)) = (arguments.next(), arguments.next()) {
        let times = times.parse().unwrap_or(1);
        match what.as_str() {
            "from-nothing" => from_nothing(times, &objects, &options),
            _ => new_routes(count..count + times, &originals, &case, objects, options),
        }
        return;
    }
    for _ in 0..5 {
        let start = Instant::now();
        drop(translate(&inputs(&objects), &options));
        println!("{count} routes from nothing: {:.1?}", start.elapsed());
    }
    let mut translator = Translator::new(options);
    let last = translator.translate(&inputs(&objects));
    let mut timing = Timing { translator, last };
    timing.time("nothing", &mut objects, |_, _| {});
    timing.time("one changed route", &mut objects, |objects, round| {
        let mut route = originals.route(&case, count / 2);
        route.metadata.generation = Some(2);
        let hostnames = &mut Arc::make_mut(&mut route.spec).hostnames;
        hostnames.push(format!("new-{round}.example.com"));
        objects.insert(route);
    });
    timing.time("one EndpointSlice", &mut objects, |objects, round| {
        objects.insert(originals.slice(count / 2, round % 2));
    });
    timing.time("one new route", &mut objects, |objects, round| {
        originals.add(&case, count + round, objects);
    });
}
