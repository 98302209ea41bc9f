//! A client that sends exactly what it is told.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Lower case, status line first.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let name = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&name))
    }

    /// The value of a header of the request as the echo backend saw it.
    pub(crate) fn seen(&self, name: &str) -> Option<&str> {
        let name = format!("{name}: ");
        let head = self.body.split("\n\n").next().unwrap();
        head.lines().find_map(|line| line.strip_prefix(&name))
    }
}

/// One HTTP/1 connection.
pub(crate) struct Connection<S = TcpStream>(pub(crate) BufReader<S>);

impl Connection {
    pub(crate) async fn open(at: SocketAddr) -> Self {
        Self::over(TcpStream::connect(at).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next answer; `None` when the connection is closed.
    pub(crate) async fn receive(&mut self) -> Option<Reply> {
        let head = self.head().await?;
        let status = head[9..12].parse().unwrap();
        let field = |name: &str| {
            let name = format!("\n{name}: ");
            let value = head
                .split_once(&name)
                .map(|(_, rest)| rest.lines().next().unwrap());
            value.map(str::to_owned)
        };
        let body = if matches!(status, 100..200 | 204 | 304) {
            Vec::new()
        } else if field("transfer-encoding").is_some() {
            self.chunked().await
        } else {
            let length = field("content-length").unwrap().parse().unwrap();
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.unwrap();
            body
        };
        Some(Reply {
            status,
            head,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    pub(crate) async fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        Some(
            String::from_utf8(head)
                .unwrap()
                .replace('\r', "")
                .to_lowercase(),
        )
    }

    async fn chunked(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.push(self.0.read_u8().await.unwrap());
            }
            let size = std::str::from_utf8(&size).unwrap().trim();
            let size = usize::from_str_radix(size, 16).unwrap();
            let start = body.len();
            body.resize(start + size + 2, 0);
            self.0.read_exact(&mut body[start..]).await.unwrap();
            body.truncate(start + size);
            if size == 0 {
                return body;
            }
        }
    }

    pub(crate) async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        self.send(bytes).await;
        self.receive().await.unwrap()
    }

    /// Whether the peer has closed, with nothing more to read.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        // A reset says "closed" too.
        matches!(self.0.read_to_end(&mut rest).await, Ok(0) | Err(_)) && rest.is_empty()
    }
}

/// `GET path` for `host` on a connection of its own.
pub(crate) async fn get(at: SocketAddr, host: &str, path: &str) -> Reply {
    Connection::open(at)
        .await
        .exchange(get_request(host, path))
        .await
}

pub(crate) fn get_request(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}
