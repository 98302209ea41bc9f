use crate::certificates::{Authority, Pair};
use crate::client::{Answer, Curl};
use crate::gateway::{Running, Setup};
use crate::secrets;

const HOST: &str = "httpbin.example.com";
/// curl's options for one version of TLS only.
const TLS_VERSIONS: [[&str; 2]; 2] = [["--tls-max", "1.2"], ["--tlsv1.3", "--http2"]];

/// The document's gateway, with the CA of clients in a ConfigMap.
struct World {
    folder: tempfile::TempDir,
    authority: Authority,
    gateway: Running,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "example.com");
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
        Self {
            folder,
            authority,
            gateway,
        }
    }

    /// A client of another CA of the same name.
    fn stranger(&self) -> Pair {
        Authority::new(&self.folder.path().join("other"), "example.com").issue("client.example.com")
    }

    fn ask(&self, port: u16, client: Option<&Pair>, arguments: &[&str]) -> Answer {
        let curl = Curl::new("https", HOST, self.gateway.port(port), "/status/418")
            .trusting(&self.authority.certificate())
            .with(arguments);
        client.into_iter().fold(curl, Curl::with_client).run()
    }
}

#[test]
fn w7_client_with_a_certificate_of_the_right_ca_is_served() {
    let world = World::new();
    let documented = world.authority.issue("client.example.com");
    let modern = world.authority.issue_with_san("modern.example.com");
    for client in [&documented, &modern] {
        for version in TLS_VERSIONS {
            let answer = world.ask(443, Some(client), &version);
            assert_eq!(answer.status, 418, "{version:?}: {answer:?}");
        }
    }
}

#[test]
fn w7_client_without_a_certificate_is_refused() {
    let world = World::new();
    for version in TLS_VERSIONS {
        let answer = world.ask(443, None, &version);
        assert_eq!(answer.status, 0, "{version:?}: {answer:?}");
        assert!(
            answer.log.contains("alert certificate required"),
            "{version:?}: {answer:?}"
        );
    }
}

#[test]
fn w7_client_of_another_ca_is_refused() {
    let world = World::new();
    let stranger = world.stranger();
    for version in TLS_VERSIONS {
        let answer = world.ask(443, Some(&stranger), &version);
        assert_eq!(answer.status, 0, "{version:?}: {answer:?}");
        assert!(
            answer.log.contains("alert unknown ca"),
            "{version:?}: {answer:?}"
        );
    }
}

#[test]
fn w7_port_with_insecure_fallback_serves_every_client() {
    let world = World::new();
    let valid = world.authority.issue("client.example.com");
    let stranger = world.stranger();
    for client in [None, Some(&valid), Some(&stranger)] {
        let answer = world.ask(8443, client, &[]);
        assert_eq!(answer.status, 418, "{answer:?}");
    }
}
