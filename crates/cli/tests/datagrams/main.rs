//! UDPRoutes: the real binary with a real client and backends.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

#[path = "../harness/mod.rs"]
mod harness;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use harness::{Folder, Process, until};
use serde_json::Value;

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: dns}
spec:
  gatewayClassName: portcullis
  listeners:
";
const UDP: &str = "  - {name: udp, port: 53, protocol: UDP}\n";
const HTTP: &str = "  - {name: http, port: 53, protocol: HTTP}\n";

const ROUTES: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: UDPRoute
metadata: {name: dns}
spec:
  parentRefs: [{name: dns}]
  rules: [{backendRefs: [{name: dns, port: 53}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: over-http}
spec:
  parentRefs: [{name: dns}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
---
";

/// A Service with one endpoint on this machine.
fn service(name: &str, protocol: &str, port: u16, real: u16) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  ports: [{{port: {port}, protocol: {protocol}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-local
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports: [{{port: {real}, protocol: {protocol}}}]
endpoints: [{{addresses: [127.0.0.1]}}]
---
"
    )
}

/// Answers every datagram with its name and what it was sent, as long as the tests run.
fn backend(name: &'static str) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut datagram = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut datagram) {
            let mut answer = format!("{name}: ").into_bytes();
            answer.extend_from_slice(&datagram[..length]);
            let _ = socket.send_to(&answer, from);
        }
    });
    port
}

struct Client(UdpSocket);

impl Client {
    fn of(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        let patience = Some(Duration::from_secs(1));
        socket.set_read_timeout(patience).unwrap();
        Self(socket)
    }

    fn ask(&self, question: &str) -> io::Result<String> {
        self.0.send(question.as_bytes())?;
        let mut answer = [0; 2048];
        let length = self.0.recv(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    }
}

/// Where a listener port of the Gateway is really bound, once it is.
fn port(process: &Process, transport: &str) -> SocketAddr {
    until("the port is bound", || {
        let config: Value = serde_json::from_str(&process.page("/config")).unwrap();
        let mut ports = config["gateways"][0]["ports"].as_array()?.iter();
        let found = ports.find(|it| it["transport"] == transport)?;
        found["addresses"][0].as_str()?.parse().ok()
    })
}

fn attached(process: &Process) -> Option<u64> {
    let gateway = process.object("Gateway", "dns")?;
    let listeners = gateway["status"]["listeners"].as_array()?;
    let udp = listeners.iter().find(|it| it["name"] == "udp")?;
    udp["attachedRoutes"].as_u64()
}

#[test]
fn datagrams_follow_their_route_beside_http_on_the_same_number() {
    let services = |dns| {
        [
            service("dns", "UDP", 53, dns),
            service("web", "TCP", 80, harness::backend()),
        ]
        .concat()
    };
    let gateway = |listeners: &[&str]| format!("{GATEWAY}{}", listeners.concat());
    let (first, second) = (backend("first"), backend("second"));
    let folder = Folder::new(&[
        ("gateway.yaml", &gateway(&[UDP, HTTP])),
        ("routes.yaml", ROUTES),
        ("services.yaml", &services(first)),
    ]);
    let process = Process::standalone(&folder.path(), &[]);
    let (udp, http) = (port(&process, "udp"), port(&process, "tcp"));
    let client = Client::of(udp);
    assert_eq!(client.ask("who?").unwrap(), "first: who?");
    assert_eq!(harness::status(http, "any", "/"), 200);
    for condition in ["Accepted", "ResolvedRefs"] {
        process.until_condition(("UDPRoute", "dns"), (condition, "True"), &[]);
    }
    process.until_condition(("Gateway", "dns"), ("Programmed", "True"), &[]);
    assert_eq!(attached(&process), Some(1));

    folder.write("services.yaml", &services(second));
    process.until("the session has moved", || {
        client.ask("who?").is_ok_and(|it| it == "second: who?")
    });
    let metrics = process.page("/metrics");
    let session = "portcullis_udp_sessions_active{gateway=\"default/dns\",port=\"53/udp\"} 1";
    assert!(metrics.contains(session), "{metrics}");

    folder.write("gateway.yaml", &gateway(&[HTTP]));
    process.until("the UDP port is closed", || {
        let error = client.ask("who?").err();
        error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    });
    assert_eq!(harness::status(http, "any", "/"), 200);
    process.until_condition(("UDPRoute", "dns"), ("Accepted", "False"), &[]);

    folder.write("gateway.yaml", &gateway(&[UDP]));
    let client = Client::of(port(&process, "udp"));
    process.until("the UDP port is served again", || {
        client.ask("who?").is_ok_and(|it| it == "second: who?")
    });
}

#[test]
fn datagrams_for_a_service_that_does_not_exist_are_dropped_and_the_status_says_why() {
    let listeners = format!("{GATEWAY}{UDP}");
    let folder = Folder::new(&[("gateway.yaml", &listeners), ("routes.yaml", ROUTES)]);
    let process = Process::standalone(&folder.path(), &[]);
    process.until_condition(("UDPRoute", "dns"), ("ResolvedRefs", "False"), &["dns"]);
    let client = Client::of(port(&process, "udp"));
    client.0.send(b"who?").unwrap();
    let dropped = "portcullis_udp_dropped_datagrams_total\
                   {gateway=\"default/dns\",port=\"53/udp\",reason=\"invalid_backend\"} 1";
    process.until("it is counted", || {
        process.page("/metrics").contains(dropped)
    });
    folder.write("services.yaml", &service("dns", "UDP", 53, backend("it")));
    process.until("it is served", || {
        client.ask("who?").is_ok_and(|it| it == "it: who?")
    });
}
