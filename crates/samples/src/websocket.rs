//! A WebSocket that sends back what it gets (RFC 6455), enough of it for demos and tests: no
//! extensions, frames up to [`MAX_PAYLOAD`].

mod frame;
mod key;

use std::io;

use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::app::text;
use crate::body::{Body, full};
use frame::{Head, Opcode};

/// The longest payload of a frame that is sent back.
const MAX_PAYLOAD: u64 = 1024 * 1024;

/// "1002 indicates that an endpoint is terminating the connection due to a protocol error."
const PROTOCOL_ERROR: u16 = 1002;

/// "1009 [...] it has received a message that is too big for it to process."
const TOO_BIG: u16 = 1009;

/// Answers an opening handshake. The WebSocket lives until its client leaves, also when the server
/// is stopped.
pub(crate) fn accept(mut request: Request<Incoming>) -> Response<Body> {
    let headers = request.headers();
    let key = headers.get(SEC_WEBSOCKET_KEY).cloned();
    let (true, true, Some(key)) = (
        has_token(headers, &UPGRADE, "websocket"),
        has_token(headers, &CONNECTION, "upgrade"),
        key,
    ) else {
        return upgrade_required();
    };
    tokio::spawn(serve(hyper::upgrade::on(&mut request)));
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::try_from(key::accept(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|found| found.trim().eq_ignore_ascii_case(token))
}

fn upgrade_required() -> Response<Body> {
    let mut response = text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket\n");
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

async fn serve(upgrade: OnUpgrade) {
    if let Ok(upgraded) = upgrade.await {
        // How it ends is the client's business.
        let _ = echo(TokioIo::new(upgraded)).await;
    }
}

/// Sends back frames until the peer closes or breaks the rules.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    loop {
        let Some(head) = read_head(&mut stream).await? else {
            return close(&mut stream, PROTOCOL_ERROR).await;
        };
        if head.length > MAX_PAYLOAD {
            return close(&mut stream, TOO_BIG).await;
        }
        let mut payload = Vec::new();
        let mut limited = (&mut stream).take(head.length);
        if limited.read_to_end(&mut payload).await? as u64 != head.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.unmask(&mut payload);
        let (opcode, last) = match head.opcode {
            Opcode::Ping => (Opcode::Pong, false),
            Opcode::Pong => continue,
            Opcode::Close => (Opcode::Close, true),
            opcode @ (Opcode::Continuation | Opcode::Text | Opcode::Binary) => (opcode, false),
        };
        let frame = frame::encode(head.end, opcode, &payload);
        stream.write_all(&frame).await?;
        stream.flush().await?;
        if last {
            return stream.shutdown().await;
        }
    }
}

/// A frame's head; `None` if it breaks the rules.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Head>> {
    let mut bytes = [0; frame::LONGEST_HEAD];
    let mut have = 0;
    loop {
        let so_far = bytes.get(..have).unwrap_or_default();
        match frame::parse(so_far) {
            frame::Parsed::Head(head) => return Ok(Some(head)),
            frame::Parsed::Invalid => return Ok(None),
            frame::Parsed::More(needed) => {
                let more = bytes.get_mut(have..needed).unwrap_or_default();
                stream.read_exact(more).await?;
                have = needed;
            }
        }
    }
}

async fn close(stream: &mut (impl AsyncWrite + Unpin), code: u16) -> io::Result<()> {
    let frame = frame::encode(frame::End::Final, Opcode::Close, &code.to_be_bytes());
    stream.write_all(&frame).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests;
