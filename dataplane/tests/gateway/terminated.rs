//! TLS that ends at the gateway, with a stream of bytes inside.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis_dataplane::Config;
use portcullis_dataplane::access_log::{AccessLog, Target};
use portcullis_dataplane::metrics::Metrics;
use portcullis_ir::BackendProtocol;
use portcullis_ir::tls::ClientValidationMode;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::certs::{Ca, Client, ca, client};
use crate::snapshot::{Plane, Scene, config, scene};
use crate::streams::{all, greeting, held, some};
use crate::tls::{VERSIONS, connect};

fn ending(ca: &Ca, at: SocketAddr) -> Scene {
    scene()
        .terminate("tls", 443, "a.example", "c")
        .certificate("c", ca.certificate(&["a.example"]))
        .backend("a", BackendProtocol::Opaque, &[at])
        .forward("tls", "a.example", "a")
}

#[tokio::test]
async fn each_side_ends_on_its_own() {
    let ca = ca("one");
    let backend = held().await;
    let plane = Plane::serving(&ending(&ca, backend.backend.at)).await;
    let config = client(&ca).config();

    let mut stream = connect(&config, plane.at(443), "a.example").await.unwrap();
    let mut server = backend.next().await;
    stream.write_all(b"all I have").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), "all I have");
    server.write_all(b"more").await.unwrap();
    assert_eq!(some(&mut stream, 4).await, "more");
    drop(server);
    // rustls tells close_notify from a cut.
    assert_eq!(all(&mut stream).await.unwrap(), "");

    let mut stream = connect(&config, plane.at(443), "a.example").await.unwrap();
    let mut server = backend.next().await;
    server.write_all(b"bye").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(all(&mut stream).await.unwrap(), "bye");
    stream.write_all(b"more").await.unwrap();
    assert_eq!(some(&mut server, 4).await, "more");
    stream.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), "");
}

#[tokio::test]
async fn an_end_without_close_notify_is_an_end_for_a_backend_without_tls() {
    let ca = ca("one");
    let backend = held().await;
    let plane = Plane::serving(&ending(&ca, backend.backend.at)).await;
    let mut stream = connect(&client(&ca).config(), plane.at(443), "a.example")
        .await
        .unwrap();
    let mut server = backend.next().await;
    stream.write_all(b"all").await.unwrap();
    let (tcp, _) = stream.get_ref();
    SockRef::from(tcp)
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(all(&mut server).await.unwrap(), "all");
}

