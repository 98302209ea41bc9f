use std::collections::BTreeMap;

use portcullis_api::{Kind, ObjectKey};

use super::*;
use crate::scan::Reading;

/// A shelf that is shown files by name.
#[derive(Default)]
struct Desk {
    shelf: Shelf,
    files: BTreeMap<String, String>,
    mounts: BTreeMap<MountName, Mount>,
    lost: Vec<Lost>,
}

impl Desk {
    fn with(files: &[(&str, &str)]) -> Self {
        let mut desk = Self::default();
        for (name, text) in files {
            desk.put(name, text);
        }
        desk
    }

    fn put(&mut self, name: &str, text: &str) {
        self.files.insert(name.to_owned(), text.to_owned());
    }

    fn update(&mut self) -> Contents {
        let file = |(name, text): (&String, &String)| {
            let place = Place {
                root: 0,
                path: name.into(),
            };
            (place, Reading::Bytes(text.as_bytes().into()))
        };
        self.shelf.update(Sight {
            files: self.files.iter().map(file).collect(),
            mounts: self.mounts.clone(),
            lost: self.lost.clone(),
            ..Sight::default()
        })
    }
}

fn route(name: &str, host: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {name}
spec:
  parentRefs:
  - name: gateway
  hostnames: [{host}]
"
    )
}

fn names(contents: &Contents) -> Vec<String> {
    contents
        .objects
        .http_routes
        .keys()
        .map(ToString::to_string)
        .collect()
}

fn host(contents: &Contents, name: &str) -> String {
    contents.objects.http_routes[&ObjectKey::new("default", name)]
        .spec
        .hostnames[0]
        .clone()
}

fn said(contents: &Contents) -> Vec<String> {
    contents.findings.iter().map(ToString::to_string).collect()
}

fn generation(contents: &Contents, name: &str) -> i64 {
    contents.objects.http_routes[&ObjectKey::new("default", name)].generation()
}

#[test]
fn a_bad_document_keeps_its_last_good_object_and_the_rest_goes_on() {
    let both = |a: &str, b: &str| format!("{a}---\n{b}");
    let mut desk = Desk::with(&[("f.yaml", &both(&route("a", "a1"), &route("b", "b1")))]);
    assert_eq!(said(&desk.update()), [""; 0]);
    let bad = route("a", "a2").replace("hostnames", "hostname");
    desk.put("f.yaml", &both(&bad, &route("b", "b2")));
    let contents = desk.update();
    assert_eq!(
        (host(&contents, "a").as_str(), host(&contents, "b").as_str()),
        ("a1", "b2")
    );
    assert_eq!(
        said(&contents),
        ["f.yaml:8:3: error: HTTPRoute a: spec.hostname: unknown field; did you mean `hostnames`?",]
    );
    assert_eq!(contents.kept, BTreeMap::from([("f.yaml".into(), 1)]));
    desk.put("f.yaml", &both(&route("a", "a3"), &route("b", "b2")));
    let contents = desk.update();
    assert_eq!(host(&contents, "a"), "a3");
    assert_eq!((said(&contents).len(), contents.kept.len()), (0, 0));
}

#[test]
fn a_finding_is_one_line_whatever_the_file_is_called() {
    let contents = Desk::with(&[("a\nf\u{1b}.yaml", "{")]).update();
    assert!(
        said(&contents)[0].starts_with(r"a\nf\u{1b}.yaml:"),
        "{:?}",
        said(&contents)
    );
    let findings = said(&contents);
    assert!(!findings[0].contains(char::is_control), "{findings:?}");
}

#[test]
fn nothing_goes_away_while_its_file_has_a_mistake() {
    let mut desk = Desk::with(&[("f.yaml", &route("a", "a1"))]);
    desk.update();
    for text in ["{", "kind: [", "\u{1}", "a: b: c", "just text"] {
        desk.put("f.yaml", text);
        let contents = desk.update();
        assert_eq!(names(&contents), ["default/a"], "{text:?}");
        assert_eq!(said(&contents).len(), 1, "{text:?}: {:?}", said(&contents));
    }
    desk.put("f.yaml", "");
    assert_eq!(
        names(&desk.update()),
        [""; 0],
        "an empty file is no mistake"
    );
}

#[test]
fn a_deleted_file_takes_its_objects_along() {
    let mut desk = Desk::with(&[("a.yaml", &route("a", "a")), ("b.yaml", &route("b", "b"))]);
    desk.update();
    desk.files.remove("a.yaml");
    assert_eq!(names(&desk.update()), ["default/b"]);
}

