//! `portcullis status` and `portcullis config dump` against an API server, played by this test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::BINARY;

/// An API server that knows some paths, and a kubeconfig that names it.
struct ApiServer {
    folder: TempDir,
}

type Answers = BTreeMap<&'static str, (u16, Value)>;

impl ApiServer {
    /// It runs until the process ends.
    fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Arc::new(answers);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let answers = Arc::clone(&answers);
                thread::spawn(move || answer(&stream.unwrap(), &answers));
            }
        });
        Self::at(address)
    }

    fn at(address: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me", "namespace": "shop"}}],
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "me", "user": {}}],
        });
        fs::write(folder.path().join("config"), config.to_string()).unwrap();
        Self { folder }
    }

    fn ask(&self, arguments: &[&str]) -> (i32, String) {
        run(
            arguments,
            &[
                "--kubeconfig",
                self.folder.path().join("config").to_str().unwrap(),
            ],
        )
    }
}

fn run(arguments: &[&str], more: &[&str]) -> (i32, String) {
    let done = Command::new(BINARY)
        .args(arguments)
        .args(more)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let printed = [done.stdout, done.stderr].concat();
    (
        done.status.code().unwrap(),
        String::from_utf8(printed).unwrap(),
    )
}

fn answer(mut stream: &TcpStream, answers: &Answers) {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let Some(first) = lines.next() else { return };
    lines.by_ref().find(String::is_empty);
    let path = first.split(' ').nth(1).unwrap();
    let missing = (
        404,
        json!({"kind": "Status", "code": 404, "message": "not found", "reason": "NotFound", "status": "Failure"}),
    );
    let (code, body) = answers.get(path).unwrap_or(&missing);
    let body = body.to_string();
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}

const GROUP: &str = "/apis/gateway.networking.k8s.io";

/// A cluster with a Gateway of ours, one of somebody else's, a route, and a pod.
fn cluster() -> Answers {
    let condition = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": kind, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let gateway = |name: &str, class: &str| {
        json!({
            "metadata": {"namespace": "shop", "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"gatewayClassName": class, "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
            "status": {
                "addresses": [{"type": "IPAddress", "value": "192.0.2.7"}],
                "conditions": [condition("Programmed")],
            },
        })
    };
    let class = |name: &str, controller: &str| json!({"metadata": {"name": name}, "spec": {"controllerName": controller}});
    let route = json!({
        "metadata": {"namespace": "shop", "name": "cart"},
        "spec": {"parentRefs": [{"name": "web"}]},
        "status": {"parents": [{
            "parentRef": {"name": "web"},
            "controllerName": "portcullis.dev/gateway-controller",
            "conditions": [condition("Accepted"), condition("ResolvedRefs")],
        }]},
    });
    let pod = json!({
        "metadata": {
            "namespace": "shop", "name": "web-portcullis-1",
            "labels": {"gateway.networking.k8s.io/gateway-name": "web"},
        },
        "status": {"phase": "Pending"},
    });
    let list = |items: &[Value]| (200, json!({"kind": "List", "items": items}));
    let pods = "/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io/managed-by=portcullis";
    let web_pods = "/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io/managed-by=portcullis,gateway.networking.k8s.io/gateway-name=web";
    let controllers = "/api/v1/namespaces/portcullis-system/pods?labelSelector=app.kubernetes.io/name=portcullis,app.kubernetes.io/component=controller";
    Answers::from([
        (GROUP, (200, json!({"versions": [{"version": "v1"}]}))),
        (
            "/apis/gateway.networking.k8s.io/v1",
            (
                200,
                json!({"resources": [
                    {"name": "gatewayclasses"}, {"name": "gateways"}, {"name": "httproutes"},
                ]}),
            ),
        ),
        (
            "/apis/gateway.networking.k8s.io/v1/gatewayclasses",
            list(&[
                class("portcullis", "portcullis.dev/gateway-controller"),
                class("other", "example.com/other"),
            ]),
        ),
        (
            "/apis/gateway.networking.k8s.io/v1/gateways",
            list(&[gateway("web", "portcullis"), gateway("foreign", "other")]),
        ),
        (
            "/apis/gateway.networking.k8s.io/v1/httproutes",
            list(&[route]),
        ),
        (pods, list(std::slice::from_ref(&pod))),
        (web_pods, list(&[pod])),
        (controllers, list(&[])),
    ])
}

