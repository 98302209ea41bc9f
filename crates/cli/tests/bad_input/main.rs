//! Bad input: each mistake gets its clear message, and nothing else is disturbed. In every test a
//! client asks for a good route all the while, and is answered 200 each time.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod certificates;
mod files;
mod folders;
mod ports;
mod routes;

use harness::{Folder, Prober, Process, backend};

/// A gateway with a good route, asked all the while.
struct Scene {
    folder: Folder,
    process: Process,
    prober: Prober,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    /// With more arguments for `portcullis standalone`.
    fn with(arguments: &[&str]) -> Self {
        let folder = Folder::new(&[("good.yaml", &good(backend()))]);
        let process = Process::standalone(&folder.path(), arguments);
        let address = process.port("default/good", 80);
        process.until("it is ready", || {
            process.page("/readyz").starts_with("ready")
        });
        let prober = Prober::start(address, "good.example.com", "/");
        Self {
            folder,
            process,
            prober,
        }
    }

    /// Whether a request through the good Gateway is answered with this status, soon.
    fn until_status(&self, host: &str, path: &str, status: u16) {
        let address = self.process.port("default/good", 80);
        self.process
            .until(&format!("{host}{path} answers {status}"), || {
                harness::status(address, host, path) == status
            });
    }

    /// The good route was answered 200 all the while.
    fn end(self) {
        self.prober.finish();
    }
}

/// A Gateway, a route, and a Service with one endpoint.
fn good(backend: u16) -> String {
    let route = route("good", "good.example.com", "/");
    let route = route.replace(
        "name: same\n      port: 80",
        &format!("name: backend\n      port: {backend}"),
    );
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: good
spec:
  gatewayClassName: portcullis
  listeners:
  - name: http
    port: 80
    protocol: HTTP
---
{route}---
apiVersion: v1
kind: Service
metadata:
  name: backend
spec:
  type: ExternalName
  externalName: 127.0.0.1
  ports:
  - port: {backend}
---
apiVersion: v1
kind: Service
metadata:
  name: same
spec:
  ports:
  - port: 80
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: same
  labels:
    kubernetes.io/service-name: same
addressType: IPv4
ports:
- port: {backend}
endpoints:
- addresses: [127.0.0.1]
"
    )
}

/// An HTTPRoute of the good Gateway.
fn route(name: &str, host: &str, prefix: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {name}
spec:
  parentRefs:
  - name: good
  hostnames: [{host}]
  rules:
  - matches:
    - path:
        type: PathPrefix
        value: {prefix}
    backendRefs:
    - name: same
      port: 80
"
    )
}
