//! Calls to backends over TLS.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use portcullis_ir::tls::{BackendTls, BackendTrust};
use portcullis_ir::{BackendProtocol, TrustBundleId};
use tonic::Code;
use tonic::codegen::Bytes;

use super::backend::{Seen, serve};
use super::calls;
use super::client::Caller;
use crate::certs::ca;
use crate::snapshot::{Plane, scene, to};
use crate::tls_backend::{over_tls, server};

#[tokio::test]
async fn calls_go_over_tls_to_the_backend_that_the_policy_names() {
    let ca = ca("ca");
    let config = server(&ca.sign(&["calls.example"]), &["h2", "http/1.1"], None);
    let seen = Arc::new(Seen::default());
    let backend = over_tls(config, move |stream| {
        serve(stream, Arc::clone(&seen), usize::MAX)
    })
    .await;
    for (hostname, is_right) in [("calls.example", true), ("other.example", false)] {
        let policy = BackendTls {
            hostname: hostname.into(),
            subject_alt_names: Vec::new(),
            trust: BackendTrust::Bundles(vec![TrustBundleId::new("ca")]),
            client_certificate: None,
        };
        let scene = scene().http("web", 80, "").trust("ca", ca.bundle());
        let scene = scene.tls_backend("a", BackendProtocol::H2c, &[backend.at], policy);
        let plane = Plane::serving(&calls(scene, None, to("a"))).await;
        let caller = Caller::open(plane.at(80)).await;
        let message = Bytes::from(vec![5; 32 << 10]);
        let sent = stream::iter(std::iter::repeat_n(message, 100));
        let echoed = caller.call("Echo", sent).await;
        if is_right {
            let echoed = echoed.unwrap().into_inner();
            assert_eq!(echoed.map(Result::unwrap).count().await, 100);
        } else {
            assert_eq!(echoed.unwrap_err().code(), Code::Unavailable);
        }
    }
    let handshakes = backend.handshakes();
    assert!((handshakes.iter()).all(|it| it.alpn.as_deref() == Some("h2")));
}
