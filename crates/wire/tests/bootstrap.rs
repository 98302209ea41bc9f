//! Keeps `src/gen/` in step with `proto/`, so that building needs no protobuf compiler.

#![expect(
    clippy::disallowed_methods,
    reason = "it compares files, which the crate itself does not touch"
)]

use std::path::Path;

/// The one command that makes the generated file anew. Should the crate not compile against the
/// old one, empty `src/lib.rs` for the run.
const REGENERATE: &str = "PORTCULLIS_REGENERATE=1 cargo test -p portcullis-wire --test bootstrap";

#[test]
fn generated_code_is_that_of_the_proto_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = protox::compile(["portcullis/v1/state.proto"], [root.join("proto")]).unwrap();
    let made = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .out_dir(made.path())
        // Who connects and listens is for the caller to say.
        .build_transport(false)
        // Its private key must not be printed: `Debug` is written by hand.
        .skip_debug(["portcullis.v1.CertificateChain"])
        .compile_fds(files)
        .unwrap();
    let made = std::fs::read_to_string(made.path().join("portcullis.v1.rs")).unwrap();
    let committed = root.join("src/gen/portcullis.v1.rs");
    if std::env::var_os("PORTCULLIS_REGENERATE").is_some() {
        std::fs::write(&committed, &made).unwrap();
    }
    let held = std::fs::read_to_string(&committed).unwrap();
    assert!(made == held, "src/gen/ is out of date; run: {REGENERATE}");
}
