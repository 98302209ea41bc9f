//! `portcullis status`, and the status file.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::harness::{BINARY, Folder, Process, until};

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: edge
  namespace: web
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
  name: shop
  namespace: elsewhere
spec:
  parentRefs:
  - name: edge
    namespace: web
  hostnames: [shop.example.com]
";

fn status(process: &Process, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(BINARY);
    let done = command
        .args(["status", "--admin", &process.admin])
        .args(arguments)
        .output()
        .unwrap();
    let printed = [done.stdout, done.stderr].concat();
    (
        done.status.code().unwrap(),
        String::from_utf8(printed).unwrap(),
    )
}

#[test]
fn tables_show_objects_and_what_is_not_as_it_should_be() {
    let folder = Folder::new(&[("g.yaml", GATEWAY)]);
    let process = Process::standalone(&folder.path(), &[]);
    process.until_condition(("Gateway", "edge"), ("Programmed", "True"), &[]);
    let (code, printed) = status(&process, &[]);
    assert_eq!(code, 0);
    let rows: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        [
            "NAMESPACE",
            "GATEWAY",
            "CLASS",
            "ADDRESS",
            "PROGRAMMED",
            "AGE"
        ]
    );
    assert_eq!(
        rows[1][..5],
        ["web", "edge", "portcullis", "127.0.0.1", "True"]
    );
    let route = [
        "elsewhere",
        "shop",
        "HTTPRoute",
        "shop.example.com",
        "web/edge",
        "False",
    ];
    assert_eq!(rows[4][..6], route, "{printed}");
    let problem =
        "  HTTPRoute elsewhere/shop: parent web/edge: Accepted False, NotAllowedByListeners: ";
    assert!(
        printed.lines().any(|line| line.starts_with(problem)),
        "{printed}"
    );
}

#[test]
fn one_object_is_printed_as_yaml() {
    let folder = Folder::new(&[("g.yaml", GATEWAY)]);
    let process = Process::standalone(&folder.path(), &[]);
    for name in ["edge", "web/edge"] {
        let (code, printed) = status(&process, &["-o", "yaml", name]);
        assert_eq!(code, 0);
        assert!(
            printed.starts_with("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"),
            "{printed}"
        );
        assert!(printed.contains("\n  - attachedRoutes: 0\n"), "{printed}");
        assert!(printed.contains("lastTransitionTime: "), "{printed}");
    }
    assert_eq!(
        status(&process, &["nobody"]),
        (1, "portcullis: no object is called nobody\n".to_owned())
    );
}

#[test]
fn who_does_not_run_does_not_answer() {
    let done = Command::new(BINARY)
        .args(["status", "--admin", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("no gateway answers at 127.0.0.1:1"), "{said}");
}

#[test]
fn the_status_file_is_kept_up_to_date() {
    let folder = Folder::new(&[("g.yaml", GATEWAY)]);
    let file = folder.above().join("status.yaml");
    let process = Process::standalone(&folder.path(), &["--status-file", file.to_str().unwrap()]);
    let holds = |word: &str| std::fs::read_to_string(&file).is_ok_and(|text| text.contains(word));
    process.until("it is written", || holds("reason: Programmed"));
    folder.write("g.yaml", &GATEWAY.replace("name: shop", "name: stall"));
    process.until("it is written again", || {
        holds("name: stall") && !holds("name: shop")
    });
}

#[test]
fn changes_are_told_in_one_line_each() {
    let folder = Folder::new(&[("g.yaml", GATEWAY)]);
    let process = Process::standalone(&folder.path(), &[]);
    folder.write(
        "g.yaml",
        &GATEWAY.replace("namespace: elsewhere", "namespace: web"),
    );
    process.until_said(&["INFO", "HTTPRoute elsewhere/shop: deleted"]);
    process.until_said(&[
        "INFO",
        "HTTPRoute web/shop: added; Accepted True, ResolvedRefs True",
    ]);
    folder.write("g.yaml", "");
    process.until_said(&["INFO", "Gateway web/edge: deleted"]);
}

#[test]
fn an_access_log_has_standard_output_to_itself() {
    let folder = Folder::new(&[("g.yaml", GATEWAY)]);
    let mut command = Command::new(BINARY);
    command
        .arg("standalone")
        .arg(folder.path())
        .args(["--bind", "127.0.0.1", "--port-map", "*=0"]);
    command.args(["--admin", "127.0.0.1:0", "--access-log", "stdout"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let mut stdout = child.stdout.take().unwrap();
    // Nothing is printed before it ends, which it does when it can be told to.
    let signal = || Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let handles_signals = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << 14) != 0
    };
    until("signals are handled", || handles_signals().then_some(()));
    signal();
    let mut printed = String::new();
    stdout.read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_status_file_where_it_would_be_read_is_refused() {
    let folder = Folder::new(&[("g.yaml", GATEWAY)]);
    for option in ["--status-file", "--access-log"] {
        let file = folder.path().join("status.yaml");
        let mut command = Command::new(BINARY);
        command
            .args(["standalone", "--admin", "127.0.0.1:0"])
            .arg(folder.path())
            .arg(option)
            .arg(&file);
        let mut process = Process::start(command);
        assert_eq!(process.wait(), 2);
        process.until_said(&[option, "put it elsewhere"]);
        assert!(!file.exists());
    }
}
