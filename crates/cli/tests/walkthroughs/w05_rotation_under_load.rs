use std::sync::Arc;

use crate::certificates::{Authority, Pair, Request};
use crate::gateway::Setup;
use crate::load::{Destination, Expected, Load, leaf_in};
use crate::secrets;

const HOST: &str = "httpbin.example.com";
const ROTATIONS: usize = 200;

/// What a user may write into the Secret by mistake, and what the status must say of it.
struct Mistake {
    pair: Pair,
    said: &'static str,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w5_rotations_good_and_bad_under_load_lose_no_request_and_serve_no_wrong_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authorities = ["example_certs1", "example_certs2"]
        .map(|name| Authority::new(&folder.path().join(name), "example.com"));
    // The gateway's report tells them apart by serial number.
    let extensions = format!("subjectAltName=DNS:{HOST}\n");
    let good = [(&authorities[0], "1"), (&authorities[1], "2")].map(|(authority, serial)| {
        let request = Request {
            serial,
            extensions: &extensions,
            ..Request::as_documented(HOST)
        };
        authority.issue_as(HOST, &request)
    });
    let bad = mistakes(&authorities[0], &good);
    let secret = |pair: &Pair| secrets::tls("istio-system", "httpbin-credential", pair);
    let gateway = Setup::new()
        .sample("secure-gateway")
        .file("credential.yaml", &secret(&good[0]))
        .start();
    let destination = || {
        let [first, second] = &authorities;
        Destination::new(
            gateway.port(443),
            HOST,
            "/status/418",
            418,
            &[first, second],
        )
    };
    let observer = destination();
    let expected = Arc::new(Expected::default());
    expected.set([&good[0]]);
    let load = Load::start(destination(), expected.clone());
    let mut current = &good[0];
    for rotation in 0..ROTATIONS {
        if rotation % 2 == 0 {
            let next = &good[rotation / 2 % 2];
            expected.set([current, next]);
            gateway.write("credential.yaml", &secret(next));
            gateway.until("the good certificate is loaded", || {
                gateway
                    .status_of("Gateway", "mygateway")
                    .listener_condition("https", "ResolvedRefs")
                    .0
                    == "True"
                    && gateway.has_loaded(next)
            });
            expected.set([next]);
            current = next;
        } else {
            let mistake = &bad[rotation / 2 % bad.len()];
            gateway.write("credential.yaml", &secret(&mistake.pair));
            gateway.until(mistake.said, || {
                let status = gateway.status_of("Gateway", "mygateway");
                status.listener_condition("https", "ResolvedRefs").1 == "InvalidCertificateRef"
                    && status.to_string().contains(mistake.said)
            });
        }
        assert_eq!(
            observer.leaf().await.unwrap(),
            leaf_in(current),
            "rotation {rotation}"
        );
    }
    let tally = load.finish().await;
    assert_eq!(tally.failures, [""; 0], "{tally:?}");
    assert!(tally.requests > 0 && tally.handshakes > 0, "{tally:?}");
}

fn mistakes(authority: &Authority, good: &[Pair; 2]) -> [Mistake; 3] {
    let expired = Request {
        validity: &["-days", "-1"],
        ..Request::as_documented(HOST)
    };
    let garbage = good[0].certificate.with_file_name("garbage.crt");
    std::fs::write(
        &garbage,
        "-----BEGIN CERTIFICATE-----\nno certificate\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let [first, second] = good;
    [
        Mistake {
            pair: Pair {
                certificate: garbage,
                key: first.key.clone(),
            },
            said: "PEM",
        },
        Mistake {
            pair: Pair {
                certificate: first.certificate.clone(),
                key: second.key.clone(),
            },
            said: "does not belong",
        },
        Mistake {
            pair: authority.issue_as("expired", &expired),
            said: "expired",
        },
    ]
}
