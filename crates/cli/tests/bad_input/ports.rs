//! Ports that cannot be bound.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::harness::{BINARY, Folder, Prober, Process, backend};
use crate::{Scene, good, harness};

fn gateway(name: &str, port: u16, address: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {name}
spec:
  gatewayClassName: portcullis
  addresses:
  - value: {address}
  listeners:
  - name: http
    port: {port}
    protocol: HTTP
"
    )
}

#[test]
fn port_in_use_is_bound_when_it_is_free() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let scene = Scene::with(&["--port-map", &format!("{port}={port}")]);
    scene
        .folder
        .write("taken.yaml", &gateway("taken", port, "127.0.0.1"));
    let said = [
        format!("port {port}"),
        "in use by another process".to_owned(),
    ];
    let said = said.each_ref().map(String::as_str);
    scene
        .process
        .until_condition(("Gateway", "taken"), ("Programmed", "False"), &said);
    scene
        .process
        .until_said(&["WARN", "Gateway default/taken", "Programmed False", said[1]]);
    assert!(
        scene.process.page("/readyz").contains(said[0]),
        "{}",
        scene.process.page("/readyz")
    );
    drop(holder);
    scene
        .process
        .until_condition(("Gateway", "taken"), ("Programmed", "True"), &[]);
    scene.end();
}

#[test]
fn two_gateways_with_one_port_need_an_address_each() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let scene = Scene::with(&["--port-map", &format!("{free}={free}")]);
    scene
        .folder
        .write("a.yaml", &gateway("a", free, "127.0.0.1"));
    scene
        .process
        .until_condition(("Gateway", "a"), ("Programmed", "True"), &[]);
    scene
        .folder
        .write("b.yaml", &gateway("b", free, "127.0.0.1"));
    let said = ["Gateway default/a has it", "spec.addresses"];
    scene
        .process
        .until_condition(("Gateway", "b"), ("Programmed", "False"), &said);
    scene
        .folder
        .write("b.yaml", &gateway("b", free, "127.0.0.2"));
    scene
        .process
        .until_condition(("Gateway", "b"), ("Programmed", "True"), &[]);
    let status = scene.process.object("Gateway", "b").unwrap()["status"].clone();
    assert_eq!(status["addresses"][0]["value"], "127.0.0.2", "{status:#}");
    scene.end();
}

#[test]
fn address_of_another_machine() {
    let scene = Scene::new();
    scene
        .folder
        .write("far.yaml", &gateway("far", 80, "192.0.2.77"));
    let said = ["192.0.2.77 is not an address of this host"];
    scene
        .process
        .until_condition(("Gateway", "far"), ("Programmed", "False"), &said);
    scene.end();
}

#[test]
fn mistyped_address_leaves_a_gateway_where_it_is() {
    let scene = Scene::new();
    let moving = |address: &str| {
        let text = gateway("moving", 80, "127.0.0.2").replace("value: 127.0.0.2", address);
        scene.folder.write("moving.yaml", &text);
    };
    moving("value: 127.0.0.2");
    scene
        .process
        .until_condition(("Gateway", "moving"), ("Programmed", "True"), &[]);
    let served = scene.process.port("default/moving", 80);
    let answers = || harness::status(served, "nobody.example.com", "/") == 404;
    assert!(answers());

    moving("value: 192.0.2.77");
    let said = ["192.0.2.77"];
    scene
        .process
        .until_condition(("Gateway", "moving"), ("Programmed", "False"), &said);
    scene
        .process
        .until_said(&["WARN", "Gateway default/moving", "it stays at"]);
    assert!(answers());

    moving("{type: Hostname, value: localhost}");
    let said = ["addresses of type Hostname"];
    scene
        .process
        .until_condition(("Gateway", "moving"), ("Accepted", "False"), &said);
    assert!(answers());
    assert_eq!(scene.process.port("default/moving", 80), served);

    moving("value: 127.0.0.3");
    scene
        .process
        .until_condition(("Gateway", "moving"), ("Programmed", "True"), &[]);
    let moved = scene.process.port("default/moving", 80);
    assert_eq!(moved.ip().to_string(), "127.0.0.3");
    scene.process.until("the old address is given up", || {
        std::net::TcpStream::connect(served).is_err()
    });
    scene.end();
}

#[test]
fn port_below_1024_without_permission() {
    const PORT: u16 = 1;
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if first.trim().parse::<u16>().unwrap() <= PORT {
        eprintln!("every port is free to all on this machine (ip_unprivileged_port_start)");
        return;
    }
    let folder = Folder::new(&[
        ("good.yaml", &good(backend())),
        ("low.yaml", &gateway("low", PORT, "127.0.0.1")),
    ]);
    for path in [folder.above(), &folder.path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let map = format!("{PORT}={PORT}");
    let process =
        Process::standalone_by(unprivileged(&folder), &folder.path(), &["--port-map", &map]);
    let prober = Prober::start(process.port("default/good", 80), "good.example.com", "/");
    let said = ["permission denied".to_owned(), "--port-map 1=".to_owned()];
    let said = said.each_ref().map(String::as_str);
    process.until_condition(("Gateway", "low"), ("Programmed", "False"), &said);
    prober.finish();
}

/// The binary, without the right to bind low ports.
fn unprivileged(folder: &Folder) -> Command {
    let is_root = String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap();
    if is_root.trim() != "0" {
        return Command::new(BINARY);
    }
    // The build's folder may not be open to others.
    let binary = folder.above().join("portcullis");
    fs::copy(BINARY, &binary).unwrap();
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]);
    command.arg(binary);
    command
}
