//! The sample backends, on free ports.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use portcullis_samples::{App, Helloworld, Server, serve};
use tokio::runtime::Runtime;

/// What the backends of all tests run on.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Sample backends that run as long as the test.
pub(crate) struct Backends {
    httpbin: Server,
    helloworld: Server,
    texts: Vec<Server>,
}

impl Backends {
    pub(crate) fn start() -> Self {
        let identity = Helloworld {
            version: "v1".to_owned(),
            instance: "test".to_owned(),
        };
        Self {
            httpbin: run(App::Httpbin),
            helloworld: run(App::Helloworld(identity)),
            texts: Vec::new(),
        }
    }

    /// The sample's manifest, with the ports at which the backends really are.
    pub(crate) fn located(&self, manifest: &str) -> String {
        let ports = [("8000", &self.httpbin), ("5000", &self.helloworld)];
        ports
            .iter()
            .fold(manifest.to_owned(), |text, (documented, real)| {
                let endpoint = format!("ports:\n- name: http\n  port: {documented}\n");
                assert!(text.contains(&endpoint), "{text}");
                text.replace(
                    &endpoint,
                    &format!(
                        "ports:\n- name: http\n  port: {}\n",
                        real.local_addr().port()
                    ),
                )
            })
    }

    /// A Service on port 80 whose backend answers every request with the Service's name.
    pub(crate) fn service(&mut self, namespace: &str, name: &str) -> String {
        let server = run(App::Text(name.to_owned()));
        let address = server.local_addr();
        self.texts.push(server);
        service(namespace, name, address)
    }
}

fn run(app: App) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let _inside = RUNTIME.enter();
    serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).unwrap()
}

/// A Service on port 80 with one endpoint.
fn service(namespace: &str, name: &str, address: SocketAddr) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
spec:
  ports:
  - name: http
    port: 80
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-local
  namespace: {namespace}
  labels:
    kubernetes.io/service-name: {name}
addressType: IPv4
ports:
- name: http
  port: {}
endpoints:
- addresses: [127.0.0.1]
",
        address.port()
    )
}

/// A request that a backend holds until it is told to answer.
pub(crate) struct Held {
    asked: Receiver<()>,
    release: Sender<()>,
}

impl Held {
    /// The Service `name` of `namespace`, whose backend answers one request with 200, when released.
    pub(crate) fn service(namespace: &str, name: &str) -> (String, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asking, asked) = channel();
        let (release, released) = channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            let asked = stream.read(&mut byte).is_ok() && asking.send(()).is_ok();
            if asked && released.recv().is_ok() {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
            }
        });
        (service(namespace, name, address), Self { asked, release })
    }

    /// Waits until the request has reached the backend.
    pub(crate) fn wait(&self) {
        self.asked.recv().unwrap();
    }

    pub(crate) fn release(&self) {
        self.release.send(()).unwrap();
    }
}