#[test]
fn a_lost_folder_keeps_its_objects_and_says_so() {
    let mut desk = Desk::with(&[
        ("conf/a.yaml", &route("a", "a")),
        ("x.yaml", &route("x", "x")),
    ]);
    desk.update();
    desk.files.remove("conf/a.yaml");
    desk.lost.push(Lost {
        path: "conf".into(),
        reason: "No such file or directory".to_owned(),
    });
    let contents = desk.update();
    assert_eq!(names(&contents), ["default/a", "default/x"]);
    assert_eq!(said(&contents), ["conf: error: No such file or directory"]);
    assert_eq!(contents.kept, BTreeMap::from([("conf".into(), 1)]));
}

#[test]
fn what_is_missing_from_a_file_that_is_not_closed_stays() {
    let both = |a: &str| format!("{}---\n{}", route("a", a), route("b", "b"));
    let mut desk = Desk::with(&[("f.yaml", &both("a1"))]);
    desk.update();
    desk.lost.push(Lost {
        path: "f.yaml".into(),
        reason: "not closed".to_owned(),
    });
    assert_eq!(desk.update().kept, BTreeMap::new());
    desk.put("f.yaml", "");
    let contents = desk.update();
    assert_eq!(names(&contents), ["default/a", "default/b"]);
    assert_eq!(contents.kept, BTreeMap::from([("f.yaml".into(), 2)]));
    assert_eq!(said(&contents), ["f.yaml: error: not closed"]);
    desk.put("f.yaml", &route("a", "a2"));
    let contents = desk.update();
    assert_eq!(
        (host(&contents, "a").as_str(), names(&contents).len()),
        ("a2", 2)
    );
    desk.lost.clear();
    let contents = desk.update();
    assert_eq!(
        (names(&contents).len(), contents.kept.len()),
        (1, 0),
        "it is all of it"
    );
}

#[test]
fn the_first_of_two_files_with_an_object_counts() {
    let mut desk = Desk::with(&[("b.yaml", &route("r", "b")), ("c.yaml", &route("r", "c"))]);
    let contents = desk.update();
    assert_eq!(host(&contents, "r"), "b");
    assert_eq!(
        said(&contents),
        [
            "c.yaml:1:1: error: HTTPRoute default/r is also in b.yaml:1, and that one is in \
         force; remove one of the two",
        ]
    );
    desk.files.remove("b.yaml");
    let contents = desk.update();
    assert_eq!(
        (host(&contents, "r").as_str(), said(&contents).len()),
        ("c", 0)
    );
}

#[test]
fn a_second_file_with_an_object_disturbs_nothing_whatever_it_is_called() {
    let mut desk = Desk::with(&[("gw.yaml", &route("r", "old"))]);
    desk.update();
    desk.put("backup.yaml", &route("r", "backup"));
    let contents = desk.update();
    assert_eq!(host(&contents, "r"), "old");
    assert!(
        said(&contents)[0].starts_with("backup.yaml:1:1: error: "),
        "{:?}",
        said(&contents)
    );
    desk.put("gw.yaml", &route("r", "new"));
    assert_eq!(host(&desk.update(), "r"), "new", "an edit of it counts");
    // It is still there, as far as one can tell.
    desk.put("gw.yaml", "{");
    let contents = desk.update();
    assert_eq!(host(&contents, "r"), "new");
    assert!(
        said(&contents)[0].contains("was also in gw.yaml, which cannot be read in full"),
        "{:?}",
        said(&contents)
    );
    desk.put("gw.yaml", "");
    let contents = desk.update();
    assert_eq!(
        (host(&contents, "r").as_str(), said(&contents).len()),
        ("backup", 0)
    );
}

#[test]
fn an_object_that_moves_away_from_a_mistake_is_not_kept() {
    let other = route("other", "o");
    let mut desk = Desk::with(&[("a.yaml", &format!("{}---\n{other}", route("x", "old")))]);
    desk.update();
    desk.put("a.yaml", &other.replace("hostnames", "hostname"));
    desk.put("b.yaml", &route("x", "new"));
    let contents = desk.update();
    assert_eq!(host(&contents, "x"), "new");
    assert_eq!(generation(&contents, "x"), 2);
    assert_eq!(said(&contents).len(), 1, "{:?}", said(&contents));
    assert_eq!(contents.kept, BTreeMap::from([("a.yaml".into(), 1)]));
    desk.files.remove("b.yaml");
    assert_eq!(
        names(&desk.update()),
        ["default/other"],
        "it is not kept twice"
    );
}

