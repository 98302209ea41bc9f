use std::fs;
use std::path::PathBuf;

use crate::certificates::{Authority, Pair};
use crate::client::{Answer, Curl};
use crate::gateway::{Running, Setup, sample_file};
use crate::secrets;

/// The certificates of one FooCorp service, as `generate.sh` of the document makes them: a root,
/// an intermediate below it, and from that a server's and a client's certificate.
struct Service {
    server: Pair,
    client: Pair,
    /// `2_intermediate/certs/ca-chain.cert.pem`
    ca_chain: PathBuf,
}

impl Service {
    fn new(folder: &std::path::Path, host: &str) -> Self {
        let root = Authority::new(&folder.join(host), host);
        let intermediate = root.intermediate("intermediate");
        let ca_chain = folder.join(host).join("ca-chain.cert.pem");
        let chain = [intermediate.certificate(), root.certificate()]
            .map(|f| fs::read(f).unwrap())
            .concat();
        fs::write(&ca_chain, chain).unwrap();
        let named = |name| crate::certificates::Request {
            serial: "1",
            ..crate::certificates::Request::as_documented(name)
        };
        Self {
            server: intermediate.issue_as("server", &named(host)),
            client: intermediate.issue_as("client", &named("client")),
            ca_chain,
        }
    }

    fn secret(&self, name: &str) -> String {
        let Self {
            server: Pair { certificate, key },
            ca_chain,
            ..
        } = self;
        let name = format!("{name}-credential");
        secrets::generic(
            "istio-system",
            &name,
            &[("cert", certificate), ("key", key), ("cacert", ca_chain)],
        )
    }
}

struct FooCorp {
    _folder: tempfile::TempDir,
    frontend: Service,
    inventory: Service,
    careers: Service,
}

impl FooCorp {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = |name: &str| Service::new(folder.path(), &format!("{name}.foocorp.com"));
        Self {
            frontend: service("frontend"),
            inventory: service("inventory"),
            careers: service("careers"),
            _folder: folder,
        }
    }

    fn setup(&self) -> Setup {
        Setup::new()
            .sample("per-host-mutual-tls")
            .service("ux", "frontend")
            .service("corp-services", "inventory")
            .service("ux", "careers")
            .file("frontend.yaml", &self.frontend.secret("frontend"))
            .file("inventory.yaml", &self.inventory.secret("inventory"))
            .file("careers.yaml", &self.careers.secret("careers"))
    }
}

fn ask(gateway: &Running, name: &str, service: &Service, client: Option<&Pair>) -> Answer {
    let curl = Curl::new(
        "https",
        &format!("{name}.foocorp.com"),
        gateway.port(443),
        "/",
    )
    .trusting(&service.ca_chain);
    client.into_iter().fold(curl, Curl::with_client).run()
}

#[test]
fn w8_each_host_takes_clients_of_its_own_ca_only() {
    let corp = FooCorp::new();
    let gateway = corp.setup().start();
    assert_each_host_takes_its_own(&corp, &gateway);
}

/// Existing manifests carry the option under the other product's name.
#[test]
fn w8_option_is_known_under_the_other_name_too() {
    let corp = FooCorp::new();
    let manifest = sample_file("per-host-mutual-tls/gateway.yaml");
    let renamed = manifest.replace(
        "portcullis.dev/tls-terminate-mode",
        "gateway.istio.io/tls-terminate-mode",
    );
    assert_ne!(manifest, renamed);
    let gateway = corp.setup().file("gateway.yaml", &renamed).start();
    assert_each_host_takes_its_own(&corp, &gateway);
}

/// The CA may be in a Secret of its own, `<secret>-cacert`.
#[test]
fn w8_ca_may_stand_in_a_secret_beside() {
    let corp = FooCorp::new();
    let FooCorp { frontend, .. } = &corp;
    let Pair { certificate, key } = &frontend.server;
    let both = [
        secrets::generic(
            "istio-system",
            "frontend-credential",
            &[("cert", certificate), ("key", key)],
        ),
        secrets::generic(
            "istio-system",
            "frontend-credential-cacert",
            &[("cacert", &frontend.ca_chain)],
        ),
    ];
    let gateway = corp
        .setup()
        .file("frontend.yaml", &both.join("---\n"))
        .start();
    assert_each_host_takes_its_own(&corp, &gateway);
}

/// A host, whose service it is, the client, and the status expected; 0 is a refused handshake.
struct Case<'a>(&'a str, &'a Service, Option<&'a Pair>, u16);

fn assert_each_host_takes_its_own(corp: &FooCorp, gateway: &Running) {
    let FooCorp {
        frontend,
        inventory,
        careers,
        _folder,
    } = corp;
    for Case(name, service, client, status) in [
        Case("frontend", frontend, Some(&frontend.client), 200),
        Case("frontend", frontend, Some(&inventory.client), 0),
        Case("frontend", frontend, None, 0),
        Case("inventory", inventory, Some(&inventory.client), 200),
        Case("inventory", inventory, Some(&frontend.client), 0),
        Case("inventory", inventory, None, 0),
        Case("careers", careers, None, 200),
        Case("careers", careers, Some(&frontend.client), 200),
    ] {
        let answer = ask(gateway, name, service, client);
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        match status {
            0 => {
                let alert = if client.is_some() {
                    "alert unknown ca"
                } else {
                    "alert certificate required"
                };
                assert!(answer.log.contains(alert), "{name}: {answer:?}");
            }
            _ => assert_eq!(answer.body, name),
        }
    }
}
