//! What signals do to `portcullis standalone`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use crate::harness::{self, BINARY, Folder, Process};

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: g
spec:
  gatewayClassName: portcullis
  listeners:
  - name: http
    port: 80
    protocol: HTTP
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: r
spec:
  parentRefs:
  - name: g
  rules:
  - backendRefs:
    - name: b
      port: 80
---
apiVersion: v1
kind: Service
metadata:
  name: b
spec:
  ports:
  - port: 80
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: b
  labels:
    kubernetes.io/service-name: b
addressType: IPv4
ports:
- port: BACKEND
endpoints:
- addresses: [127.0.0.1]
";

/// A gateway with a request that is in flight until [`Flight::land`].
struct Flight {
    process: Process,
    client: TcpStream,
    backend: TcpStream,
    _folder: Folder,
}

impl Flight {
    fn new(arguments: &[&str]) -> Self {
        let backend = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = backend.local_addr().unwrap().port().to_string();
        let folder = Folder::new(&[("g.yaml", &GATEWAY.replace("BACKEND", &port))]);
        let process = Process::standalone(&folder.path(), arguments);
        let mut client = TcpStream::connect(process.port("default/g", 80)).unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        let (mut backend, _) = backend.accept().unwrap();
        let mut head = [0; 16];
        backend.read_exact(&mut head).unwrap();
        Self {
            process,
            client,
            backend,
            _folder: folder,
        }
    }

    /// The backend answers, and the client reads to the end.
    fn land(&mut self) -> String {
        self.backend
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nlanded")
            .unwrap();
        let mut answer = String::new();
        self.client.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn sigterm_lets_requests_in_flight_end() {
    let mut flight = Flight::new(&[]);
    let address = flight.process.port("default/g", 80);
    flight.process.signal("TERM");
    flight
        .process
        .until("no more connections are accepted", || {
            TcpStream::connect(address).is_err()
        });
    assert!(flight.process.page("/readyz").contains("shutting down"));
    assert!(flight.process.exit_status().is_none());
    let answer = flight.land();
    assert!(answer.ends_with("landed"), "{answer}");
    assert_eq!(flight.process.wait(), 0);
}

#[test]
fn drain_timeout_cuts_off_what_takes_longer() {
    let mut flight = Flight::new(&["--drain-timeout", "100ms"]);
    flight.process.signal("INT");
    assert_eq!(flight.process.wait(), 1);
    flight
        .process
        .until_said(&["WARN", "1 connections cut off"]);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut flight = Flight::new(&[]);
        flight.process.signal("TERM");
        flight
            .process
            .until_said(&["ending when requests in flight are done"]);
        flight.process.signal(signal);
        assert_eq!(flight.process.wait(), code);
    }
}

#[test]
fn sighup_looks_again() {
    let folder = Folder::new(&[]);
    let process = Process::standalone(&folder.path(), &[]);
    process.signal("HUP");
    process.until_said(&["looking at everything again"]);
    assert_eq!(
        harness::status(process.admin.parse().unwrap(), "localhost", "/readyz"),
        200
    );
}

#[test]
fn it_serves_on_when_nobody_reads_what_it_prints() {
    let backend = harness::backend().to_string();
    let folder = Folder::new(&[("g.yaml", &GATEWAY.replace("BACKEND", &backend))]);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut command = Command::new(BINARY);
    command
        .arg("standalone")
        .arg(folder.path())
        .args(["--admin", "127.0.0.1:0", "--workers", "1"]);
    command.args(["--bind", "127.0.0.1", "--port-map", &format!("80={port}")]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let address = ([127, 0, 0, 1], port).into();
    let is_served = || (harness::status(address, "h", "/") == 200).then_some(());
    harness::until("it is served", is_served);
    folder.write("bad.yaml", "kind: [");
    folder.write(
        "other.yaml",
        &GATEWAY
            .replace("name: g", "name: h")
            .replace("BACKEND", &backend),
    );
    harness::until("it is still served", is_served);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(running);
}
