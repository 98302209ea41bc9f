//! Messages echoed on gRPC streams.

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::Request;
use http::header::{CONTENT_TYPE, TE};

use crate::client::Endpoint;
use crate::echo::{self, Echo};
use crate::http1::Then;
use crate::streams::handshake;
use crate::target::{Target, Where};
use crate::tls::Handshakes;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Where,
    #[arg(long)]
    connections: usize,
    /// On each connection
    #[arg(long)]
    streams: usize,
    /// Of a message without its prefix, in bytes
    #[arg(long)]
    size: u32,
    /// How many in all
    #[arg(long)]
    messages: u64,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        target,
        connections,
        streams,
        size,
        messages,
    } = args;
    let targets = target.read_targets(Then::KeepAlive)?;
    let first = targets.first().context("no target")?;
    let endpoint = Endpoint::new(&target, b"h2", Handshakes::Full)?;
    let message = message(size);
    let mut calls = Vec::with_capacity(connections * streams);
    for _ in 0..connections {
        let (stream, _) = endpoint.connect(&first.host).await?;
        let connection = handshake(stream).await?;
        for _ in 0..streams {
            calls.push(Call::start(connection.clone(), first, message.clone()).await?);
        }
    }
    echo::run(calls, messages, size.into()).await
}

/// "Length-Prefixed-Message → Compressed-Flag Message-Length Message"
fn message(size: u32) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(size);
    message.put_bytes(b'g', size as usize);
    message.freeze()
}

/// A call whose messages go both ways.
struct Call {
    message: Bytes,
    send: SendStream<Bytes>,
    answers: RecvStream,
}

impl Call {
    /// Opens it with a first message: some proxies hold the answer back until there is a body.
    async fn start(
        connection: SendRequest<Bytes>,
        target: &Target,
        message: Bytes,
    ) -> Result<Self> {
        let request = Request::post(format!("http://{}{}", target.host, target.path))
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .body(())?;
        let (answer, mut send) = connection.ready().await?.send_request(request, false)?;
        send.send_data(message.clone(), false)?;
        let answer = answer.await?;
        ensure!(answer.status() == 200, "status {}", answer.status());
        let answers = answer.into_body();
        let mut call = Self {
            message,
            send,
            answers,
        };
        call.receive().await?;
        Ok(call)
    }

    async fn receive(&mut self) -> Result<()> {
        let mut received = 0;
        while received < self.message.len() {
            let part = self.answers.data().await.context("the stream ended")??;
            self.answers.flow_control().release_capacity(part.len())?;
            received += part.len();
        }
        ensure!(received == self.message.len(), "{received} bytes came back");
        Ok(())
    }
}

impl Echo for Call {
    async fn exchange(&mut self) -> Result<()> {
        self.send.send_data(self.message.clone(), false)?;
        self.receive().await
    }
}
