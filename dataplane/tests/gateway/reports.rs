//! What the data plane tells about itself.

use std::time::Duration;

use portcullis_dataplane::Config;
use portcullis_dataplane::access_log::{AccessLog, Target};
use portcullis_dataplane::admin::Introspect;
use portcullis_dataplane::metrics::Metrics;
use portcullis_ir::BackendProtocol;
use portcullis_ir::tls::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backend::{custom, echo, read_head};
use crate::certs::{ca, client};
use crate::client::{Connection, get, get_request};
use crate::snapshot::{Plane, config, scene};

#[tokio::test]
async fn requests_are_logged_and_counted() {
    let metrics = Metrics::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let access_log = AccessLog::start(&Target::File(file.clone()), &metrics).unwrap();
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[echo("a").await.at])
        .route("web", "a.example", "/", "a");
    let config = Config {
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        ..config()
    };
    let plane = Plane::start(&scene, config).await;
    assert_eq!(get(plane.at(80), "a.example", "/x?y").await.status, 200);
    assert_eq!(get(plane.at(80), "b.example", "/").await.status, 404);
    // A record is written after its answer: the end of the connections is the end of both.
    plane.plane.drain().await;
    access_log.flush();

    let log = std::fs::read_to_string(file).unwrap();
    let records: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 2, "{log}");
    let found = |status: u16| {
        records
            .iter()
            .find(|record| record["status"] == status)
            .unwrap()
    };
    let (served, refused) = (found(200), found(404));
    let text = served.to_string();
    for part in [
        "a.example",
        "/x?y",
        "HTTPRoute/default/route-0",
        "Gateway/default/gateway/web",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(refused.to_string().contains("no_route"), "{refused}");

    let exposition = metrics.exposition();
    for line in ["portcullis_requests_total", "no_route", "listener=\"web\""] {
        assert!(exposition.contains(line), "{line}: {exposition}");
    }
}

#[tokio::test]
async fn what_is_cut_off_at_the_end_is_logged() {
    let backend = custom(|mut stream, _| async move {
        if read_head(&mut stream).await.contains("/tunnel") {
            let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let metrics = Metrics::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let access_log = AccessLog::start(&Target::File(file.clone()), &metrics).unwrap();
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "a.example", "/", "a");
    let drain = portcullis_dataplane::DrainConfig {
        min: Duration::ZERO,
        max: Duration::from_millis(50),
    };
    let config = Config {
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        drain,
        ..config()
    };
    let plane = Plane::start(&scene, config).await;
    let mut tunnel = Connection::open(plane.at(80)).await;
    let upgrade = "GET /tunnel HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\n\r\n";
    assert_eq!(tunnel.exchange(upgrade).await.status, 101);
    let mut waiting = Connection::open(plane.at(80)).await;
    waiting.send(get_request("a.example", "/wait")).await;
    while backend.connections() < 2 {
        tokio::task::yield_now().await;
    }
    plane.plane.drain().await;
    drop(plane);
    access_log.flush();

    let log = std::fs::read_to_string(file).unwrap();
    for part in ["\"/tunnel\"", "\"/wait\""] {
        let line = log.lines().find(|line| line.contains(part));
        let record: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
        assert!(record.to_string().contains("draining"), "{record}");
        let status = record["status"].as_u64();
        let expected = if part.contains("tunnel") { 101 } else { 0 };
        assert_eq!(status, Some(expected), "{record}");
    }
    assert_eq!(log.lines().count(), 2, "{log}");
}

#[tokio::test]
async fn what_is_loaded_shows_what_is_kept() {
    let ca = ca("one");
    let scene = scene()
        .https("web", 443, "a.example", &["a"])
        .certificate("a", ca.certificate(&["a.example"]));
    let mut plane = Plane::serving(&scene).await;
    let bad = Certificate::Unusable {
        reason: "the key does not match".to_owned(),
    };
    plane.apply(&scene.certificate("a", bad)).await;
    let loaded = plane.plane.loaded();
    let certificate = &loaded.listeners[0].certificates[0];
    assert_eq!(certificate.served.as_ref().unwrap().subject, "CN=leaf");
    assert_eq!(
        certificate.problem.as_deref(),
        Some("the key does not match")
    );
    assert_eq!(loaded.ports[0].addresses, [plane.at(443)]);
    assert!(plane.plane.readiness().is_ready());
    let refused = crate::tls::status(&client(&ca).config(), plane.at(443), "a.example").await;
    assert_eq!(refused, Some(404));
    plane.plane.drain().await;
    assert!(!plane.plane.readiness().is_ready());
}

#[tokio::test]
async fn failed_handshakes_are_counted_by_reason() {
    use portcullis_ir::tls::ClientValidationMode;
    let (server, clients) = (ca("server"), ca("clients"));
    let scene = scene()
        .https("web", 443, "a.example", &["a"])
        .certificate("a", server.certificate(&["a.example"]))
        .clients("web", &["ca"], ClientValidationMode::AllowValidOnly)
        .trust("ca", clients.bundle());
    let metrics = Metrics::new();
    let config = Config {
        metrics: metrics.clone(),
        ..config()
    };
    let plane = Plane::start(&scene, config).await;
    let without = client(&server).config();
    for name in ["a.example", "nobody.example"] {
        assert_eq!(
            crate::tls::status(&without, plane.at(443), name).await,
            None
        );
    }
    plane.plane.drain().await;
    let exposition = metrics.exposition();
    for reason in ["client_certificate_missing", "unrecognized_name"] {
        let counted = exposition.lines().any(|line| {
            line.contains("handshake") && line.contains(reason) && line.ends_with(" 1")
        });
        assert!(counted, "{reason}: {exposition}");
    }
}
