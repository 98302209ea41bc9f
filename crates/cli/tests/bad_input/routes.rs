//! Mistakes in what a route or a Gateway means.

use crate::{Scene, route};

#[test]
fn regex_that_does_not_compile() {
    let scene = Scene::new();
    let bad = route("regex", "regex.example.com", "'/(unclosed'")
        .replace("PathPrefix", "RegularExpression");
    scene.folder.write("regex.yaml", &bad);
    scene.process.until_condition(
        ("HTTPRoute", "regex"),
        ("Accepted", "False"),
        &["/(unclosed"],
    );
    scene
        .process
        .until_said(&["WARN", "HTTPRoute default/regex", "/(unclosed"]);
    scene.end();
}

#[test]
fn regex_that_would_explode_elsewhere_is_matched_in_linear_time() {
    let scene = Scene::new();
    let regex =
        route("regex", "regex.example.com", "'/(a+)+$'").replace("PathPrefix", "RegularExpression");
    scene.folder.write("regex.yaml", &regex);
    scene.until_status("regex.example.com", "/aaa", 200);
    let long = "a".repeat(4000);
    scene.until_status("regex.example.com", &format!("/{long}!"), 404);
    scene.until_status("regex.example.com", &format!("/{long}"), 200);
    scene.end();
}

#[test]
fn regex_that_would_take_too_much_memory() {
    let scene = Scene::new();
    let bad = route("regex", "regex.example.com", r"'/(\w{1000}){1000}'")
        .replace("PathPrefix", "RegularExpression");
    scene.folder.write("regex.yaml", &bad);
    scene
        .process
        .until_condition(("HTTPRoute", "regex"), ("Accepted", "False"), &["1000"]);
    scene.end();
}

#[test]
fn gateway_of_a_class_that_is_not_ours() {
    let scene = Scene::new();
    let other = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: other
spec:
  gatewayClassName: nginx
  listeners:
  - name: http
    port: 81
    protocol: HTTP
";
    scene.folder.write("other.yaml", other);
    scene.process.until_said(&[
        "WARN",
        "other.yaml:1:1: Gateway default/other: ignored",
        "nginx",
        "portcullis",
    ]);
    scene.end();
}

#[test]
fn route_whose_parent_is_nowhere() {
    let scene = Scene::new();
    let lonely = route("lonely", "lonely.example.com", "/").replace("- name: good", "- name: gone");
    scene.folder.write("lonely.yaml", &lonely);
    scene.process.until_said(&[
        "WARN",
        "lonely.yaml:1:1: HTTPRoute default/lonely",
        "Gateway default/gone",
    ]);
    scene.end();
}

#[test]
fn route_whose_backend_is_nowhere() {
    let scene = Scene::new();
    let broken =
        route("broken", "broken.example.com", "/").replace("- name: same", "- name: nobody");
    scene.folder.write("broken.yaml", &broken);
    scene.process.until_said(&[
        "WARN",
        "HTTPRoute default/broken",
        "ResolvedRefs False",
        "nobody",
    ]);
    scene.until_status("broken.example.com", "/", 500);
    scene.end();
}
