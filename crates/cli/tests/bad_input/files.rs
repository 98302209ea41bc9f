//! Mistakes in a file.

use std::fs::File;
use std::io::Write;

use crate::{Scene, route};

/// Writes a bad file beside good ones, expects what is said, mends it, and expects the route of the
/// mended file to be served.
fn is_told_and_mended(bad: &str, said: &[&str]) {
    let scene = Scene::new();
    scene.folder.write("bad.yaml", bad);
    scene.process.until_said(said);
    scene
        .folder
        .write("bad.yaml", &route("bad", "bad.example.com", "/"));
    scene.process.until_said(&["bad.yaml: mended"]);
    scene.until_status("bad.example.com", "/", 200);
    scene.end();
}

#[test]
fn unknown_kind() {
    let bad = route("bad", "bad.example.com", "/").replace("HTTPRoute", "HTTPRote");
    is_told_and_mended(
        &bad,
        &[
            "ERROR",
            "bad.yaml:2:1: ",
            "unknown kind HTTPRote",
            "did you mean HTTPRoute",
        ],
    );
}

#[test]
fn unknown_field() {
    let bad = route("bad", "bad.example.com", "/").replace("backendRefs", "backendRef");
    let said = [
        "ERROR",
        "bad.yaml:14:5: ",
        "spec.rules[0].backendRef",
        "did you mean `backendRefs`?",
    ];
    is_told_and_mended(&bad, &said);
}

#[test]
fn wrong_type() {
    let bad = route("bad", "bad.example.com", "/").replace("port: 80", "port: http");
    is_told_and_mended(
        &bad,
        &[
            "ERROR",
            "bad.yaml:16:7: ",
            "spec.rules[0].backendRefs[0].port",
        ],
    );
}

#[test]
fn invalid_yaml() {
    let bad = route("bad", "bad.example.com", "/").replace("hostnames: [", "hostnames: [[");
    is_told_and_mended(&bad, &["ERROR", "bad.yaml:", "not valid YAML"]);
}

#[test]
fn text_that_is_not_utf8() {
    let scene = Scene::new();
    std::fs::write(scene.folder.path().join("bad.yaml"), b"kind: \xff\n").unwrap();
    scene
        .process
        .until_said(&["ERROR", "bad.yaml: not UTF-8", "byte 7"]);
    scene.end();
}

#[test]
fn a_bad_edit_keeps_what_the_file_held() {
    let scene = Scene::new();
    scene
        .folder
        .write("edited.yaml", &route("edited", "edited.example.com", "/"));
    scene.until_status("edited.example.com", "/", 200);
    scene
        .folder
        .write("edited.yaml", "kind: HTTPRoute\nspec: [");
    scene
        .process
        .until_said(&["WARN", "edited.yaml: 1 object of the last good version"]);
    scene.until_status("edited.example.com", "/", 200);
    let told = |scene: &Scene| scene.process.output().matches("edited.yaml:2").count();
    assert_eq!(told(&scene), 1, "{}", scene.process.output());
    scene
        .folder
        .write("other.yaml", &route("other", "other.example.com", "/"));
    scene.until_status("other.example.com", "/", 200);
    assert_eq!(told(&scene), 1, "told once: {}", scene.process.output());
    scene.end();
}

#[test]
fn duplicate_object_in_two_files() {
    let scene = Scene::new();
    scene
        .folder
        .write("m1.yaml", &route("twice", "first.example.com", "/"));
    scene.until_status("first.example.com", "/", 200);
    scene
        .folder
        .write("m2.yaml", &route("twice", "second.example.com", "/"));
    scene.process.until_said(&[
        "ERROR",
        "m2.yaml:1:1: HTTPRoute default/twice is also in ",
        "m1.yaml:1",
    ]);
    scene.until_status("first.example.com", "/", 200);
    scene.until_status("second.example.com", "/", 404);
    scene.folder.remove("m1.yaml");
    scene.until_status("second.example.com", "/", 200);
    scene.end();
}

#[test]
fn half_written_file_is_not_read_before_it_is_closed() {
    let scene = Scene::new();
    let both = format!(
        "{}---\n{}",
        route("one", "one.example.com", "/"),
        route("two", "two.example.com", "/")
    );
    scene.folder.write("slow.yaml", &both);
    scene.until_status("two.example.com", "/", 200);
    let (first, second) = both.split_once("---\n").unwrap();
    let mut file = File::create(scene.folder.path().join("slow.yaml")).unwrap();
    file.write_all(
        first
            .replace("one.example.com", "uno.example.com")
            .as_bytes(),
    )
    .unwrap();
    // The half is valid, and lacks a route. Something else changes, and is served.
    scene
        .folder
        .write("other.yaml", &route("other", "other.example.com", "/"));
    scene.until_status("other.example.com", "/", 200);
    scene.until_status("two.example.com", "/", 200);
    file.write_all(format!("---\n{second}").as_bytes()).unwrap();
    drop(file);
    scene.until_status("uno.example.com", "/", 200);
    scene.until_status("two.example.com", "/", 200);
    scene.end();
}

#[test]
fn half_written_file_that_is_closed_recovers_with_the_next_write() {
    let whole = route("bad", "bad.example.com", "/");
    let half = &whole[..whole.find("PathPrefix").unwrap() - 2];
    is_told_and_mended(half, &["ERROR", "bad.yaml:"]);
}

#[test]
fn ten_thousand_routes_in_one_file() {
    let scene = Scene::new();
    let routes: Vec<_> = (0..10_000)
        .map(|i| route(&format!("r{i}"), "many.example.com", &format!("/{i}")))
        .collect();
    scene.folder.write("many.yaml", &routes.join("---\n"));
    scene.until_status("many.example.com", "/9999", 200);
    scene.until_status("many.example.com", "/0", 200);
    scene.until_status("many.example.com", "/10000", 404);
    scene.end();
}
