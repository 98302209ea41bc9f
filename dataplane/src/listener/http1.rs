//! HTTP/1 with a client: one request after the other.

use std::future::poll_fn;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tracing::{debug, info};

use super::accept::Entrance;
use super::connection::Connection;
use super::waiting::Waiting;
use crate::access_log::ResponseFlag;
use crate::h1::backend;
use crate::h1::client::Connection as Http1;
use crate::http::ctx::RequestCtx;
use crate::http::deadline::Timer;
use crate::http::gateway::Served;
use crate::http::message::{Arrived, ClientEnd, HeadError, Rest};
use crate::http::refusal::Refusal;
use crate::http::respond::Answer;
use crate::limits;
use crate::stream::copy::{Ending, Side, Tally, copy_both_ways};
use crate::stream::duplex::Duplex;

/// Serves a connection until it ends.
pub(crate) async fn serve(
    stream: Duplex,
    unread: BytesMut,
    mut waiting: Waiting<'_>,
    connection: &Connection,
    entrance: &Entrance,
) {
    let gateway = &entrance.worker.gateway;
    let mut http1 = Http1::new(stream, unread);
    loop {
        let arrived = match next(&mut waiting, &mut http1).await {
            Next::Request(arrived) => arrived,
            Next::Refused(refusal) => {
                let refusing = refuse(http1, connection, &mut waiting.timer, refusal);
                return Box::pin(refusing).await;
            }
            Next::Overdue => {
                let (peer, port) = (connection.peer, connection.port);
                entrance.gateway.rejected[ResponseFlag::ClientTimeout].increment();
                info!(%peer, port, "closed: the request head took too long");
                return;
            }
            Next::Nothing if http1.can_be_dropped() => return,
            Next::Nothing => return Box::pin(http1.close()).await,
        };
        let served = gateway.serve(&mut http1, *arrived, connection, &mut waiting.timer);
        match served.await {
            Served::Over if http1.can_go_on() => {}
            Served::Over if http1.can_be_dropped() => return,
            // Boxed, as all that happens once, so that idle connections have no room for it.
            Served::Over => return Box::pin(http1.close()).await,
            Served::Tunnel { backend, ctx } => {
                return Box::pin(tunnel(http1, *backend, *ctx)).await;
            }
        }
    }
}

/// What follows on a connection.
enum Next {
    Request(Box<Arrived>),
    /// No request, but something to be answered.
    Refused(Refusal),
    /// The head takes too long.
    Overdue,
    /// The client has gone or is not to be waited for any more.
    Nothing,
}

async fn next(waiting: &mut Waiting<'_>, http1: &mut Http1) -> Next {
    let (mut idle_until, mut head_until) = (None, None);
    poll_fn(|cx| {
        if let Poll::Ready(head) = http1.poll_head(cx) {
            return Poll::Ready(match head {
                Ok(Some(arrived)) => Next::Request(Box::new(arrived)),
                Ok(None) | Err(HeadError::Gone(_)) => Next::Nothing,
                Err(HeadError::Refused(refusal)) => Next::Refused(refusal),
            });
        }
        if http1.is_idle() {
            let over = waiting.poll_over(&mut idle_until, cx);
            return over.map(|()| Next::Nothing);
        }
        let until = *head_until.get_or_insert_with(|| Instant::now() + limits::HEADER_READ_TIMEOUT);
        waiting.timer.poll_at(until, cx).map(|()| Next::Overdue)
    })
    .await
}

/// Answers what is no request. It is counted, but not in the access log: there is nothing to log.
async fn refuse(mut http1: Http1, connection: &Connection, timer: &mut Timer, refusal: Refusal) {
    connection.gateway.rejected[refusal.flag()].increment();
    debug!(peer = %connection.peer, ?refusal, "refused a request head");
    if let Some(Answer {
        head,
        body,
        afterwards,
    }) = Answer::refusal(refusal)
    {
        http1.close_after(afterwards);
        http1.send_head(head, Rest::More);
        http1.send_data(body.into(), Rest::Nothing);
        let until = Instant::now() + limits::RESPONSE_WRITE_TIMEOUT;
        let flushed = poll_fn(|cx| match http1.poll_flush(cx) {
            Poll::Pending => timer.poll_at(until, cx),
            // Whether it got there changes nothing.
            Poll::Ready(Ok(()) | Err(_)) => Poll::Ready(()),
        });
        flushed.await;
    }
    http1.close().await;
}

/// Joins a client and a backend that have agreed on a protocol of their own.
async fn tunnel(client: Http1, backend: backend::Connection, mut ctx: RequestCtx<'_>) {
    let (mut client, from_client) = client.into_parts();
    let (mut backend, from_backend) = backend.into_parts();
    let ending = match pass_on(&mut ctx, Side::Backend, &from_backend, &mut client).await {
        Ok(()) => match pass_on(&mut ctx, Side::Client, &from_client, &mut backend).await {
            Ok(()) => copy_both_ways(&mut client, Box::default(), &mut backend, &mut ctx).await,
            Err(error) => Ending::Failed {
                side: Side::Backend,
                error,
            },
        },
        Err(error) => Ending::Failed {
            side: Side::Client,
            error,
        },
    };
    ctx.refusal = match ending {
        Ending::Complete | Ending::Stale => None,
        Ending::Failed {
            side: Side::Client, ..
        } => Some(Refusal::ClientGone),
        Ending::Failed {
            side: Side::Backend,
            ..
        } => Some(Refusal::BackendClosed),
    };
    ctx.finish();
}

/// Passes on what was read behind a head.
async fn pass_on(
    ctx: &mut RequestCtx<'_>,
    from: Side,
    bytes: &[u8],
    to: &mut Duplex,
) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    to.write_all(bytes).await?;
    to.flush().await?;
    ctx.passed_on(from, bytes.len());
    Ok(())
}

impl Tally for RequestCtx<'_> {
    fn passed_on(&mut self, side: Side, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match side {
            Side::Client => self.bytes_in += bytes,
            Side::Backend => self.bytes_out += bytes,
        }
    }
}
