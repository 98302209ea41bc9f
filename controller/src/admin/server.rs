//! The admin port's sockets.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{AdminState, Page, text};

/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// For a request's head, from the end of the one before: also the keep-alive time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long accepting rests after it failed (the process is out of descriptors, most likely).
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// Serves the pages on `listener`, for ever.
pub async fn serve(listener: TcpListener, state: Arc<AdminState>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&state), permit));
            }
            Err(error) => {
                tracing::warn!(%error, "admin port: accept failed");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<AdminState>, _permit: OwnedSemaphorePermit) {
    let service = service_fn(|request: Request<_>| {
        let page = answer(&state, request.method(), request.uri().path());
        ready(Ok::<_, Infallible>(page.into_response()))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        tracing::debug!(%error, "admin port: connection");
    }
}

pub(super) fn answer(state: &AdminState, method: &Method, path: &str) -> Page {
    if matches!(*method, Method::GET | Method::HEAD) {
        state.page(path)
    } else {
        text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n")
    }
}

impl Page {
    /// As HTTP. Bodies of `HEAD` are left out by hyper.
    fn into_response(self) -> Response<Full<Bytes>> {
        let Self {
            status,
            content_type,
            body,
        } = self;
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}
