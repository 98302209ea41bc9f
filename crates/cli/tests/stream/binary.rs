//! `portcullis dataplane` as kubelet runs it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use tempfile::TempDir;

use crate::controller::{Authority, Controller, token};
use crate::harness::{self, BINARY, Process};
use crate::snapshot::{at_port, snapshot};

/// A process, the controller it follows, and where it serves.
struct Running {
    process: Process,
    controller: Controller,
    health: SocketAddr,
    at: SocketAddr,
    _mounted: TempDir,
}

impl Running {
    /// Nothing is published yet.
    fn start(arguments: &[&str]) -> Self {
        let authority = Authority::new();
        let controller = Controller::leader(&authority);
        let mounted = tempfile::tempdir().unwrap();
        authority.mount(mounted.path(), &token("g", "pod"));
        let mut command = Command::new(BINARY);
        command
            .args(["dataplane", "--gateway", "default/g", "--workers", "1"])
            .args(["--controller", &controller.url()])
            .args(["--health", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .arg("--credentials")
            .arg(mounted.path())
            .args(arguments);
        let mut process = Process::start(command);
        process.until_said(&["data plane started"]);
        process.admin = address(&process.output(), "admin=");
        let health = address(&process.output(), "health=").parse().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            process,
            controller,
            health,
            at: free.local_addr().unwrap(),
            _mounted: mounted,
        }
    }

    fn publish(&self) {
        let snapshot = at_port(&snapshot(1, 1), self.at.port());
        self.controller.publish(&snapshot);
        self.process
            .until("it is ready", || self.health("/readyz") == 200);
    }

    fn health(&self, path: &str) -> u16 {
        harness::status(self.health, "pod", path)
    }
}

fn address(output: &str, label: &str) -> String {
    let (_, rest) = output.split_once(label).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn it_is_ready_once_it_serves_and_shows_only_health_to_the_network() {
    let running = Running::start(&[]);
    assert_eq!(running.health("/healthz"), 200);
    assert_eq!(running.health("/readyz"), 503);
    running.publish();
    assert_eq!(running.health("/metrics"), 200);
    for private in ["/config", "/status", "/"] {
        assert_eq!(running.health(private), 404, "{private}");
    }
    assert!(running.process.page("/config").contains("default/g"));
    // On all addresses, of both families.
    for at in ["127.0.0.1", "[::1]"] {
        TcpStream::connect(format!("{at}:{}", running.at.port())).unwrap();
    }
}

#[test]
fn a_data_plane_that_never_served_ends_at_once() {
    let mut running = Running::start(&["--drain-delay", "1h"]);
    running.process.signal("TERM");
    assert_eq!(running.process.wait(), 0);
}

#[test]
fn told_to_end_it_serves_on_for_a_while_but_sends_its_clients_away() {
    let mut running = Running::start(&["--drain-delay", "1h"]);
    running.publish();
    running.process.signal("TERM");
    let process = &running.process;
    process.until("it is not ready", || running.health("/readyz") == 503);
    let answer = answer_to_one_who_would_stay(running.at);
    assert!(answer.contains("connection: close"), "{answer}");
    running.process.signal("TERM");
    assert_eq!(running.process.wait(), 143);
}

/// The answer to a client that asks for no end of the connection, which ends none the less.
fn answer_to_one_who_would_stay(at: SocketAddr) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: host-0.example.com\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_lowercase()
}
