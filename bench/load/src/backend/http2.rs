//! Answers to HTTP/2: what the path asks for, or the messages of a gRPC call.

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::future::poll_fn;
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::http1::asked_length;

/// What may be on its way on a stream and on a connection, in bytes.
const WINDOW: u32 = 1024 * 1024;
const LETTERS: [u8; 16 * 1024] = [b'a'; 16 * 1024];

/// Answers until the client closes.
pub(super) async fn serve(stream: TcpStream) -> Result<()> {
    let mut connection = Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(1000)
        .handshake(stream)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        // How a stream ends is its client's business.
        spawn_local(async move { answer(request, respond).await });
    }
    Ok(())
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<()> {
    let kind = request.headers().get(CONTENT_TYPE);
    let grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if grpc {
        let head = Response::builder().header(CONTENT_TYPE, "application/grpc");
        let send = respond.send_response(head.body(())?, false)?;
        return call(request.into_body(), send).await;
    }
    let length = asked_length(request.uri().path()).unwrap_or(0);
    let head = Response::builder()
        .header(CONTENT_TYPE, "text/plain")
        .header("content-length", length)
        .body(())?;
    let mut send = respond.send_response(head, length == 0)?;
    let mut left = usize::try_from(length)?;
    while left > 0 {
        send.reserve_capacity(left.min(LETTERS.len()));
        let may = poll_fn(|context| send.poll_capacity(context)).await;
        let now = may.context("the stream ended")??.min(left);
        left -= now;
        let part = LETTERS.get(..now).unwrap_or(&LETTERS);
        send.send_data(Bytes::from_static(part), left == 0)?;
    }
    Ok(())
}

/// Sends messages back until the client has no more; then the call has succeeded.
async fn call(mut messages: RecvStream, mut send: SendStream<Bytes>) -> Result<()> {
    while let Some(part) = messages.data().await {
        let part = part?;
        messages.flow_control().release_capacity(part.len())?;
        send.send_data(part, false)?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    Ok(send.send_trailers(trailers)?)
}
