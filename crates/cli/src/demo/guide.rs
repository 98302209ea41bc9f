//! What to try, as commands to paste.

use std::net::SocketAddr;
use std::path::Path;

/// Where everything is.
pub(super) struct Places<'a> {
    pub(super) folder: &'a Path,
    pub(super) binary: &'a Path,
    pub(super) admin: SocketAddr,
    pub(super) http: u16,
    pub(super) https: u16,
    pub(super) mutual: u16,
}

/// The guide. Lines that begin with two spaces are commands.
pub(super) fn guide(places: &Places<'_>) -> String {
    let Places {
        folder,
        binary,
        admin,
        http,
        https,
        mutual,
    } = places;
    let folder = quoted(folder);
    let binary = quoted(binary);
    let curl = |options: &str, host: &str, port: u16, path: &str| {
        let scheme = if port == *http { "http" } else { "https" };
        let trust = if options.contains("--cacert") || port == *http {
            ""
        } else {
            " --cacert ca.crt"
        };
        let options = if options.is_empty() {
            String::new()
        } else {
            format!(" {options}")
        };
        format!(
            "curl{options}{trust} --resolve {host}:{port}:127.0.0.1 {scheme}://{host}:{port}{path}"
        )
    };
    let httpbin = "httpbin.example.com";
    let helloworld = "helloworld.example.com";
    let partner = "partner.example.com";
    let teapot = curl("-i", httpbin, *https, "/status/418");
    let hello = curl("", helloworld, *https, "/hello");
    let headers = curl("-i", httpbin, *http, "/headers");
    let stranger = curl("", "stranger.example.com", *https, "/");
    let client = "--cert client.crt --key client.key";
    let with_certificate = curl(client, httpbin, *mutual, "/status/418");
    let without_certificate = curl("", httpbin, *mutual, "/status/418");
    let as_partner = curl(client, partner, *https, "/status/418");
    let rotated = curl("--cacert new-ca.crt", httpbin, *https, "/status/418");
    let admin = if admin.port() == 15000 && admin.ip().is_loopback() {
        String::new()
    } else {
        format!(" --admin {admin}")
    };
    format!(
        "Paste into another terminal, beginning with

  cd {folder}

A teapot over HTTPS, with its certificate verified and HTTP/2 agreed on:

  {teapot}

Another host on the same port has a certificate of its own, and a host that nobody serves is
refused in the handshake:

  {hello}
  {stranger}

Plain HTTP beside it:

  {headers}

Mutual TLS: port 9443 asks clients for a certificate, and refuses those without one; on port 443 one
host of several asks for one:

  {with_certificate}
  {without_certificate}
  {as_partner}

Rotate httpbin's certificate to one of another CA, while everything runs:

  cp variants/httpbin-credential.yaml conf/ && sleep 1
  {rotated}

Make a mistake in a file. It is named below, and what worked goes on working; then mend it:

  cp variants/mistake.yaml conf/helloworld.yaml
  {hello}
  cp variants/helloworld.yaml conf/

Look at what there is: objects with their status, and what the gateway has loaded:

  {binary} status{admin}
  {binary} config{admin}

Edit the files in conf/ as you like; what changes is told below. Ctrl-C ends the demo.
"
    )
}

/// A path for the shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
