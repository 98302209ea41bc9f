//! HTTP/1.1 in clear text.

use portcullis_ir::BackendProtocol;

use crate::backend::echo;
use crate::client::get;
use crate::snapshot::{Plane, scene};

#[tokio::test]
async fn a_request_reaches_its_backend_and_comes_back() {
    let backend = echo("a").await;
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "a.example", "/", "a");
    let plane = Plane::serving(&scene).await;
    let reply = get(plane.at(80), "a.example", "/x?y=z").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.starts_with("GET /x?y=z HTTP/1.1\n"), "{reply:?}");
    assert_eq!(reply.seen("host"), Some("a.example"));
    assert_eq!(reply.seen("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(reply.seen("x-forwarded-proto"), Some("http"));
    assert_eq!(reply.header("backend"), Some("a"));
}
