use std::thread;

use crate::backends::Held;
use crate::certificates::Authority;
use crate::client::{Answer, Curl};
use crate::gateway::{Running, Setup};
use crate::secrets;

const HTTPBIN: &str = "httpbin.example.com";
const HELLOWORLD: &str = "helloworld.example.com";

fn ask(gateway: &Running, host: &str, path: &str, authority: &Authority) -> Answer {
    Curl::new("https", host, gateway.port(443), path)
        .trusting(&authority.certificate())
        .run()
}

/// The documents' rotation: "deleting the gateway's secret and then recreating it using different
/// certificates and keys".
#[test]
fn w5_secret_is_deleted_and_recreated_with_another_ca() {
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::new(&folder.path().join("example_certs1"), "example.com");
    let second = Authority::new(&folder.path().join("example_certs2"), "example.com");
    let httpbin = |authority: &Authority| {
        secrets::tls(
            "istio-system",
            "httpbin-credential",
            &authority.issue(HTTPBIN),
        )
    };
    let helloworld = secrets::tls(
        "istio-system",
        "helloworld-credential",
        &first.issue(HELLOWORLD),
    );
    let (held_service, held) = Held::service("default", "held");
    let gateway = Setup::new()
        .sample("two-hosts")
        .file("held.yaml", &[&held_service, HELD_ROUTE].join("---\n"))
        .file("httpbin-credential.yaml", &httpbin(&first))
        .file("helloworld-credential.yaml", &helloworld)
        .start();
    assert_eq!(ask(&gateway, HTTPBIN, "/status/418", &first).status, 418);

    thread::scope(|scope| {
        let in_flight = scope.spawn(|| ask(&gateway, HTTPBIN, "/held", &first));
        held.wait();
        gateway.remove("httpbin-credential.yaml");
        gateway.until("the listener says so", || {
            let status = gateway.status_of("Gateway", "mygateway");
            status.listener_condition("https-httpbin", "ResolvedRefs")
                == ("False".into(), "InvalidCertificateRef".into())
        });
        assert_eq!(ask(&gateway, HELLOWORLD, "/hello", &first).status, 200);
        let refused = ask(&gateway, HTTPBIN, "/status/418", &first);
        assert_ne!(refused.exit, 0, "{refused:?}");
        assert!(!refused.log.contains("Server certificate"), "{refused:?}");

        gateway.write("httpbin-credential.yaml", &httpbin(&second));
        gateway.until("the new CA verifies", || {
            ask(&gateway, HTTPBIN, "/status/418", &second).status == 418
        });
        let old = ask(&gateway, HTTPBIN, "/status/418", &first);
        assert!(old.log.to_lowercase().contains("certificate"), "{old:?}");
        assert_eq!(old.status, 0, "{old:?}");
        held.release();
        let answer = in_flight.join().unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    });
}

const HELD_ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: held
  namespace: default
spec:
  parentRefs:
  - name: mygateway
    namespace: istio-system
    sectionName: https-httpbin
  rules:
  - matches:
    - path: {type: Exact, value: /held}
    backendRefs:
    - name: held
      port: 80
";
