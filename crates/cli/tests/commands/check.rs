//! `portcullis check`.

use std::path::Path;
use std::process::Command;

use crate::harness::{BINARY, Folder};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/samples");

fn check(folders: &[&Path], arguments: &[&str]) -> (i32, String) {
    let done = Command::new(BINARY)
        .arg("check")
        .args(folders)
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
fn a_good_folder_is_good() {
    let base = Path::new(SAMPLES).join("base");
    let sample = Path::new(SAMPLES).join("http-gateway");
    let (code, printed) = check(&[&base, &sample], &[]);
    assert_eq!(
        (code, printed.as_str()),
        (0, "6 objects: 0 errors, 0 warnings\n")
    );
}

#[test]
fn the_sample_of_other_protocols_is_good() {
    let sample = Path::new(SAMPLES).join("other-protocols");
    let (code, printed) = check(&[&sample], &["--strict"]);
    assert_eq!(
        (code, printed.as_str()),
        (0, "12 objects: 0 errors, 0 warnings\n")
    );
}

#[test]
fn mistakes_are_printed_as_compilers_do() {
    let folder = Folder::new(&[
        (
            "a.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\nstringDta: {}\n",
        ),
        (
            "b.yaml",
            "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: g
spec:
  gatewayClassName: portcullis
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    tls:
      certificateRefs:
      - name: nothing
",
        ),
    ]);
    let (code, printed) = check(&[&folder.path()], &[]);
    assert_eq!(code, 1, "{printed}");
    let lines: Vec<_> = printed.lines().collect();
    let a = format!(
        "{}/a.yaml:5:1: error: Secret x: stringDta: ",
        folder.path().display()
    );
    let b = format!(
        "{}/b.yaml:1:1: error: Gateway default/g: listener https: ResolvedRefs False, \
         InvalidCertificateRef: Secret default/nothing does not exist",
        folder.path().display()
    );
    assert!(lines.iter().any(|line| line.starts_with(&a)), "{printed}");
    assert!(lines.contains(&b.as_str()), "{printed}");
    assert!(!printed.contains("Programmed"), "{printed}");
    assert!(printed.contains("1 object: "), "{printed}");

    let (code, printed) = check(&[&folder.path()], &["-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (code, list[0]["line"].as_u64(), list[0]["severity"].as_str()),
        (1, Some(5), Some("error"))
    );
}

#[test]
fn what_nothing_serves_fails_when_strict() {
    let foreign = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: g
spec:
  gatewayClassName: portculis
  listeners:
  - name: http
    port: 80
    protocol: HTTP
";
    let lonely = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: r
spec:
  parentRefs:
  - name: elsewhere
";
    let parentless = "apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata:
  name: r
spec:
  rules:
  - backendRefs:
    - name: db
      port: 5432
";
    for (text, said) in [
        (foreign, "warning: Gateway default/g: ignored: "),
        (
            parentless,
            "warning: TCPRoute default/r: it has no parentRefs, so no Gateway serves it",
        ),
        (
            lonely,
            "warning: HTTPRoute default/r: its parent, Gateway default/elsewhere, ",
        ),
    ] {
        let folder = Folder::new(&[("a.yaml", text)]);
        for (arguments, expected) in [([].as_slice(), 0), (&["--strict"], 1)] {
            let (code, printed) = check(&[&folder.path()], arguments);
            assert_eq!(code, expected, "{arguments:?}: {printed}");
            assert!(printed.contains(said), "{printed}");
        }
    }
    let base = Path::new(SAMPLES).join("base");
    let sample = Path::new(SAMPLES).join("http-gateway");
    let (code, printed) = check(&[&base, &sample], &["--strict"]);
    assert_eq!(code, 0, "{printed}");
}

#[test]
fn what_cannot_be_read_is_another_exit_code() {
    let (code, printed) = check(&[Path::new("/nowhere/at/all")], &[]);
    assert_eq!(code, 2, "{printed}");
    assert!(
        printed.contains("/nowhere/at/all: No such file or directory"),
        "{printed}"
    );
    let (code, _) = check(&[], &[]);
    assert_eq!(code, 2);
}
