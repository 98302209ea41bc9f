use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::filter::{Filter, Header, HeaderEdits, HttpScheme, Redirect};
use portcullis_ir::listener::{Listener, ListenerProtocol, Transport};
use portcullis_ir::matcher::HttpMatch;
use portcullis_ir::route::{RouteKind, Timeouts};
use portcullis_ir::tls::{
    Certificate, CertificateChain, CertificateInfo, ClientValidation, ClientValidationMode, Secret,
    TlsTermination, TrustAnchors, TrustBundle,
};
use portcullis_ir::{
    Attachment, Backend, BackendId, BackendProtocol, CertificateId, Endpoint, HostPattern,
    HttpRoute, HttpRule, ListenerId, ObjectKey, PortKey, RouteHost, RouteId, RouteOrigin, Snapshot,
    TrustBundleId, WeightedBackend,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{AdminServer, AdminState, Introspect, Kept, LoadedConfig, Readiness, render};
use crate::metrics::Metrics;

const DAY: i64 = 86_400;
const NOW: i64 = 1_795_000_000;

fn port(port: u16) -> PortKey {
    PortKey {
        port: NonZeroU16::new(port).unwrap(),
        transport: Transport::Tcp,
    }
}

fn info(subject: &str, days: i64) -> CertificateInfo {
    CertificateInfo {
        subject: subject.to_owned(),
        issuer: "CN=root".to_owned(),
        subject_alt_names: vec!["httpbin.example.com".to_owned()],
        not_before: NOW - DAY,
        not_after: NOW + days * DAY,
        serial: "01".to_owned(),
    }
}

fn rule(matched: HttpMatch, filters: Vec<Filter>, backends: Vec<WeightedBackend>) -> HttpRule {
    HttpRule {
        name: None,
        matches: vec![matched],
        filters,
        backends,
        timeouts: Timeouts::default(),
        retry: None,
    }
}

fn weighted(weight: u32, target: BackendTarget) -> WeightedBackend {
    WeightedBackend {
        weight,
        target,
        filters: Vec::new(),
    }
}

/// An HTTPS listener with mutual TLS, a good, a bad and a lacking certificate, and one route.
fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty(ObjectKey::new("default", "mygateway"), 3);
    let listener = ListenerId::new("Gateway/default/mygateway/https");
    let [good, bad, gone] =
        ["good", "bad", "gone"].map(|name| CertificateId::new(format!("Secret/default/{name}")));
    let trust = TrustBundleId::new("ConfigMap/default/clients");
    snapshot.certificates.insert(
        good.clone(),
        Certificate::Usable(Arc::new(CertificateChain {
            chain: vec![Arc::from(&b"der"[..])],
            key: Secret::new(&b"TOP SECRET KEY"[..]),
            leaf: info("CN=httpbin.example.com", 10),
        })),
    );
    snapshot.certificates.insert(
        bad.clone(),
        Certificate::Unusable {
            reason: "the key does not belong to the certificate".to_owned(),
        },
    );
    snapshot.trust_bundles.insert(
        trust.clone(),
        TrustBundle::Usable(Arc::new(TrustAnchors {
            certificates: vec![Arc::from(&b"der"[..])],
            info: vec![info("CN=client root\u{1b}[31m", -2)],
        })),
    );
    snapshot.listeners.insert(
        listener.clone(),
        Listener {
            port: port(443).port,
            hostname: HostPattern::parse("*.example.com").unwrap(),
            protocol: ListenerProtocol::Https(TlsTermination {
                certificates: vec![good, bad, gone],
                client_validation: Some(ClientValidation {
                    trust: vec![trust],
                    mode: ClientValidationMode::AllowValidOnly,
                }),
            }),
        },
    );
    add_route(&mut snapshot, listener);
    snapshot
}

