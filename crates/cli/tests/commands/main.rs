//! The commands as a user runs them: their output, their exit codes, and what signals do.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod check;
mod cluster;
mod demo;
mod signals;
mod status;
mod streams;
