//! Connections that outlive the rules by which they were let in.

use hyper::{Request, StatusCode};
use portcullis_ir::BackendProtocol;
use portcullis_ir::tls::ClientValidationMode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::backend::{TestBackend, echo};
use crate::certs::{Ca, Client, ca, client};
use crate::client::{Connection, get_request};
use crate::http2::http2;
use crate::snapshot::{Plane, Scene, scene};
use crate::tls::{connect, status};

const PORT: u16 = 443;
const STRICT: ClientValidationMode = ClientValidationMode::AllowValidOnly;
const LENIENT: ClientValidationMode = ClientValidationMode::AllowInsecureFallback;

fn in_clear(backend: &TestBackend) -> Scene {
    scene()
        .http("web", PORT, "a.example")
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "a.example", "/", "a")
}

fn in_tls(backend: &TestBackend, server: &Ca) -> Scene {
    scene()
        .https("web", PORT, "a.example", &["a"])
        .certificate("a", server.certificate(&["a.example"]))
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "a.example", "/", "a")
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<S>) -> u16 {
    let reply = connection.exchange(get_request("a.example", "/")).await;
    reply.status
}

/// The next request is answered 421 and the connection closed.
async fn is_turned_away<S: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<S>) {
    let reply = connection.exchange(get_request("a.example", "/")).await;
    assert_eq!(reply.status, 421, "{reply:?}");
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn nothing_is_served_in_clear_text_on_a_port_that_became_https() {
    let (server, backend) = (ca("server"), echo("a").await);
    let mut plane = Plane::serving(&in_clear(&backend)).await;
    let mut open = Connection::open(plane.at(PORT)).await;
    assert_eq!(ask(&mut open).await, 200);
    // Accepted in clear text too, though it has not said anything yet.
    let mut silent = Connection::open(plane.at(PORT)).await;
    assert_eq!(ask(&mut Connection::open(plane.at(PORT)).await).await, 200);

    plane.apply(&in_tls(&backend, &server)).await;
    is_turned_away(&mut open).await;
    silent.send(get_request("a.example", "/")).await;
    let answer = silent.receive().await;
    assert!(answer.is_none_or(|reply| reply.status == 421));
    let config = client(&server).config();
    assert_eq!(
        status(&config, plane.at(PORT), "a.example").await,
        Some(200)
    );
}

#[tokio::test]
async fn tls_ends_with_a_port_that_became_http() {
    let (server, backend) = (ca("server"), echo("a").await);
    let mut plane = Plane::serving(&in_tls(&backend, &server)).await;
    let config = client(&server).config();
    let stream = connect(&config, plane.at(PORT), "a.example").await.unwrap();
    let mut open = Connection::over(stream);
    assert_eq!(ask(&mut open).await, 200);
    plane.apply(&in_clear(&backend)).await;
    is_turned_away(&mut open).await;
}

#[tokio::test]
async fn a_change_of_client_validation_turns_away_who_came_before_it() {
    let (server, one, two) = (ca("server"), ca("one"), ca("two"));
    let backend = echo("a").await;
    let open = in_tls(&backend, &server)
        .trust("one", one.bundle())
        .trust("two", two.bundle());
    let strict = open.clone().clients("web", &["one"], STRICT);
    let lenient = open.clone().clients("web", &["one"], LENIENT);
    let of_one = one.sign(&["client"]);
    let shown = Some(&of_one);
    let cases = [
        ("asked for", open, None, strict.clone()),
        ("no longer optional", lenient, None, strict.clone()),
        (
            "other CA",
            strict.clone(),
            shown,
            strict.clone().clients("web", &["two"], STRICT),
        ),
        (
            "other content of the bundle",
            strict.clone(),
            shown,
            strict.trust("one", two.bundle()),
        ),
    ];
    for (name, before, shows, after) in cases {
        let mut plane = Plane::serving(&before).await;
        let config = Client {
            shows,
            ..client(&server)
        }
        .config();
        let stream = connect(&config, plane.at(PORT), "a.example").await.unwrap();
        let mut open = Connection::over(stream);
        assert_eq!(ask(&mut open).await, 200, "{name}");
        plane.apply(&after).await;
        is_turned_away(&mut open).await;
        assert_eq!(status(&config, plane.at(PORT), "a.example").await, None);
    }
}

#[tokio::test]
async fn a_new_certificate_alone_keeps_validated_clients() {
    let (server, one) = (ca("server"), ca("one"));
    let backend = echo("a").await;
    let scene = in_tls(&backend, &server)
        .trust("one", one.bundle())
        .clients("web", &["one"], STRICT);
    let mut plane = Plane::serving(&scene).await;
    let of_one = one.sign(&["client"]);
    let config = Client {
        shows: Some(&of_one),
        ..client(&server)
    }
    .config();
    let stream = connect(&config, plane.at(PORT), "a.example").await.unwrap();
    let mut open = Connection::over(stream);
    assert_eq!(ask(&mut open).await, 200);
    // The bundle is read anew, with the same content.
    let rotated = scene
        .certificate("a", server.certificate(&["a.example"]))
        .trust("one", one.bundle());
    plane.apply(&rotated).await;
    assert_eq!(ask(&mut open).await, 200);
}

#[tokio::test]
async fn http2_is_turned_away_with_goaway() {
    let (server, one) = (ca("server"), ca("one"));
    let backend = echo("a").await;
    let scene = in_tls(&backend, &server).trust("one", one.bundle());
    let mut plane = Plane::serving(&scene).await;
    let config = Client {
        alpn: &["h2"],
        ..client(&server)
    }
    .config();
    let stream = connect(&config, plane.at(PORT), "a.example").await.unwrap();
    let (mut over_tls, tls_ended) = http2(stream).await;
    let ask = || {
        let request = Request::builder().uri("https://a.example/");
        request.body(http_body_util::Full::default()).unwrap()
    };
    let reply = over_tls.send_request(ask()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    plane.apply(&scene.clients("web", &["one"], STRICT)).await;
    let reply = over_tls.send_request(ask()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::MISDIRECTED_REQUEST);
    drop(reply);
    tls_ended.await.unwrap().unwrap();

    let mut plane = Plane::serving(&in_clear(&backend)).await;
    let stream = TcpStream::connect(plane.at(PORT)).await.unwrap();
    let (mut in_clear, clear_ended) = http2(stream).await;
    let reply = in_clear.send_request(ask()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::OK);
    plane.apply(&in_tls(&backend, &server)).await;
    let reply = in_clear.send_request(ask()).await.unwrap();
    assert_eq!(reply.status(), StatusCode::MISDIRECTED_REQUEST);
    drop(reply);
    clear_ended.await.unwrap().unwrap();
}
