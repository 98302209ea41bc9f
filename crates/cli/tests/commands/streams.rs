//! TCPRoute, UDPRoute and TLSRoute, from the folder to the backend and into `portcullis status`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::harness::{BINARY, Folder, Process, until};

/// A TLS record with a ClientHello that asks for `name`, and nothing else of use.
fn client_hello(name: &str) -> Vec<u8> {
    fn sized(wide: usize, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[4 - wide..], content].concat()
    }
    let host = [&[0][..], &sized(2, name.as_bytes())].concat();
    let server_name = [&[0, 0][..], &sized(2, &sized(2, &host))].concat();
    let signature_algorithms = [0, 0x0d, 0, 4, 0, 2, 4, 3];
    let extensions = [&server_name[..], &signature_algorithms].concat();
    let suites_and_compression = [0, 2, 0x13, 0x01, 1, 0];
    let body = [
        &[3, 3][..],
        &[0; 32],
        &[0],
        &suites_and_compression,
        &sized(2, &extensions),
    ];
    let handshake = [&[1][..], &sized(3, &body.concat())].concat();
    [&[0x16, 3, 1][..], &sized(2, &handshake)].concat()
}

/// Answers each connection with `name` and what it says first.
fn tcp_backend(name: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut said = [0; 512];
            let length = stream.read(&mut said).unwrap_or(0);
            let _ = stream.write_all(&[name.as_bytes(), &said[..length]].concat());
        }
    });
    port
}

fn udp_backend(name: &'static str) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut said = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut said) {
            let _ = socket.send_to(&[name.as_bytes(), &said[..length]].concat(), peer);
        }
    });
    port
}

fn service(name: &str, protocol: &str, port: u16) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec:
  type: ExternalName
  externalName: 127.0.0.1
  ports: [{{port: {port}, protocol: {protocol}}}]
---
"
    )
}

fn route(kind: &str, hostnames: &str, service: &str, port: u16) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {service}, namespace: default}}
spec:
  parentRefs: [{{name: edge}}]
  {hostnames}
  rules: [{{backendRefs: [{{name: {service}, port: {port}}}]}}]
---
"
    )
}

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  gatewayClassName: portcullis
  listeners:
  - {name: db, port: 5432, protocol: TCP}
  - {name: dns, port: 53, protocol: UDP}
  - {name: tls, port: 443, protocol: TLS, hostname: '*.example.com', tls: {mode: Passthrough}}
";

fn said_over_tcp(address: SocketAddr, said: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(said)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn said_over_udp(address: SocketAddr, said: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.send_to(said, address)?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    Ok(answer[..length].to_vec())
}

#[test]
fn streams_and_datagrams_reach_their_backends_and_their_routes_are_shown() {
    let (db, mail, dns) = (
        tcp_backend("db "),
        tcp_backend("mail "),
        udp_backend("dns "),
    );
    let manifests = [
        service("db", "TCP", db),
        route("TCPRoute", "", "db", db),
        service("mail", "TCP", mail),
        route("TLSRoute", "hostnames: [a.example.com]", "mail", mail),
        service("dns", "UDP", dns),
        route("UDPRoute", "", "dns", dns),
        GATEWAY.to_owned(),
    ];
    let folder = Folder::new(&[("all.yaml", &manifests.concat())]);
    let process = Process::standalone(&folder.path(), &[]);
    process.until_condition(("Gateway", "edge"), ("Programmed", "True"), &[]);
    let port = |port| process.port("default/edge", port);
    assert_eq!(said_over_tcp(port(5432), b"hello").unwrap(), b"db hello");
    assert_eq!(said_over_udp(port(53), b"hello").unwrap(), b"dns hello");
    let hello = client_hello("a.example.com");
    let passed = said_over_tcp(port(443), &hello).unwrap();
    assert_eq!(passed, [b"mail ", &hello[..]].concat());

    let done = Command::new(BINARY)
        .args(["status", "--admin", &process.admin])
        .output()
        .unwrap();
    let printed = String::from_utf8(done.stdout).unwrap();
    for kind in ["TCPRoute", "TLSRoute", "UDPRoute"] {
        let row = printed.lines().find(|line| line.contains(kind));
        let row: Vec<&str> = row.unwrap().split_whitespace().collect();
        assert_eq!(
            row.iter().filter(|word| **word == "True").count(),
            2,
            "{row:?}"
        );
    }
}

#[test]
fn a_route_on_a_listener_of_another_protocol_is_not_accepted() {
    let text = [GATEWAY, "---\n", &route("TCPRoute", "", "db", 1)].concat();
    let text = text.replace(
        "parentRefs: [{name: edge}]",
        "parentRefs: [{name: edge, sectionName: dns}]",
    );
    let folder = Folder::new(&[("all.yaml", &text)]);
    let process = Process::standalone(&folder.path(), &[]);
    let refusal = ["listener dns takes no TCPRoutes"];
    process.until_condition(("TCPRoute", "db"), ("Accepted", "False"), &refusal);
    folder.remove("all.yaml");
    until("the route is gone", || {
        process.object("TCPRoute", "db").is_none().then_some(())
    });
}
