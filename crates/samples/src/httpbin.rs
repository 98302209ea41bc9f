//! The httpbin sample: answers as the request asks, and says what it was asked.

mod echo;
mod path;
mod teapot;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};

use crate::app::{text, typed};
use crate::body::{Body, Length, SeededBytes, full};
use crate::websocket;
use echo::Echo;
use path::Endpoint;

/// The longest delay.
const MAX_DELAY: f64 = 10.0;

/// The longest body of `/bytes` and `/stream-bytes`.
const MAX_BYTES: u64 = 100 * 1024 * 1024;

/// The most lines of `/stream`.
const MAX_LINES: u64 = 1000;

/// The piece in which bytes are sent when the request does not say.
const CHUNK: usize = 16 * 1024;

/// The largest piece a request may ask for.
const MAX_CHUNK: u64 = 1024 * 1024;

const HTML: &str = include_str!("httpbin/page.html");

/// Answers one request of the client at `peer`.
pub(crate) async fn answer(request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
    let Some(endpoint) = Endpoint::parse(request.uri().path()) else {
        return text(StatusCode::NOT_FOUND, "not found\n");
    };
    if let Some(allowed) = endpoint.other_method_than(request.method()) {
        return method_not_allowed(allowed);
    }
    match endpoint {
        Endpoint::Status(code) => status(code),
        Endpoint::Delay(seconds) => delayed(request, peer, seconds).await,
        Endpoint::Headers => json(&json!({ "headers": echo::headers(request.headers()) })),
        Endpoint::Get => json(&Echo::of(&request, peer).without_body()),
        Endpoint::Anything | Endpoint::Post => echo(request, peer).await,
        Endpoint::Bytes(n) => bytes(&request, n, Length::Declared),
        Endpoint::StreamBytes(n) => bytes(&request, n, Length::Open),
        Endpoint::Stream(n) => lines(&Echo::of(&request, peer).without_body(), n),
        Endpoint::Ip => json(&json!({ "origin": echo::origin(request.headers(), peer) })),
        Endpoint::UserAgent => json(&json!({
            "user-agent": echo::values(request.headers(), "user-agent")
        })),
        Endpoint::Html => typed(StatusCode::OK, "text/html; charset=utf-8", HTML),
        Endpoint::WebSocket => websocket::accept(request),
    }
}

/// Any final status; 418 brings the teapot.
fn status(code: u16) -> Response<Body> {
    match StatusCode::from_u16(code) {
        Ok(StatusCode::IM_A_TEAPOT) => text(StatusCode::IM_A_TEAPOT, teapot::TEAPOT),
        Ok(status) if (200..600).contains(&code) => {
            let mut response = Response::new(full(Bytes::new()));
            *response.status_mut() = status;
            response
        }
        _ => text(StatusCode::BAD_REQUEST, "a status is 200 to 599\n"),
    }
}

async fn delayed(request: Request<Incoming>, peer: IpAddr, seconds: f64) -> Response<Body> {
    let delay = Duration::try_from_secs_f64(seconds.min(MAX_DELAY)).unwrap_or_default();
    tokio::time::sleep(delay).await;
    json(&Echo::of(&request, peer).without_body())
}

async fn echo(request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
    let echo = Echo::of(&request, peer);
    match echo::read(request.into_body()).await {
        Ok(content) => json(&echo.with_body(&content)),
        Err(_) => text(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "more than {} bytes, or not sent to the end\n",
                echo::MAX_ECHO
            ),
        ),
    }
}

/// `?seed=` decides the bytes, `?chunk_size=` the pieces.
fn bytes(request: &Request<Incoming>, n: u64, length: Length) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let number = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse::<u64>().ok()
    };
    let chunk = number("chunk_size").map(|chunk| chunk.min(MAX_CHUNK));
    let chunk = chunk.and_then(|chunk| usize::try_from(chunk).ok());
    let seed = number("seed").unwrap_or_default();
    let body = SeededBytes::new(n.min(MAX_BYTES), chunk.unwrap_or(CHUNK), seed, length);
    let mut response = Response::new(body.boxed());
    let octets = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, octets);
    response
}

/// The same document `n` times, numbered, each a line and a piece of its own.
fn lines(document: &Value, n: u64) -> Response<Body> {
    let document = document.clone();
    let lines = (0..n.min(MAX_LINES)).map(move |id| {
        let mut document = document.clone();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("id".to_owned(), id.into());
        }
        Ok(Frame::data(Bytes::from(format!("{document}\n"))))
    });
    let mut response = Response::new(StreamBody::new(stream::iter(lines)).boxed());
    let lines = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, lines);
    response
}

fn json(value: &Value) -> Response<Body> {
    typed(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

fn method_not_allowed(allowed: &Method) -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("{allowed} only\n"));
    if let Ok(allowed) = HeaderValue::from_str(allowed.as_str()) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}
