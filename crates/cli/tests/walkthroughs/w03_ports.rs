use std::sync::Arc;

use crate::certificates::Authority;
use crate::client::Curl;
use crate::gateway::Setup;
use crate::load::{Destination, Expected, Load};
use crate::secrets;

const HOST: &str = "httpbin.example.com";
/// curl's exit code.
const CONNECTION_REFUSED: i32 = 7;
const HTTP: &str = "
  - name: http
    hostname: httpbin.example.com
    port: 80
    protocol: HTTP";
const HTTPS: &str = "
  - name: https
    hostname: httpbin.example.com
    port: 443
    protocol: HTTPS
    tls:
      mode: Terminate
      certificateRefs:
      - name: httpbin-credential";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w3_https_is_added_beside_http_which_is_then_removed() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "example.com");
    let pair = authority.issue_with_san(HOST);
    let gateway = Setup::new()
        .sample("http-gateway")
        .file(
            "credential.yaml",
            &secrets::tls("default", "httpbin-credential", &pair),
        )
        .start();
    let http = || Curl::new("http", HOST, gateway.port(80), "/status/200").run();
    let https = || {
        Curl::new("https", HOST, gateway.port(443), "/status/418")
            .trusting(&authority.certificate())
            .run()
    };
    assert_eq!(http().status, 200);
    assert_ne!(https().exit, 0);

    gateway.write("gateway.yaml", &with_listeners(&[HTTP, HTTPS]));
    gateway.until("443 is served", || https().status == 418);
    assert_eq!(http().status, 200);

    let expected = Arc::new(Expected::default());
    expected.set([&pair]);
    let destination = Destination::new(gateway.port(443), HOST, "/status/418", 418, &[&authority]);
    let load = Load::start(destination, expected);
    gateway.until("the load is under way", || load.is_under_way());
    gateway.write("gateway.yaml", &with_listeners(&[HTTPS]));
    gateway.until("80 refuses connections", || {
        http().exit == CONNECTION_REFUSED
    });
    gateway.write("gateway.yaml", &with_listeners(&[HTTP, HTTPS]));
    gateway.until("80 is served again", || http().status == 200);
    let tally = load.finish().await;
    assert_eq!(tally.failures, [""; 0], "{tally:?}");
}

fn with_listeners(listeners: &[&str]) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: httpbin-gateway
  namespace: default
spec:
  gatewayClassName: portcullis
  listeners:{}
",
        listeners.concat()
    )
}
