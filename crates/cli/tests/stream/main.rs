//! Controller and data planes with the stream between them: real TLS, HTTP/2 and messages over
//! loopback; only who asks the API server whose a token is, is made up.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod binary;
mod controller;
mod loss;
mod pod;
mod secrets;
mod snapshot;
mod updates;
