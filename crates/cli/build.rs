//! Hands the linker the order of functions that `hack/ordered` found, if it did.

/// Names a file with the symbols of functions, those first that are to lie first.
const ORDER: &str = "PORTCULLIS_FUNCTION_ORDER";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={ORDER}");
    if let Ok(file) = std::env::var(ORDER) {
        println!("cargo:rerun-if-changed={file}");
        println!("cargo:rustc-link-arg-bins=-Wl,--symbol-ordering-file={file}");
        println!("cargo:rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
    }
}
