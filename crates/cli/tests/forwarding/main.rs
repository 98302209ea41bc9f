//! TLSRoutes and TCPRoutes: the real binary with `openssl` on both sides of it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

#[path = "../harness/mod.rs"]
mod harness;
mod openssl;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use harness::{Folder, Process};
use openssl::{Client, Identity, ReversingServer};

/// A Gateway with every kind of TLS listener on one port and TCP on another. HTTPS names stay with
/// HTTPS, and of the others the more specific wins.
const MANIFEST: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: mixed
spec:
  gatewayClassName: portcullis
  listeners:
  - {name: web, port: 443, protocol: HTTPS, hostname: web.example, tls: {certificateRefs: [{name: ours}]}}
  - {name: end, port: 443, protocol: TLS, hostname: '*.example', tls: {mode: Terminate, certificateRefs: [{name: ours}]}}
  - {name: pass, port: 443, protocol: TLS, hostname: pass.example, tls: {mode: Passthrough}}
  - {name: tcp, port: 5000, protocol: TCP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: mixed, sectionName: web}]
  rules: [{backendRefs: [{name: http, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: end}
spec:
  parentRefs: [{name: mixed, sectionName: end}]
  hostnames: ['*.example']
  rules: [{backendRefs: [{name: plain, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: pass}
spec:
  parentRefs: [{name: mixed, sectionName: pass}]
  hostnames: [pass.example]
  rules: [{backendRefs: [{name: tls, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: tcp}
spec:
  parentRefs: [{name: mixed, sectionName: tcp}]
  rules: [{backendRefs: [{name: plain, port: 80}]}]
---
";

/// A Service on port 80 with one endpoint on this machine.
fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  ports: [{{port: 80}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-local
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports: [{{port: {port}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
---
"
    )
}

/// Sends back all it gets, and ends when that ends.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    port
}

struct World {
    ours: Identity,
    theirs: Identity,
    process: Process,
    _server: ReversingServer,
    _folder: Folder,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new(&[]);
        let ours = Identity::new(folder.above(), "ours", &["web.example", "end.example"]);
        let theirs = Identity::new(folder.above(), "theirs", &["pass.example"]);
        let server = ReversingServer::start(&theirs);
        let services = [
            ("http", harness::backend()),
            ("plain", echo()),
            ("tls", server.port),
        ];
        let services = services.map(|(name, port)| service(name, port)).concat();
        folder.write("gateway.yaml", MANIFEST);
        folder.write("services.yaml", &services);
        folder.write("secret.yaml", &ours.secret());
        let process = Process::standalone(&folder.path(), &[]);
        process.until("it is ready", || {
            process.page("/readyz").starts_with("ready")
        });
        Self {
            ours,
            theirs,
            process,
            _server: server,
            _folder: folder,
        }
    }

    fn at(&self, port: u16) -> SocketAddr {
        self.process.port("default/mixed", port)
    }
}

#[test]
fn every_kind_of_tls_is_served_on_one_port() {
    let world = World::new();
    let at = world.at(443);
    let mut client = Client::connect(at, "pass.example", &world.theirs);
    assert_eq!(client.exchange("passed on"), "no dessap");
    let mut client = Client::connect(at, "end.example", &world.ours);
    assert_eq!(client.exchange("ended"), "ended");
    let mut client = Client::connect(at, "web.example", &world.ours);
    let answer = client.exchange("GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r");
    assert_eq!(answer.trim_end(), "HTTP/1.1 200 OK");
}

#[test]
fn names_that_nobody_serves_are_reset_without_a_word_in_tls() {
    let world = World::new();
    for name in ["pass.example.net", "localhost"] {
        let said = Client::refused(world.at(443), name);
        assert!(said.contains("errno=104"), "{said}");
    }
}

#[test]
fn routes_of_layer_4_are_shown_and_have_statuses() {
    let world = World::new();
    let config = world.process.page("/config");
    for shown in [
        "TLSRoute/default/end",
        "TLSRoute/default/pass",
        "TCPRoute/default/tcp",
    ] {
        assert!(config.contains(shown), "{shown}: {config}");
    }
    for route in [
        ("TLSRoute", "end"),
        ("TLSRoute", "pass"),
        ("TCPRoute", "tcp"),
    ] {
        world
            .process
            .until_condition(route, ("Accepted", "True"), &[]);
        world
            .process
            .until_condition(route, ("ResolvedRefs", "True"), &[]);
    }
    let mut stream = TcpStream::connect(world.at(5000)).unwrap();
    stream.write_all(b"ping\n").unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    assert_eq!(answer, "ping\n");
    let metrics = world.process.page("/metrics");
    let counted = "portcullis_tcp_received_bytes_total{gateway=\"default/mixed\",listener=\"tcp\",route=\"TCPRoute/default/tcp\"} 5";
    assert!(metrics.contains(counted), "{metrics}");
}

/// The most memory that the process has held so far, in KiB.
fn peak(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

#[test]
fn a_quarter_of_a_gigabyte_takes_no_memory() {
    const CHUNKS: u64 = 4096;
    const CHUNK: usize = 64 * 1024;
    let world = World::new();
    let at = world.at(5000);
    let before = peak(&world.process);
    let mut stream = TcpStream::connect(at).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sender = thread::spawn(move || {
        let chunk = vec![7; CHUNK];
        for _ in 0..CHUNKS {
            writer.write_all(&chunk).unwrap();
        }
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let received = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    sender.join().unwrap();
    assert_eq!(received, CHUNKS * CHUNK as u64);
    let grown = peak(&world.process).saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB");
}

#[test]
fn thousands_of_idle_connections_hold_no_buffers() {
    const CONNECTIONS: u64 = 500;
    let world = World::new();
    let at = world.at(5000);
    let before = peak(&world.process);
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        held.push(stream);
    }
    let each = peak(&world.process).saturating_sub(before) / CONNECTIONS;
    assert!(each < 16, "{each} KiB");
}
