//! Filters that answer themselves: redirects of a share, CORS.

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::filter::{Allowed, Cors, Filter, Redirect};
use portcullis_ir::{BackendProtocol, HttpRule, WeightedBackend};

use crate::backend::{always, echo};
use crate::client::{Connection, Reply};
use crate::snapshot::{Plane, backend_id, rule_to, scene, to, with_filters};

/// Pages of `https://a.example` may read answers, with credentials.
fn cors() -> Filter {
    Filter::Cors(Cors {
        origins: Allowed::These(vec!["https://a.example".parse().unwrap()]),
        credentials: true,
        methods: Allowed::All,
        request_headers: Allowed::These(Vec::new()),
        exposed_headers: Allowed::These(vec!["backend".parse().unwrap()]),
        max_age: 10,
    })
}

async fn ask(plane: &Plane, method: &str, path: &str, fields: &str) -> Reply {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
    Connection::open(plane.at(80)).await.exchange(request).await
}

const A: &str = "Origin: https://a.example\r\n";
const B: &str = "Origin: https://b.example\r\n";
const ASKS: &str = "Access-Control-Request-Method: PUT\r\n";

fn allowed(reply: &Reply) -> Option<&str> {
    reply.header("access-control-allow-origin")
}

async fn with_cors(rule: HttpRule, backend: std::net::SocketAddr) -> Plane {
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[backend])
        .rule("web", "a.example", "/", rule);
    Plane::serving(&scene).await
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_backend() {
    let backend = echo("a").await;
    let plane = with_cors(with_filters(to("a"), vec![cors()]), backend.at).await;
    let mut connection = Connection::open(plane.at(80)).await;
    for (origin, allowed) in [(A, Some("https://a.example")), (B, None)] {
        let request = format!("OPTIONS / HTTP/1.1\r\nHost: a.example\r\n{origin}{ASKS}\r\n");
        let reply = connection.exchange(request).await;
        assert_eq!(
            (reply.status, self::allowed(&reply)),
            (204, allowed),
            "{reply:?}"
        );
        let methods = reply.header("access-control-allow-methods");
        assert_eq!(methods, allowed.map(|_| "put"));
        assert_eq!(reply.header("content-length"), None);
    }
    assert_eq!(backend.connections(), 0);
}

#[tokio::test]
async fn what_is_no_preflight_reaches_the_backend_and_its_answer_is_decorated() {
    let backend = echo("a").await;
    let plane = with_cors(with_filters(to("a"), vec![cors()]), backend.at).await;
    let cases = [
        ("GET", A, Some("https://a.example")),
        ("GET", B, None),
        ("GET", "", None),
        ("OPTIONS", A, Some("https://a.example")),
        ("OPTIONS", ASKS, None),
    ];
    for (method, fields, expected) in cases {
        let reply = ask(&plane, method, "/", fields).await;
        assert_eq!(reply.header("backend"), Some("a"), "{method} {fields}");
        assert_eq!(allowed(&reply), expected, "{method} {fields}");
        let credentials = reply.header("access-control-allow-credentials");
        assert_eq!(credentials, expected.map(|_| "true"));
        assert_eq!(reply.header("vary"), Some("origin"));
    }
}

#[tokio::test]
async fn what_the_backend_says_of_origins_is_replaced() {
    const OPEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\
                        Access-Control-Allow-Origin: *\r\n\r\n";
    let backend = always(OPEN).await;
    let plane = with_cors(with_filters(to("a"), vec![cors()]), backend.at).await;
    let reply = ask(&plane, "GET", "/", A).await;
    assert_eq!(allowed(&reply), Some("https://a.example"), "{reply:?}");
    let reply = ask(&plane, "GET", "/", B).await;
    assert_eq!(allowed(&reply), None, "{reply:?}");
}

#[tokio::test]
async fn a_page_may_read_our_own_answers_too() {
    let nowhere = BackendTarget::Invalid {
        reason: "test".to_owned(),
    };
    let backend = echo("a").await;
    let redirect = Filter::Redirect(redirect_to("b.example"));
    let cases = [
        (with_filters(rule_to(nowhere), vec![cors()]), 500),
        (with_filters(to("none"), vec![cors()]), 503),
        (with_filters(to("a"), vec![redirect, cors()]), 302),
    ];
    for (rule, status) in cases {
        let plane = with_cors(rule, backend.at).await;
        let reply = ask(&plane, "GET", "/", A).await;
        assert_eq!(
            (reply.status, allowed(&reply)),
            (status, Some("https://a.example"))
        );
    }
}

#[tokio::test]
async fn a_preflight_is_not_redirected() {
    let redirect = Filter::Redirect(redirect_to("b.example"));
    let backend = echo("a").await;
    let plane = with_cors(with_filters(to("a"), vec![redirect, cors()]), backend.at).await;
    let reply = ask(&plane, "OPTIONS", "/", &format!("{A}{ASKS}")).await;
    assert_eq!(reply.status, 204, "{reply:?}");
}

fn redirect_to(hostname: &str) -> Redirect {
    Redirect {
        scheme: None,
        hostname: Some(hostname.to_owned()),
        port: Some(80),
        path: None,
        status: 302,
    }
}

fn shares(filters: [Vec<Filter>; 2]) -> HttpRule {
    let share = |filters| WeightedBackend {
        weight: 1,
        target: BackendTarget::Backend(backend_id("a")),
        filters,
    };
    HttpRule {
        backends: filters.map(share).into(),
        ..to("a")
    }
}

#[tokio::test]
async fn filters_of_a_backend_answer_its_share_alone() {
    let backend = echo("a").await;
    let redirect = Filter::Redirect(redirect_to("b.example"));
    for (filter, status) in [(redirect, 302), (cors(), 204)] {
        let plane = with_cors(shares([vec![filter], Vec::new()]), backend.at).await;
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(
                ask(&plane, "OPTIONS", "/x", &format!("{A}{ASKS}"))
                    .await
                    .status,
            );
        }
        seen.sort_unstable();
        let mut expected = [200, 200, status, status];
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}
