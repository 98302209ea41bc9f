use std::ffi::OsStr;

use crate::certificates::{Authority, Pair, openssl};
use crate::client::{Curl, s_client};
use crate::gateway::Setup;
use crate::secrets;

const HOST: &str = "httpbin.example.com";

#[test]
fn w12_one_command_shows_what_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "example.com");
    let pair = authority.issue_with_san(HOST);
    let gateway = Setup::new()
        .sample("mutual-tls")
        .file(
            "credential.yaml",
            &secrets::tls("istio-system", "httpbin-credential", &pair),
        )
        .file(
            "client-ca.yaml",
            &secrets::ca_config_map("istio-system", "client-ca", &authority.certificate()),
        )
        .start();
    let shown = gateway.command(&["config"]);
    for fact in [
        "istio-system/httpbin-credential",
        "CN=httpbin.example.com",
        "CN=example.com",
        "443",
        "8443",
        "httpbin.example.com",
        "default/httpbin",
        "/status",
        &expiry_day(&pair),
    ] {
        assert!(shown.contains(fact), "{fact}: {shown}");
    }
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}

#[test]
fn w12_log_says_why_a_handshake_failed() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "example.com");
    let stranger = Authority::new(&folder.path().join("other"), "other.com")
        .issue_with_san("client.other.com");
    let gateway = Setup::new()
        .sample("mutual-tls")
        .file(
            "credential.yaml",
            &secrets::tls("istio-system", "httpbin-credential", &authority.issue(HOST)),
        )
        .file(
            "client-ca.yaml",
            &secrets::ca_config_map("istio-system", "client-ca", &authority.certificate()),
        )
        .start();
    let ask = || {
        Curl::new("https", HOST, gateway.port(443), "/status/418")
            .trusting(&authority.certificate())
    };

    s_client(gateway.port(443), Some("unknown.example.com"), &[]);
    gateway.until_logged(&["unknown server name unknown.example.com"]);
    ask().run();
    gateway.until_logged(&[HOST, "client certificate required but none was sent"]);
    ask().with_client(&stranger).run();
    gateway.until_logged(&[
        HOST,
        "client certificate not issued by any of",
        "CN=example.com",
    ]);
}

/// The last day of the certificate, as `2027-11-21`.
fn expiry_day(pair: &Pair) -> String {
    let words = ["x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in"];
    let line = openssl(
        words
            .map(OsStr::new)
            .into_iter()
            .chain([pair.certificate.as_os_str()]),
    );
    let line = String::from_utf8(line).unwrap();
    line.trim()
        .trim_start_matches("notAfter=")
        .split(' ')
        .next()
        .unwrap()
        .to_owned()
}