fn add_route(snapshot: &mut Snapshot, listener: ListenerId) {
    let backend = BackendId::new("Service/default/httpbin/8000");
    let host = HostPattern::parse("httpbin.example.com").unwrap();
    let to_backend = weighted(9, BackendTarget::Backend(backend.clone()));
    let invalid = BackendTarget::Invalid {
        reason: "Service default/none does not exist".to_owned(),
    };
    let redirect = Filter::Redirect(Redirect {
        scheme: Some(HttpScheme::Https),
        hostname: None,
        port: None,
        path: None,
        status: 301,
    });
    let credentials = Filter::RequestHeaders(HeaderEdits {
        set: vec![Header {
            name: http::header::AUTHORIZATION,
            value: http::HeaderValue::from_static("Bearer hunter2"),
        }],
        ..HeaderEdits::default()
    });
    let get = HttpMatch {
        method: Some(http::Method::GET),
        ..HttpMatch::every_request()
    };
    let route = HttpRoute {
        origin: RouteOrigin {
            kind: RouteKind::Http,
            key: ObjectKey::new("default", "httpbin"),
            created: None,
        },
        attachments: vec![Attachment {
            listener,
            hosts: vec![RouteHost {
                effective: host.clone(),
                configured: host,
            }],
        }],
        rules: vec![
            rule(
                get,
                vec![credentials],
                vec![to_backend, weighted(1, invalid)],
            ),
            rule(HttpMatch::every_request(), vec![redirect], Vec::new()),
        ],
    };
    let id = RouteId::new("HTTPRoute/default/httpbin");
    snapshot.http_routes.insert(id, Arc::new(route));
    snapshot.backends.insert(
        backend,
        Arc::new(Backend {
            protocol: BackendProtocol::Http1,
            tls: None,
            endpoints: vec![Endpoint {
                host: portcullis_ir::backend::EndpointHost::Ip(Ipv4Addr::LOCALHOST.into()),
                port: 8000,
            }],
        }),
    );
}

fn loaded() -> LoadedConfig {
    let ports: BTreeMap<_, Result<Vec<SocketAddr>, &str>> = BTreeMap::from([
        (port(80), Err("port 80: permission denied")),
        (
            port(443),
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 8443))]),
        ),
    ]);
    let kept = Kept {
        certificates: BTreeMap::from([(
            CertificateId::new("Secret/default/bad"),
            info("CN=before", 0),
        )]),
        trust: BTreeMap::new(),
    };
    LoadedConfig::of(&snapshot(), &ports, &kept)
}

struct Fake(Readiness);

impl Introspect for Fake {
    fn loaded(&self) -> LoadedConfig {
        loaded()
    }

    fn readiness(&self) -> Readiness {
        self.0.clone()
    }
}

/// Status line, headers and body of the answer to a request.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ask(address, &request).await
}

async fn server() -> (AdminServer, Arc<AdminState>) {
    let state = AdminState::new(Metrics::new());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = AdminServer::start(address, Arc::clone(&state))
        .await
        .unwrap();
    (server, state)
}

#[tokio::test]
async fn readiness_waits_for_holds_and_data_planes() {
    let (server, state) = server().await;
    let address = server.local_addr();
    let hold = state.hold("the first read of the configuration");
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("not ready:\n- the first read of the configuration\n"));

    let key = ObjectKey::new("default", "mygateway");
    let mut readiness = Readiness::ready();
    readiness.missing("port 80: permission denied");
    state.register(key.clone(), Arc::new(Fake(readiness)));
    drop(hold);
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("not ready:\n- default/mygateway: port 80: permission denied\n"));
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));

    state.register(key.clone(), Arc::new(Fake(Readiness::ready())));
    assert!(get(address, "/readyz").await.ends_with("\r\n\r\nready\n"));
    state.unregister(&key);
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn pages_are_served_with_their_types() {
    let (server, state) = server().await;
    let address = server.local_addr();
    state.register(
        ObjectKey::new("default", "mygateway"),
        Arc::new(Fake(Readiness::ready())),
    );
    let metrics = get(address, "/metrics").await;
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"));
    assert!(metrics.contains("\nportcullis_build_info{"));
    assert!(get(address, "/status").await.starts_with("HTTP/1.1 404 "));
    state.publish_status(|| serde_json::json!({"gateways": []}));
    let status = get(address, "/status").await;
    assert!(
        status.contains("content-type: application/json"),
        "{status}"
    );
    let config = get(address, "/config").await;
    let (_, body) = config.split_once("\r\n\r\n").unwrap();
    let config: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(config["gateways"][0]["gateway"], "default/mygateway");
    let text = get(address, "/config?format=text").await;
    assert!(text.contains("Gateway default/mygateway  (generation 3, version "));
    let lost = get(address, "/nowhere").await;
    assert!(
        lost.starts_with("HTTP/1.1 404 ") && lost.contains("/readyz"),
        "{lost}"
    );
}

