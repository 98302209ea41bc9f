use crate::certificates::Authority;
use crate::client::{Curl, s_client};
use crate::gateway::{Running, Setup};
use crate::secrets;

fn two_hosts() -> (tempfile::TempDir, Authority, Running) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "example.com");
    let mut setup = Setup::new().sample("two-hosts");
    for name in ["httpbin", "helloworld"] {
        let pair = authority.issue(&format!("{name}.example.com"));
        let secret = secrets::tls("istio-system", &format!("{name}-credential"), &pair);
        setup = setup.file(&format!("{name}-credential.yaml"), &secret);
    }
    (folder, authority, setup.start())
}

/// Host, path, the status expected and a word of the body.
struct Case(&'static str, &'static str, u16, &'static str);

#[test]
fn w6_each_host_is_served_with_its_own_certificate() {
    let (_folder, authority, gateway) = two_hosts();
    for Case(host, path, status, body) in [
        Case("helloworld.example.com", "/hello", 200, "Hello"),
        Case("httpbin.example.com", "/status/418", 418, "teapot"),
        Case("helloworld.example.com", "/status/418", 404, ""),
        Case("httpbin.example.com", "/hello", 404, ""),
    ] {
        let answer = Curl::new("https", host, gateway.port(443), path)
            .trusting(&authority.certificate())
            .run();
        assert_eq!(answer.status, status, "{host}{path}: {answer:?}");
        assert!(answer.body.contains(body), "{host}{path}: {answer:?}");
        let shown = s_client(gateway.port(443), Some(host), &[]);
        assert!(shown.contains(&format!("subject=CN = {host}")), "{shown}");
    }
}

#[test]
fn w6_unknown_server_name_is_refused() {
    let (_folder, _authority, gateway) = two_hosts();
    for name in [Some("unknown.example.com"), Some("example.com"), None] {
        let shown = s_client(gateway.port(443), name, &[]);
        assert!(shown.contains("unrecognized name"), "{name:?}: {shown}");
        assert!(
            shown.contains("no peer certificate available"),
            "{name:?}: {shown}"
        );
    }
}

/// "If another Listener has an exact match or more specific wildcard entry, the Gateway SHOULD
/// return a 421." (`Listener.Hostname`)
#[test]
fn w6_host_of_the_other_listener_is_misdirected() {
    let (_folder, authority, gateway) = two_hosts();
    let answer = Curl::new("https", "httpbin.example.com", gateway.port(443), "/hello")
        .trusting(&authority.certificate())
        .with(&["--header", "Host: helloworld.example.com"])
        .run();
    assert_eq!(answer.status, 421, "{answer:?}");
}
