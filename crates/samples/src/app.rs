//! What a sample server can be.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::body::{Body, full};
use crate::httpbin;

/// An application to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum App {
    /// Answers as the request asks, and says what it was asked.
    Httpbin,
    /// Greets with its version and instance at `/hello`.
    Helloworld(Helloworld),
    /// Answers every request 200 with this text.
    Text(String),
}

/// The helloworld sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helloworld {
    /// Which version it says it is, such as `v1`.
    pub version: String,
    /// Which instance it says it is: the pod's or host's name.
    pub instance: String,
}

impl App {
    /// Answers one request of the client at `peer`.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        match self {
            Self::Httpbin => httpbin::answer(request, peer).await,
            Self::Helloworld(app) => app.answer(request.uri().path()),
            Self::Text(answer) => text(StatusCode::OK, answer.clone()),
        }
    }
}

impl Helloworld {
    fn answer(&self, path: &str) -> Response<Body> {
        let Self { version, instance } = self;
        match path {
            "/hello" => text(
                StatusCode::OK,
                format!("Hello version: {version}, instance: {instance}\n"),
            ),
            "/health" => text(StatusCode::OK, "Helloworld is healthy\n"),
            _ => text(StatusCode::NOT_FOUND, "not found; there is /hello\n"),
        }
    }
}

/// A plain text answer.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", text)
}

/// An answer of a given media type.
pub(crate) fn typed(
    status: StatusCode,
    content_type: &'static str,
    content: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(full(content));
    *response.status_mut() = status;
    let value = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    response
}
