//! The walkthroughs of the documents that Portcullis was asked for by: each test is named by its
//! row, and runs the real binary with real `curl` and `openssl`, with certificates made by the
//! documents' commands and the manifests under `manifests/samples/`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

mod backends;
mod certificates;
mod client;
mod gateway;
#[path = "../harness/mod.rs"]
mod harness;
mod load;
mod secrets;

mod w01_http;
mod w02_browser;
mod w03_ports;
mod w04_https;
mod w05_rotation;
mod w05_rotation_under_load;
mod w06_two_hosts;
mod w07_mutual_tls;
mod w08_per_host_mutual_tls;
mod w09_secrets;
mod w10_mounted_files;
mod w11_key_kinds;
mod w12_troubleshooting;
