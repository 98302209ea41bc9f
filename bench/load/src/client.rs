//! A client's connection that speaks HTTP/1.1, one request at a time.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use rustls::HandshakeKind;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::http1;
use crate::target::{Target, Where};
use crate::tls::{self, Handshakes};

/// A stream of bytes, in clear text or under TLS.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Transport for T {}

/// Where connections go.
#[derive(Clone)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Endpoint {
    /// `alpn` is the protocol asked for, under TLS.
    pub(crate) fn new(target: &Where, alpn: &[u8], handshakes: Handshakes) -> Result<Self> {
        let trust = target.trust.as_deref();
        let connector = trust.map(|trust| tls::connector(trust, alpn, handshakes));
        Ok(Self {
            address: target.connect,
            tls: connector.transpose()?,
        })
    }

    /// A connection whose TLS asks for `host`, and how its handshake went.
    pub(crate) async fn connect(
        &self,
        host: &str,
    ) -> Result<(Box<dyn Transport>, Option<HandshakeKind>)> {
        let stream = TcpStream::connect(self.address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let Some(connector) = &self.tls else {
            return Ok((Box::new(stream), None));
        };
        let name = ServerName::try_from(host.to_owned())?;
        let stream = connector.connect(name, stream).await.context("handshake")?;
        let kind = stream.get_ref().1.handshake_kind();
        Ok((Box::new(stream), kind))
    }
}

/// A connection and what was read of the next answer.
pub(crate) struct Connection {
    stream: Box<dyn Transport>,
    buffer: BytesMut,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Transport>) -> Self {
        let buffer = BytesMut::with_capacity(128 * 1024);
        Self { stream, buffer }
    }

    /// Asks and reads the whole answer, which must be a success of the length asked for.
    pub(crate) async fn exchange(&mut self, target: &Target) -> Result<()> {
        self.send(target).await?;
        let head = self.answer_head().await?;
        let of = || format!("{} of {}{}", head.status, target.host, target.path);
        ensure!(head.status == 200, "status {}", of());
        ensure!(
            head.length == target.length,
            "{} bytes: {}",
            head.length,
            of()
        );
        self.body(head.length).await
    }

    pub(crate) async fn send(&mut self, target: &Target) -> Result<()> {
        self.stream.write_all(&target.request).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next head; what follows it stays in the buffer.
    pub(crate) async fn answer_head(&mut self) -> Result<http1::AnswerHead> {
        loop {
            if let Some(head) = http1::parse_answer(&self.buffer)? {
                self.buffer.advance(head.head);
                return Ok(head);
            }
            self.read_more().await?;
        }
    }

    async fn body(&mut self, length: u64) -> Result<()> {
        let mut left = length;
        loop {
            let have = self.buffer.len() as u64;
            ensure!(have <= left, "more bytes than the answer has");
            left -= have;
            self.buffer.clear();
            if left == 0 {
                return Ok(());
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> Result<()> {
        // Otherwise a buffer that was cleared keeps what `advance` left of its room.
        self.buffer.reserve(64 * 1024);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => bail!("closed within an answer"),
            _ => Ok(()),
        }
    }

    /// Waits until the other side closes.
    pub(crate) async fn closed(mut self) -> Result<()> {
        self.buffer.clear();
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Ok(()),
            // Without close_notify; all of the answer is here, so nothing was cut off.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(()),
            Ok(_) => bail!("bytes after the answer"),
            Err(error) => Err(error.into()),
        }
    }

    /// The stream, and what was read of it already.
    pub(crate) fn into_parts(self) -> (Box<dyn Transport>, BytesMut) {
        (self.stream, self.buffer)
    }
}