#[tokio::test]
async fn a_reset_of_one_side_resets_the_other() {
    let ca = ca("one");
    let backend = held().await;
    let plane = Plane::serving(&ending(&ca, backend.backend.at)).await;
    let config = client(&ca).config();
    let now = Some(Duration::ZERO);

    let stream = connect(&config, plane.at(443), "a.example").await.unwrap();
    let mut server = backend.next().await;
    SockRef::from(stream.get_ref().0).set_linger(now).unwrap();
    drop(stream);
    let error = all(&mut server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let mut stream = connect(&config, plane.at(443), "a.example").await.unwrap();
    let server = backend.next().await;
    SockRef::from(&server).set_linger(now).unwrap();
    drop(server);
    let error = all(&mut stream).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn much_goes_through_unchanged_in_both_versions() {
    const LENGTH: usize = 16 * 1024 * 1024;
    let ca = ca("one");
    let plane = Plane::serving(&ending(&ca, greeting("").await.at)).await;
    for versions in VERSIONS {
        let config = Client {
            versions,
            ..client(&ca)
        }
        .config();
        let stream = connect(&config, plane.at(443), "a.example").await.unwrap();
        let (mut read, mut write) = tokio::io::split(stream);
        let sent: Vec<u8> = (0..LENGTH)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
            write
        });
        let mut seen = Vec::new();
        read.read_to_end(&mut seen).await.unwrap();
        assert!(seen == expected);
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_client_may_offer_any_alpn() {
    let ca = ca("one");
    let plane = Plane::serving(&ending(&ca, greeting("hello").await.at)).await;
    let config = Client {
        alpn: &["mqtt", "h2"],
        ..client(&ca)
    }
    .config();
    let mut stream = connect(&config, plane.at(443), "a.example").await.unwrap();
    assert_eq!(some(&mut stream, 5).await, "hello");
    assert_eq!(stream.get_ref().1.alpn_protocol(), None);
}

#[tokio::test]
async fn clients_are_asked_for_certificates_as_with_https() {
    let (ours, theirs) = (ca("ours"), ca("theirs"));
    let backend = greeting("hello").await;
    let plane = Plane::serving(
        &ending(&ours, backend.at)
            .trust("theirs", theirs.bundle())
            .clients("tls", &["theirs"], ClientValidationMode::AllowValidOnly),
    )
    .await;
    let shown = theirs.sign(&["client"]);
    let stranger = ours.sign(&["client"]);
    for (shows, expected) in [
        (Some(&shown), true),
        (Some(&stranger), false),
        (None, false),
    ] {
        let config = Client {
            shows,
            ..client(&ours)
        }
        .config();
        let greeted = match connect(&config, plane.at(443), "a.example").await {
            Ok(mut stream) => all(&mut (&mut stream).take(5)).await.is_ok(),
            Err(_) => false,
        };
        assert_eq!(greeted, expected);
    }
    assert_eq!(backend.connections(), 1, "the others never got there");
}

#[tokio::test]
async fn connections_are_logged_and_counted() {
    let metrics = Metrics::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let access_log = AccessLog::start(&Target::File(file.clone()), &metrics).unwrap();
    let ca = ca("one");
    let scene = ending(&ca, greeting("hello").await.at)
        .tcp("tcp", 5000)
        .backend(
            "dead",
            BackendProtocol::Opaque,
            &[crate::backend::refusing().await],
        )
        .forward("tcp", "", "dead");
    let config = Config {
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        ..config()
    };
    let plane = Plane::start(&scene, config).await;
    let tls = client(&ca).config();
    let mut stream = connect(&tls, plane.at(443), "a.example").await.unwrap();
    stream.write_all(b"1234567").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(all(&mut stream).await.unwrap(), "hello1234567");
    assert!(crate::streams::is_refused(plane.at(5000)).await);
    plane.plane.drain().await;
    access_log.flush();

    let log = std::fs::read_to_string(file).unwrap();
    let mut records: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    records.sort_by_key(|record| record["protocol"].to_string());
    let [tcp, tls] = &records[..] else {
        panic!("{log}");
    };
    assert_eq!(tcp["response_flag"], "connect_failed");
    assert!(tcp["detail"].to_string().contains("refused"), "{tcp}");
    assert_eq!(tcp.get("method"), None);
    assert_eq!(
        (&tls["bytes_in"], &tls["bytes_out"]),
        (&7.into(), &12.into())
    );
    assert_eq!(
        (&tls["sni"], &tls["tls_version"]),
        (&"a.example".into(), &"TLSv1.3".into())
    );
    assert_eq!(tls["route"], "TLSRoute/default/forward-0");
    assert_eq!(tls.get("response_flag"), None);

    let shown = metrics.exposition();
    let of_tls =
        "{gateway=\"default/gateway\",listener=\"tls\",route=\"TLSRoute/default/forward-0\"";
    let of_tcp =
        "{gateway=\"default/gateway\",listener=\"tcp\",route=\"TLSRoute/default/forward-1\"";
    for line in [
        format!("portcullis_tcp_connections_active{of_tls}}} 0"),
        format!("portcullis_tcp_connections_total{of_tls}}} 1"),
        format!("portcullis_tcp_received_bytes_total{of_tls}}} 7"),
        format!("portcullis_tcp_sent_bytes_total{of_tls}}} 12"),
        format!("portcullis_tcp_connect_failures_total{of_tcp},reason=\"refused\"}} 1"),
    ] {
        assert!(shown.contains(&line), "{line}: {shown}");
    }
}
