//! The backend of all proxies: answers from memory, by path, and echoes.
//!
//! `/any/b1024` gets 1,024 bytes; `/any/echo` gets the head of its own request; any WebSocket and
//! any gRPC call gets its messages back; a datagram comes back. HTTP/1.1, HTTP/2 with prior
//! knowledge and WebSockets are on one port.

mod http1;
mod http2;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use crate::tls;
use http1::Bodies;

/// What every connection that speaks HTTP/2 with prior knowledge begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long accepting rests after it failed.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// HTTP in clear text
    #[arg(long)]
    http: SocketAddr,
    /// The same, and what it echoes says so
    #[arg(long)]
    canary: SocketAddr,
    /// HTTP/1.1 under TLS
    #[arg(long)]
    https: SocketAddr,
    /// Datagrams
    #[arg(long)]
    udp: SocketAddr,
    #[arg(long)]
    certificate: PathBuf,
    #[arg(long)]
    key: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        http,
        canary,
        https,
        udp,
        certificate,
        key,
    } = args;
    let acceptor = tls::acceptor(&certificate, &key)?;
    let http = TcpListener::bind(http).await?;
    let canary = TcpListener::bind(canary).await?;
    let https = TcpListener::bind(https).await?;
    let udp = UdpSocket::bind(udp).await?;
    tokio::try_join!(
        clear_text(http, Rc::new(Bodies::new("app"))),
        clear_text(canary, Rc::new(Bodies::new("canary"))),
        under_tls(https, acceptor, Rc::new(Bodies::new("app"))),
        echo(udp),
    )?;
    Ok(())
}

async fn clear_text(listener: TcpListener, bodies: Rc<Bodies>) -> Result<()> {
    loop {
        let stream = accept(&listener).await;
        let bodies = Rc::clone(&bodies);
        // How a connection ends is its client's business.
        spawn_local(async move {
            if speaks_http2(&stream).await? {
                http2::serve(stream).await
            } else {
                http1::serve(stream, &bodies).await
            }
        });
    }
}

async fn under_tls(listener: TcpListener, acceptor: TlsAcceptor, bodies: Rc<Bodies>) -> Result<()> {
    loop {
        let stream = accept(&listener).await;
        let (acceptor, bodies) = (acceptor.clone(), Rc::clone(&bodies));
        spawn_local(async move {
            let stream = acceptor.accept(stream).await?;
            http1::serve(stream, &bodies).await
        });
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        let accepted = listener.accept().await;
        match accepted.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return stream,
            Err(_) => tokio::time::sleep(ACCEPT_BACK_OFF).await,
        }
    }
}

/// HTTP/1.1 has no method that begins as the preface does, up to its fourth byte.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; 4];
    loop {
        let peeked = stream.peek(&mut start).await?;
        let seen = start.get(..peeked).unwrap_or_default();
        if peeked == start.len() || !PREFACE.starts_with(seen) || seen.is_empty() {
            return Ok(PREFACE.starts_with(seen));
        }
        tokio::task::yield_now().await;
    }
}

async fn echo(socket: UdpSocket) -> Result<()> {
    let mut buffer = [0; 2048];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue; // a client that is gone
        };
        let _ = socket
            .send_to(buffer.get(..length).unwrap_or_default(), from)
            .await;
    }
}
