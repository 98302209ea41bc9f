//! Answers to HTTP/1.1.

use std::cell::RefCell;
use std::collections::HashMap;

use anyhow::{Result, ensure};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::websocket;
use crate::http1::{self, RequestHead, Then};

/// The longest body that is made, in bytes.
const LONGEST: u64 = 16 * 1024 * 1024;

/// Whole answers, made when they are first asked for.
#[derive(Debug)]
pub(super) struct Bodies {
    name: &'static str,
    by_length: RefCell<HashMap<u64, Bytes>>,
}

impl Bodies {
    /// `name` is said with what is echoed.
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            by_length: RefCell::default(),
        }
    }

    fn answer(&self, head: &[u8], path: &str) -> Bytes {
        match http1::asked_length(path) {
            Some(length) => {
                let length = length.min(LONGEST);
                let mut made = self.by_length.borrow_mut();
                let answer = made.entry(length).or_insert_with(|| self.filled(length));
                answer.clone()
            }
            None => self.around(head),
        }
    }

    fn filled(&self, length: u64) -> Bytes {
        let body: Vec<u8> = (b'a'..=b'z')
            .cycle()
            .zip(0..length)
            .map(|(byte, _)| byte)
            .collect();
        self.around(&body)
    }

    fn around(&self, body: &[u8]) -> Bytes {
        let (name, length) = (self.name, body.len());
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Backend: {name}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat().into()
    }
}

/// Answers until the client closes or asks for it.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bodies: &Bodies,
) -> Result<()> {
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    loop {
        let Some(RequestHead {
            path,
            length,
            head,
            then,
        }) = http1::parse_request(&buffer)?
        else {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        if then == Then::WebSocket {
            buffer.advance(head);
            return websocket::serve(stream, buffer).await;
        }
        let answer = bodies.answer(buffer.get(..head).unwrap_or_default(), path);
        buffer.advance(head);
        discard(&mut stream, &mut buffer, length).await?;
        stream.write_all(&answer).await?;
        stream.flush().await?;
        if then == Then::Close {
            return Ok(stream.shutdown().await?);
        }
        if buffer.is_empty() {
            buffer.clear();
        }
        buffer.reserve(8 * 1024);
    }
}

/// Reads the body of a request.
async fn discard(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    mut left: u64,
) -> Result<()> {
    loop {
        let have = left.min(buffer.len() as u64);
        left -= have;
        buffer.advance(usize::try_from(have)?);
        if left == 0 {
            return Ok(());
        }
        buffer.reserve(64 * 1024);
        ensure!(
            stream.read_buf(buffer).await? > 0,
            "closed within a request"
        );
    }
}
