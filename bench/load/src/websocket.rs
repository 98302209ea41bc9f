//! Messages echoed on WebSockets (RFC 6455), of a length that takes two bytes, masked with zeros: it
//! is what is between client and backend that is measured.

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Connection, Endpoint, Transport};
use crate::echo::{self, Echo};
use crate::http1::Then;
use crate::target::{Target, Where};
use crate::tls::Handshakes;

/// The head of a final binary frame whose length is in the next two bytes.
const BINARY: [u8; 2] = [0x82, 126];
const MASKED: u8 = 0x80;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Where,
    #[arg(long)]
    connections: usize,
    /// Of a message, in bytes
    #[arg(long, value_parser = clap::value_parser!(u16).range(126..))]
    size: u16,
    /// How many in all
    #[arg(long)]
    messages: u64,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        target,
        connections,
        size,
        messages,
    } = args;
    let targets = target.read_targets(Then::WebSocket)?;
    let first = targets.first().context("no target")?;
    let endpoint = Endpoint::new(&target, b"http/1.1", Handshakes::Full)?;
    let message: Rc<Message> = Message::new(size).into();
    let mut sockets = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut socket = Socket {
            stream: upgrade(&endpoint, first).await?,
            message: Rc::clone(&message),
        };
        socket.exchange().await?;
        sockets.push(socket);
    }
    echo::run(sockets, messages, size.into()).await
}

async fn upgrade(endpoint: &Endpoint, target: &Target) -> Result<Box<dyn Transport>> {
    let (stream, _) = endpoint.connect(&target.host).await?;
    let mut connection = Connection::new(stream);
    connection.send(target).await?;
    let head = connection.answer_head().await?;
    ensure!(head.status == 101, "status {} to an upgrade", head.status);
    let (stream, read) = connection.into_parts();
    ensure!(read.is_empty(), "bytes before the first message");
    Ok(stream)
}

/// A message as it is sent, and as it must come back.
struct Message {
    sent: Bytes,
    expected: Bytes,
}

impl Message {
    fn new(size: u16) -> Self {
        let [first, second] = BINARY;
        let payload = vec![b'm'; size.into()];
        let mut sent = BytesMut::new();
        sent.put_slice(&[first, second | MASKED]);
        sent.put_u16(size);
        sent.put_u32(0);
        sent.put_slice(&payload);
        let mut expected = BytesMut::new();
        expected.put_slice(&BINARY);
        expected.put_u16(size);
        expected.put_slice(&payload);
        Self {
            sent: sent.freeze(),
            expected: expected.freeze(),
        }
    }
}

struct Socket {
    stream: Box<dyn Transport>,
    message: Rc<Message>,
}

impl Echo for Socket {
    async fn exchange(&mut self) -> Result<()> {
        let Self { stream, message } = self;
        stream.write_all(&message.sent).await?;
        stream.flush().await?;
        let mut answer = BytesMut::with_capacity(message.expected.len());
        while answer.len() < message.expected.len() {
            let read = stream.read_buf(&mut answer).await?;
            ensure!(read > 0, "closed within a message");
        }
        ensure!(answer == message.expected, "another message came back");
        Ok(())
    }
}
