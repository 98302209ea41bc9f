//! The Gateway API's Go module, from the module cache.

#![allow(dead_code, reason = "each test uses a part of it")]
#![expect(clippy::expect_used, reason = "only tests use it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_api::GATEWAY_API_VERSION;
use portcullis_api::manifest;
use serde_json::Value as Json;

/// The channels of the Gateway API.
pub(crate) const CHANNELS: [&str; 2] = ["standard", "experimental"];

/// The root of the module. Fails if it is not there: a test that cannot look must not pass.
pub(crate) fn module_dir() -> PathBuf {
    let output = Command::new("go")
        .args(["env", "GOMODCACHE"])
        .output()
        .expect("`go` is installed (`make test` checks)");
    let cache = String::from_utf8(output.stdout).expect("the path is UTF-8");
    let dir =
        Path::new(cache.trim()).join(format!("sigs.k8s.io/gateway-api@{GATEWAY_API_VERSION}"));
    assert!(
        dir.is_dir(),
        "{} is missing: run `go mod download` in conformance/ (`make test` does)",
        dir.display()
    );
    dir
}

/// The custom resource definitions of a channel that are of the Gateway API proper, by file name.
pub(crate) fn definitions(channel: &str) -> Vec<Json> {
    let dir = module_dir().join("config/crd").join(channel);
    files(&dir)
        .iter()
        .filter(|path| file_name(path).starts_with("gateway.networking.k8s.io_"))
        .flat_map(|path| manifest::values(&read(path)).expect("definitions are YAML"))
        .filter(|document| document["kind"] == "CustomResourceDefinition")
        .collect()
}

/// The custom resource definition of our own kind.
pub(crate) fn own_definition() -> Json {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests");
    let text = read(&manifests.join("chart/crds/gatewayparameters.yaml"));
    let documents = manifest::values(&text).expect("the definition is YAML");
    let [definition] = <[Json; 1]>::try_from(documents).expect("it is alone in its file");
    definition
}

/// The YAML files below a folder, sorted.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("the entry is readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text of a file.
#[expect(clippy::disallowed_methods, reason = "tests may read files")]
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares a committed file with what it should be; with `PORTCULLIS_BLESS=1`, writes it.
#[expect(clippy::disallowed_methods, reason = "blessing writes files")]
pub(crate) fn assert_committed(path: &Path, expected: &str) {
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        std::fs::write(path, expected).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == expected,
        "{} is stale: set PORTCULLIS_BLESS=1, run the test again and read the diff",
        path.display()
    );
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