fn columns(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn status_of_a_cluster_shows_what_is_ours() {
    let server = ApiServer::start(cluster());
    let (code, printed) = server.ask(&["status"]);
    assert_eq!(code, 0, "{printed}");
    let rows: Vec<_> = printed.lines().map(columns).collect();
    let row = |name: &str| rows.iter().find(|row| row.get(1) == Some(&name));
    assert_eq!(
        row("web").unwrap()[2..5],
        ["portcullis", "192.0.2.7", "True"]
    );
    assert_eq!(
        row("cart").unwrap()[2..7],
        ["HTTPRoute", "<none>", "shop/web", "True", "True"]
    );
    assert_eq!(
        row("web-portcullis-1").unwrap()[2..5],
        ["web", "Pending", "Unknown"]
    );
    assert_eq!(row("foreign"), None);
    assert!(
        printed.contains("no controller is ready in namespace portcullis-system"),
        "{printed}"
    );
}

#[test]
fn status_of_a_cluster_can_be_read_by_machines() {
    let server = ApiServer::start(cluster());
    let (code, printed) = server.ask(&["status", "-o", "json", "web"]);
    assert_eq!(code, 0, "{printed}");
    let list: Value = serde_json::from_str(&printed).unwrap();
    let kinds: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["kind"])
        .collect();
    assert_eq!(kinds, ["Gateway", "HTTPRoute"]);
}

#[test]
fn what_is_not_there_is_said() {
    let server = ApiServer::start(cluster());
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &["status", "nothing"],
            1,
            "portcullis: nothing is called nothing in namespace shop (-A looks in all)\n",
        ),
        (
            &["config", "dump", "wep"],
            2,
            "portcullis: there is no Gateway shop/wep; there are: shop/web\n",
        ),
        (
            &["config", "dump", "shop/foreign"],
            2,
            "portcullis: Gateway shop/foreign is of class other, which is not one of Portcullis's\n",
        ),
        (
            &["config", "dump", "web"],
            2,
            "portcullis: Gateway shop/web has no pod that is ready; there are: web-portcullis-1 (Pending)\n",
        ),
    ];
    for (arguments, code, text) in cases {
        assert_eq!(
            server.ask(arguments),
            (code, text.to_owned()),
            "{arguments:?}"
        );
    }
}

#[test]
fn who_may_not_ask_is_told_which_right_is_missing() {
    let message = "gateways.gateway.networking.k8s.io is forbidden: User \"me\" cannot list resource \"gateways\"";
    let mut answers = cluster();
    for path in [
        "/apis/gateway.networking.k8s.io/v1/gateways",
        "/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways",
    ] {
        let refusal = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": message});
        answers.insert(path, (403, refusal));
    }
    let (code, printed) = ApiServer::start(answers).ask(&["status"]);
    assert_eq!(
        (code, printed),
        (2, format!("portcullis: you lack a right: {message}\n"))
    );
}

#[test]
fn kinds_one_may_not_list_are_left_out() {
    let message = "httproutes.gateway.networking.k8s.io is forbidden";
    let mut answers = cluster();
    let refusal = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": message});
    answers.insert(
        "/apis/gateway.networking.k8s.io/v1/httproutes",
        (403, refusal.clone()),
    );
    answers.insert(
        "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes",
        (403, refusal),
    );
    let (code, printed) = ApiServer::start(answers).ask(&["status"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("web-portcullis-1"), "{printed}");
    let told = format!("portcullis: left out: you lack a right: {message}\n");
    assert!(printed.contains(&told), "{printed}");
}

#[test]
fn a_cluster_without_the_gateway_api_is_told() {
    let (code, printed) = ApiServer::start(Answers::new()).ask(&["status"]);
    assert_eq!(code, 2);
    assert!(printed.contains("no Gateway API"), "{printed}");
}

#[test]
fn a_cluster_that_is_not_there_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, printed) = ApiServer::at(nobody).ask(&["status"]);
    assert_eq!(code, 2);
    assert!(
        printed.contains("does not answer: Connection refused"),
        "{printed}"
    );

    let (code, printed) = run(&["status", "--cluster"], &[]);
    assert_eq!(code, 2);
    assert!(printed.contains("no cluster to ask"), "{printed}");
    assert!(printed.contains("--kubeconfig"), "{printed}");
}