#[test]
fn an_object_that_moves_out_of_a_lost_folder_is_taken_where_it_is() {
    let mut desk = Desk::with(&[("a/r.yaml", &route("r", "old"))]);
    desk.update();
    desk.files.clear();
    let lost = Lost {
        path: "a".into(),
        reason: "gone".to_owned(),
    };
    desk.lost.push(lost);
    desk.put("b.yaml", &route("r", "new"));
    assert_eq!(host(&desk.update(), "r"), "new");
    desk.lost.clear();
    desk.put("a/r.yaml", &route("r", "old"));
    let contents = desk.update();
    assert_eq!(
        (host(&contents, "r").as_str(), said(&contents).len()),
        ("new", 1)
    );
}

#[test]
fn generations_count_changes_of_spec() {
    let mut desk = Desk::with(&[("f.yaml", &route("r", "one"))]);
    assert_eq!(generation(&desk.update(), "r"), 1);
    desk.put("f.yaml", &format!("# a comment\n{}", route("r", "one")));
    assert_eq!(generation(&desk.update(), "r"), 1);
    desk.put("f.yaml", &route("r", "two"));
    assert_eq!(generation(&desk.update(), "r"), 2);
    desk.files.remove("f.yaml");
    desk.put("moved.yaml", &route("r", "three"));
    assert_eq!(generation(&desk.update(), "r"), 3, "it moved");
    desk.files.clear();
    desk.update();
    desk.put("f.yaml", &route("r", "three"));
    assert_eq!(generation(&desk.update(), "r"), 1, "it was made anew");
}

#[test]
fn what_only_the_system_writes_is_not_taken_from_files() {
    let text =
        route("r", "h").replace("name: r", "name: r\n  generation: 7") + "status:\n  parents: []\n";
    let contents = Desk::with(&[("f.yaml", &text)]).update();
    let route = &contents.objects.http_routes[&ObjectKey::new("default", "r")];
    assert_eq!(
        (route.generation(), route.status.as_ref()),
        (1, None),
        "{:?}",
        said(&contents)
    );
}

#[test]
fn namespaces_are_labelled_with_their_name() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: web\n  labels: {team: a}\n";
    let contents = Desk::with(&[("f.yaml", text)]).update();
    let namespace = &contents.objects.namespaces[&ObjectKey::new("", "web")];
    let labels = namespace.metadata.labels.clone().unwrap();
    assert_eq!(labels["kubernetes.io/metadata.name"], "web");
    assert_eq!(labels["team"], "a");
}

#[test]
fn a_mounted_secret_comes_after_manifests() {
    let name = MountName {
        namespace: "ns".into(),
        name: "cred".into(),
    };
    let mount = |crt: &str| Mount {
        path: "mounts/ns/cred".into(),
        keys: [("tls.crt", crt), ("tls.key", "key")]
            .map(|(key, text)| (key.to_owned(), Reading::Bytes(text.as_bytes().into())))
            .into(),
    };
    let mut desk = Desk::default();
    desk.mounts.insert(name.clone(), mount("one"));
    let key = ObjectKey::new("ns", "cred");
    let certificate = |contents: &Contents| {
        let data = contents.objects.secrets[&key].data.clone().unwrap();
        String::from_utf8(data["tls.crt"].0.clone()).unwrap()
    };
    let contents = desk.update();
    assert_eq!(certificate(&contents), "one");
    assert_eq!(
        contents.objects.secrets[&key].type_.as_deref(),
        Some("kubernetes.io/tls")
    );
    desk.mounts.insert(name, mount("two"));
    assert_eq!(certificate(&desk.update()), "two");

    let written = "apiVersion: v1\nkind: Secret\nmetadata: {name: cred, namespace: ns}\nstringData: {tls.crt: three}\n";
    desk.put("secret.yaml", written);
    let contents = desk.update();
    assert_eq!(certificate(&contents), "two", "what is in force stays so");
    assert_eq!(
        said(&contents),
        [
            "secret.yaml:1:1: error: Secret ns/cred is also in mounts/ns/cred, and that one is in \
         force; remove one of the two",
        ]
    );
    desk.shelf = Shelf::default();
    assert_eq!(certificate(&desk.update()), "three");
    assert!(contents.origins.contains_key(&(Kind::Secret, key.clone())));
}

#[test]
fn ten_thousand_routes_in_one_file_are_read() {
    let routes: Vec<_> = (0..10_000).map(|i| route(&format!("r{i}"), "h")).collect();
    let contents = Desk::with(&[("f.yaml", &routes.join("---\n"))]).update();
    assert_eq!((contents.objects.len(), said(&contents).len()), (10_000, 0));
}