#[tokio::test]
async fn only_local_readers_are_answered() {
    let (server, _state) = server().await;
    let address = server.local_addr();
    let cases = [
        (
            "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
            "403",
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "405",
        ),
        (
            "HEAD / HTTP/1.1\r\nHost: 127.0.0.1:15000\r\nConnection: close\r\n\r\n",
            "200",
        ),
        ("GET / HTTP/1.0\r\n\r\n", "200"),
    ];
    for (request, status) in cases {
        let answer = ask(address, request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request}{answer}");
        assert_eq!(answer.ends_with("\r\n\r\n"), request.starts_with("HEAD"));
    }
}

#[tokio::test]
async fn dropping_the_server_frees_its_port() {
    let (server, state) = server().await;
    let address = server.local_addr();
    drop(server);
    // The accepting task ends at its next poll, which a yield lets happen.
    let mut again = AdminServer::start(address, Arc::clone(&state)).await;
    while again.is_err() {
        tokio::task::yield_now().await;
        again = AdminServer::start(address, Arc::clone(&state)).await;
    }
    assert_eq!(again.unwrap().local_addr(), address);
}

#[test]
fn what_is_loaded_is_shown_in_full_without_secrets() {
    let json = serde_json::to_value(loaded()).unwrap();
    let listener = &json["listeners"][0];
    assert_eq!(listener["protocol"], "HTTPS");
    assert_eq!(listener["hostname"], "*.example.com");
    let certificates = &listener["certificates"];
    assert_eq!(
        certificates[0]["served"]["subject"],
        "CN=httpbin.example.com"
    );
    assert_eq!(certificates[1]["served"]["subject"], "CN=before");
    assert_eq!(
        certificates[1]["problem"],
        "the key does not belong to the certificate"
    );
    assert_eq!(certificates[2]["problem"], "the Secret does not exist");
    assert_eq!(json["ports"][0]["failure"], "port 80: permission denied");
    assert_eq!(json["ports"][1]["addresses"][0], "127.0.0.1:8443");
    let rules = &json["routes"][0]["rules"];
    assert_eq!(rules[0]["matches"][0], "PathPrefix /, method GET");
    assert_eq!(rules[0]["filters"][0], "request headers: set authorization");
    assert_eq!(rules[1]["filters"][0], "redirect: scheme https, 301");
    assert_eq!(json["backends"][0]["endpoints"][0], "127.0.0.1:8000");
    for secret in ["TOP SECRET", "hunter2"] {
        assert!(!json.to_string().contains(secret));
        assert!(!format!("{:?}", loaded()).contains(secret));
    }
}

#[test]
fn the_text_form_lines_up() {
    let text = render(&[loaded()], NOW);
    let version = snapshot().version();
    let expected = format!(
        "\
Gateway default/mygateway  (generation 3, version {version})

PORT     BOUND TO
80/TCP   not bound: port 80: permission denied
443/TCP  127.0.0.1:8443

LISTENER                         PORT  PROTOCOL  HOSTNAME       CLIENTS
Gateway/default/mygateway/https  443   HTTPS     *.example.com  AllowValidOnly

CERTIFICATE          LISTENER                         SUBJECT                 NAMES                EXPIRES
Secret/default/good  Gateway/default/mygateway/https  CN=httpbin.example.com  httpbin.example.com  2026-11-28 (10 days left)
Secret/default/bad   Gateway/default/mygateway/https  CN=before               httpbin.example.com  2026-11-18 (0 days left)  PROBLEM: the key does not belong to the certificate
Secret/default/gone  Gateway/default/mygateway/https  not served              -                    -  PROBLEM: the Secret does not exist

CLIENT CA                  LISTENER                         SUBJECT              EXPIRES
ConfigMap/default/clients  Gateway/default/mygateway/https  CN=client root\u{fffd}[31m  2026-11-16 (EXPIRED 2 days ago)

ROUTE                      LISTENER                         HOSTS                RULE  MATCHES                   GOES TO
HTTPRoute/default/httpbin  Gateway/default/mygateway/https  httpbin.example.com  0     PathPrefix /, method GET  [request headers: set authorization], Service/default/httpbin/8000 weight 9, invalid (Service default/none does not exist) weight 1
HTTPRoute/default/httpbin  Gateway/default/mygateway/https  httpbin.example.com  1     PathPrefix /              [redirect: scheme https, 301]

BACKEND                       PROTOCOL  ENDPOINTS
Service/default/httpbin/8000  Http1     127.0.0.1:8000
"
    );
    assert_eq!(text, expected);
    assert_eq!(render(&[], NOW), "No Gateway is loaded.\n");
}
