#![expect(
    clippy::disallowed_methods,
    reason = "tests read the files that name features; the crate does not"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_api::GATEWAY_API_VERSION;

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn features_are_sorted_by_name_and_unique() {
    assert!(SUPPORTED.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn every_feature_is_shown_by_a_golden_pair_and_done_in_a_module() {
    let golden = root().join("crates/translate/tests/golden");
    for Feature {
        name,
        module,
        shown_by,
        ..
    } in SUPPORTED
    {
        let pair = golden.join(format!("{shown_by}.in.yaml"));
        assert!(pair.exists(), "{name}: there is no {shown_by}");
        assert!(root().join(module).exists(), "{name}: there is no {module}");
    }
}

/// With `PORTCULLIS_BLESS` set, it is made so.
#[test]
fn the_table_in_the_documentation_is_this_one() {
    const BEGIN: &str = "<!-- Made by `make bless` from crates/translate/src/features.rs. -->\n\n";
    const END: &str = "\n<!-- The rest is written by hand. -->\n";
    let path = root().join("docs/features.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let made = [before, BEGIN, &table(), END, after].concat();
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text == made, "docs/features.md is stale: `make bless`");
}

fn table() -> String {
    let mut table =
        "| Feature | What you get | Specification | Upstream tests | Module | Shown by |\n\
                     |---|---|---|---|---|---|\n"
            .to_owned();
    for Feature {
        name,
        what,
        spec,
        tests,
        module,
        shown_by,
        needs: _,
    } in SUPPORTED
    {
        let spec = match spec.strip_prefix("GEP-") {
            Some(number) => format!("[{spec}](https://gateway-api.sigs.k8s.io/geps/gep-{number}/)"),
            None => format!("`{spec}`"),
        };
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        let tests = tests.join(", ");
        writeln!(
            table,
            "| `{name}` | {what} | {spec} | {tests} | [{module}](../{module}) | `{shown_by}` |"
        )
        .unwrap();
    }
    table
}

/// A folder of the Gateway API's Go modules.
fn upstream(module: &str) -> PathBuf {
    let cache = Command::new("go").args(["env", "GOMODCACHE"]).output();
    let cache = cache.expect("the upstream suite needs Go: install it, then run `make deps`");
    let cache = String::from_utf8(cache.stdout).unwrap();
    let (module, folder) = module.split_once('@').unwrap();
    Path::new(cache.trim())
        .join("sigs.k8s.io")
        .join(format!("{module}@{GATEWAY_API_VERSION}"))
        .join(folder)
}

/// The texts of the Go files in a folder.
fn go_files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make deps`", folder.display()));
    let paths = files.map(|file| file.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|it| it == "go"));
    paths
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// The features' names by those of their constants: `SupportX FeatureName = "X"`.
fn constants() -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for text in go_files(&upstream("gateway-api@pkg/features")) {
        for line in text.lines() {
            let Some((left, right)) = line.split_once(" = \"") else {
                continue;
            };
            let constant = left.trim().trim_start_matches("const ");
            let constant = constant.split_whitespace().next().unwrap_or_default();
            let name = right.split('"').next().unwrap_or_default();
            names.insert(constant.to_owned(), name.to_owned());
        }
    }
    names
}

/// The tests of the upstream suite with the features that each asks for.
fn suite() -> BTreeMap<String, BTreeSet<String>> {
    let constants = constants();
    let mut suite = BTreeMap::new();
    for text in go_files(&upstream("gateway-api/conformance@tests")) {
        for test in text.split("ShortName:").skip(1) {
            let name = test.split('"').nth(1).unwrap().to_owned();
            let (_, features) = test.split_once("[]features.FeatureName{").unwrap();
            let (features, _) = features.split_once('}').unwrap();
            let features = features.split("features.").skip(1).map(|text| {
                let end = text.find(|c: char| !c.is_alphanumeric());
                constants[&text[..end.unwrap_or(text.len())]].clone()
            });
            suite.insert(name, features.collect());
        }
    }
    suite
}

#[test]
fn the_upstream_tests_named_ask_for_their_features_and_no_feature_of_theirs_is_missing() {
    let suite = suite();
    assert!(suite.len() >= 147, "{} tests", suite.len());
    for Feature { name, tests, .. } in SUPPORTED {
        let asked = suite.values().any(|features| features.contains(*name));
        assert_eq!(asked, !tests.is_empty(), "{name}: {tests:?}");
        for test in *tests {
            let features = suite.get(*test);
            let asks = features.is_some_and(|features| features.contains(*name));
            assert!(asks, "{name}: {test} is no test of it");
        }
    }
}
