use http::Method;

use super::server::answer;
use super::*;

fn state() -> AdminState {
    AdminState {
        controller: "controller-0".to_owned(),
        metrics: Metrics::new(),
        streams: Arc::default(),
        leadership: Leadership::none(),
        sessions: Sessions::default(),
        awaited: Awaited::new(["HTTPRoute".to_owned(), "Secret".to_owned()]),
        queue: mpsc::channel(1).0.downgrade(),
    }
}

#[test]
fn a_replica_is_ready_when_all_that_was_awaited_has_happened() {
    let state = state();
    state.awaited.happened("Secret");
    let page = answer(&state, &Method::GET, "/readyz");
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.body, "not ready; awaited:\n- HTTPRoute\n");
    state.awaited.happened("HTTPRoute");
    assert_eq!(
        answer(&state, &Method::GET, "/readyz").status,
        StatusCode::OK
    );
}

#[test]
fn pages_are_for_reading() {
    let status = |method: Method, path| answer(&state(), &method, path).status;
    assert_eq!(status(Method::GET, "/healthz"), StatusCode::OK);
    assert_eq!(status(Method::HEAD, "/metrics"), StatusCode::OK);
    assert_eq!(status(Method::GET, "/sessions"), StatusCode::OK);
    assert_eq!(status(Method::GET, "/secrets"), StatusCode::NOT_FOUND);
    let posted = status(Method::POST, "/healthz");
    assert_eq!(posted, StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn a_metric_has_one_family() {
    let text = state().exposition();
    let mut names: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{text}");
}
