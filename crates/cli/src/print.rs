//! What commands print.
//!
//! A reader that went away (`portcullis standalone | head`) must not end a gateway, so nothing here
//! fails or panics, as `println!` would.

use std::io::{self, Write};

/// Prints lines on standard output.
pub(crate) fn line(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.trim_end());
}

/// Prints lines on standard error.
pub(crate) fn aside(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{}", text.trim_end());
}
