//! From a request to a page.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::{AdminState, host, render};
use crate::metrics;

const PATHS: &str = "\
/healthz   200 while the process runs
/readyz    200 when the configuration is applied and all ports are bound
/metrics   Prometheus metrics
/config    what is loaded, as JSON; ?format=text for people
/status    the statuses of the configuration's objects, as JSON
";

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Who can reach the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Bound to a loopback address.
    ThisHost,
    /// Bound to any other.
    Network,
    /// Meant for the network: health and metrics alone.
    Health,
}

/// An answer before it is HTTP.
struct Page {
    status: StatusCode,
    content_type: &'static str,
    body: String,
}

/// Answers a request. Bodies of `HEAD` are left out by hyper.
pub(super) fn answer<B>(
    request: &Request<B>,
    state: &AdminState,
    reach: Reach,
) -> Response<Full<Bytes>> {
    let Page {
        status,
        content_type,
        body,
    } = page(request, state, reach);
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn page<B>(request: &Request<B>, state: &AdminState, reach: Reach) -> Page {
    let host = request
        .headers()
        .get(HOST)
        .map(|host| host.to_str().unwrap_or(""));
    if reach == Reach::ThisHost && !host::is_local(host) {
        let message = "this port answers to localhost and IP addresses only\n";
        return text(StatusCode::FORBIDDEN, message);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
    }
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" => readiness(state),
        "/metrics" => Page {
            status: StatusCode::OK,
            content_type: metrics::CONTENT_TYPE,
            body: state.metrics.exposition(),
        },
        _ if reach == Reach::Health => text(StatusCode::NOT_FOUND, "not found\n"),
        "/config" => config(state, request.uri().query().unwrap_or_default()),
        "/status" => status(state),
        "/" => text(StatusCode::OK, PATHS),
        _ => text(
            StatusCode::NOT_FOUND,
            format!("not found; there is\n{PATHS}"),
        ),
    }
}

fn readiness(state: &AdminState) -> Page {
    let readiness = state.readiness();
    if readiness.is_ready() {
        return text(StatusCode::OK, "ready\n");
    }
    let missing = readiness.missing.join("\n- ");
    text(
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready:\n- {missing}\n"),
    )
}

fn config(state: &AdminState, query: &str) -> Page {
    let loaded = state.loaded();
    if query.split('&').any(|pair| pair == "format=text") {
        return text(StatusCode::OK, render(&loaded, now()));
    }
    json(&json!({ "gateways": loaded }))
}

fn status(state: &AdminState) -> Page {
    let page = state.status.lock().clone();
    match page {
        Some(page) => json(&page()),
        None => text(StatusCode::NOT_FOUND, "no statuses are kept here\n"),
    }
}

fn json(value: &serde_json::Value) -> Page {
    Page {
        status: StatusCode::OK,
        content_type: JSON,
        body: format!("{value:#}\n"),
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Page {
    Page {
        status,
        content_type: TEXT,
        body: body.into(),
    }
}

fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
