//! The Gateway API's own examples are read, and its examples of mistakes are refused.

mod upstream;

use std::fmt::Write as _;
use std::path::Path;

use portcullis_api::manifest;

#[test]
fn every_example_is_read() {
    let dir = upstream::module_dir().join("examples");
    let files = upstream::files(&dir);
    assert!(files.len() > 70, "{}", files.len());
    let mut errors = String::new();
    for path in files {
        let manifest = manifest::parse(&upstream::read(&path));
        for error in manifest.errors {
            let name = path.strip_prefix(&dir).expect("is below").display();
            writeln!(errors, "{name}:{error}").expect("is a string");
        }
    }
    assert_eq!(errors, "");
}

/// What is said about each invalid example, in a committed file; none may be accepted.
#[test]
fn every_invalid_example_is_refused() {
    let dir = upstream::module_dir().join("hack/invalid-examples");
    let mut said = String::new();
    let mut accepted = Vec::new();
    for path in upstream::files(&dir) {
        let name = path
            .strip_prefix(&dir)
            .expect("is below")
            .display()
            .to_string();
        let errors = manifest::parse(&upstream::read(&path)).errors;
        for error in &errors {
            writeln!(said, "{name}:{error}").expect("is a string");
        }
        if errors.is_empty() {
            accepted.push(name);
        }
    }
    assert_eq!(accepted, Vec::<String>::new());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid_examples.txt");
    upstream::assert_committed(&file, &said);
}
