//! gRPC calls, over HTTP/2 on both sides.
//!
//! pingora's own way reads no answer while it waits for room to send the request on. Where messages
//! go both ways, a call can then stand still for ever: the backend reads no more for lack of room
//! to answer, and we read no answer for lack of room to send. Here the answer is read whatever the
//! request waits for. The reverse is as in pingora: a client that leaves its answer unread, up to
//! the windows' size, is not heard until it reads on. All else is as pingora does it too, and calls
//! the same phases.

use std::pin::pin;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt, stream};
use h2::SendStream;
use http::uri::{Authority, Parts, Scheme};
use http::{Uri, Version, header};
use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::HttpTask;
use pingora_core::protocols::http::client::HttpSession as ClientSession;
use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_core::protocols::http::v2::write_body;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::{HttpPeer, Peer};
use pingora_error::{Error, ErrorSource, ErrorType, OrErr, Result};
use pingora_http::RequestHeader;
use pingora_proxy::{ProxyHttp, Session};

use super::ctx::RequestCtx;
use super::proxy::Gateway;
use crate::limits;

/// The connections of one worker that calls go over.
pub(crate) struct Calls(Connector);

impl Calls {
    pub(crate) fn new(conf: &ServerConf) -> Self {
        Self(Connector::new(Some(ConnectorOptions::from_server_conf(
            conf,
        ))))
    }
}

/// Serves a call whose backend is chosen.
pub(super) async fn serve(
    gateway: &Gateway,
    session: &mut Session,
    ctx: &mut RequestCtx,
) -> Result<()> {
    let mut retries = limits::MAX_RETRIES;
    loop {
        let peer = gateway.upstream_peer(session, ctx).await?;
        match attempt(gateway, &peer, session, ctx).await {
            Err(error) if error.retry() && retries > 0 => retries -= 1,
            done => return done,
        }
    }
}

async fn attempt(
    gateway: &Gateway,
    peer: &HttpPeer,
    session: &mut Session,
    ctx: &mut RequestCtx,
) -> Result<()> {
    let connector = &gateway.calls().0;
    let (mut backend, reused) = match connector.get_http_session(peer).await {
        Ok((ClientSession::H2(backend), reused)) => (backend, reused),
        Ok(_) => return Err(Error::explain(ErrorType::H2Error, "no HTTP/2").into_up()),
        Err(mut error) => {
            error.as_up();
            return Err(gateway.fail_to_connect(session, peer, ctx, error).into_up());
        }
    };
    let done = exchange(gateway, peer, &mut backend, session, ctx).await;
    if done.as_ref().is_err_and(|error| is_silence(error)) {
        // It may hang, and nothing else would tell: no further call goes there.
        backend.conn.mark_shutdown();
    }
    let backend = ClientSession::H2(backend);
    let idle = peer.idle_timeout();
    connector.release_http_session(backend, peer, idle).await;
    done.map_err(|error| gateway.error_while_proxy(peer, session, error, ctx, reused))
}

fn is_silence(error: &Error) -> bool {
    *error.esource() == ErrorSource::Upstream && *error.etype() == ErrorType::ReadTimedout
}

/// What happens next in a call.
enum Event {
    /// A piece of the request came.
    Asked(Result<Option<Bytes>>),
    /// One was sent on.
    Sent(Result<Option<SendStream<Bytes>>>),
    /// A piece of the answer came; none comes after the last.
    Answered(Option<Result<HttpTask>>),
    /// The client has gone.
    Closed,
}

async fn exchange(
    gateway: &Gateway,
    peer: &HttpPeer,
    backend: &mut Http2Session,
    session: &mut Session,
    ctx: &mut RequestCtx,
) -> Result<()> {
    let mut upload = begin(gateway, peer, backend, session, ctx).await?;
    let mut answer = pin!(answer(backend));
    loop {
        let event = {
            let client = session.as_downstream_mut();
            match &mut upload {
                Upload::Waiting(_) => tokio::select! {
                    piece = client.read_body_or_idle(false) => Event::Asked(piece),
                    task = answer.next() => Event::Answered(task),
                },
                Upload::Sending(sending) => match client.watch_h2_stream_close() {
                    Some(closed) => tokio::select! {
                        sent = sending => Event::Sent(sent),
                        task = answer.next() => Event::Answered(task),
                        _ = closed => Event::Closed,
                    },
                    None => Event::Closed,
                },
                Upload::Over => tokio::select! {
                    piece = client.read_body_or_idle(true) => Event::Asked(piece),
                    task = answer.next() => Event::Answered(task),
                },
            }
        };
        match event {
            Event::Asked(piece) => {
                let piece = piece.map_err(Error::into_down)?;
                upload = upload.send(gateway, peer, piece, session, ctx).await?;
            }
            Event::Sent(Err(error)) if *error.etype() == ErrorType::WriteTimedout => {
                return Err(error.into_up());
            }
            // What else the backend has against the rest is in its answer.
            Event::Sent(sent) => upload = Upload::after(sent.ok().flatten()),
            Event::Answered(Some(task)) => {
                if pass(gateway, task?, session, ctx).await? {
                    return Ok(());
                }
            }
            Event::Answered(None) => return Ok(()),
            Event::Closed => {
                let closed = Error::explain(ErrorType::H2Error, "the client closed the stream");
                return Err(closed.into_down());
            }
        }
    }
}

/// Sends the head, and what is kept of the body of an attempt before.
async fn begin(
    gateway: &Gateway,
    peer: &HttpPeer,
    backend: &mut Http2Session,
    session: &mut Session,
    ctx: &mut RequestCtx,
) -> Result<Upload> {
    let mut head = session.req_header().clone();
    gateway
        .upstream_request_filter(session, &mut head, ctx)
        .await?;
    set_target(&mut head, ctx).or_err(ErrorType::InvalidHTTPHeader, "the call's target")?;
    let client = session.as_downstream_mut();
    let is_empty = client.is_body_empty();
    client.enable_retry_buffering();
    let kept = client.get_retry_buffer();
    backend.read_timeout = peer.options.read_timeout;
    backend
        .write_request_header(Box::new(head), is_empty)
        .map_err(Error::into_up)?;
    let upload = Upload::after(backend.take_request_body_writer().filter(|_| !is_empty));
    match kept {
        Some(kept) => upload.send(gateway, peer, Some(kept), session, ctx).await,
        None => Ok(upload),
    }
}

/// HTTP/2 has no Host; one that a filter set is the authority.
fn set_target(head: &mut RequestHeader, ctx: &RequestCtx) -> Result<(), http::Error> {
    let host = head.remove_header(&header::HOST);
    let mut parts: Parts = head.uri.clone().into_parts();
    if let Some(host) = host {
        parts.authority = Some(Authority::try_from(host.as_bytes())?);
    }
    parts.scheme = Some(match ctx.over_tls {
        Some(_) => Scheme::HTTPS,
        None => Scheme::HTTP,
    });
    head.set_uri(Uri::from_parts(parts)?);
    head.set_version(Version::HTTP_2);
    Ok(())
}

/// The way of the request's messages.
enum Upload {
    /// For the next piece.
    Waiting(SendStream<Bytes>),
    /// A piece is sent as there is room for it.
    Sending(BoxFuture<'static, Result<Option<SendStream<Bytes>>>>),
    /// All is sent, or nothing more can be.
    Over,
}

impl Upload {
    fn after(left: Option<SendStream<Bytes>>) -> Self {
        left.map_or(Self::Over, Self::Waiting)
    }

    /// Sends a piece on; `None` is the end.
    async fn send(
        self,
        gateway: &Gateway,
        peer: &HttpPeer,
        mut piece: Option<Bytes>,
        session: &mut Session,
        ctx: &mut RequestCtx,
    ) -> Result<Self> {
        let Self::Waiting(mut stream) = self else {
            return Ok(self);
        };
        let is_last = session.is_body_done();
        gateway
            .request_body_filter(session, &mut piece, is_last, ctx)
            .await?;
        let is_last = is_last || piece.is_none();
        let piece = piece.unwrap_or_default();
        if piece.is_empty() && !is_last {
            return Ok(Self::Waiting(stream));
        }
        let timeout = peer.options.write_timeout;
        Ok(Self::Sending(Box::pin(async move {
            write_body(&mut stream, piece, is_last, timeout).await?;
            Ok((!is_last).then_some(stream))
        })))
    }
}

/// Where an answer stands.
enum Stage {
    Head,
    Body,
    Over,
}

/// The answer, piece by piece.
fn answer(backend: &mut Http2Session) -> impl Stream<Item = Result<HttpTask>> {
    stream::unfold((backend, Stage::Head), |(backend, stage)| async move {
        let next = match stage {
            Stage::Head => head(backend).await,
            Stage::Body => body(backend).await,
            Stage::Over => return None,
        };
        let stage = match &next {
            Ok(task) if !task.is_end() => Stage::Body,
            Ok(_) | Err(_) => Stage::Over,
        };
        Some((next.map_err(Error::into_up), (backend, stage)))
    })
}

async fn head(backend: &mut Http2Session) -> Result<HttpTask> {
    backend.read_response_header().await?;
    let head = backend.response_header().cloned();
    let head = head.ok_or_else(|| Error::new(ErrorType::InternalError))?;
    let is_end = backend.check_response_end_or_error()?;
    Ok(HttpTask::Header(Box::new(head), is_end))
}

async fn body(backend: &mut Http2Session) -> Result<HttpTask> {
    if let Some(data) = backend.read_response_body().await? {
        let is_end = backend.check_response_end_or_error()?;
        return Ok(HttpTask::Body(Some(data), is_end));
    }
    let trailers = backend.read_trailers().await?;
    Ok(trailers.map_or(HttpTask::Done, |trailers| {
        HttpTask::Trailer(Some(Box::new(trailers)))
    }))
}

/// Passes a piece of the answer on. Answers whether it was the last.
async fn pass(
    gateway: &Gateway,
    mut task: HttpTask,
    session: &mut Session,
    ctx: &mut RequestCtx,
) -> Result<bool> {
    match &mut task {
        HttpTask::Header(head, _) => gateway.response_filter(session, head, ctx).await?,
        HttpTask::Body(data, is_end) => {
            gateway.response_body_filter(session, data, *is_end, ctx)?;
        }
        HttpTask::Trailer(Some(trailers)) => {
            gateway
                .response_trailer_filter(session, trailers, ctx)
                .await?;
        }
        _ => {}
    }
    let client = session.as_downstream_mut();
    client.response_duplex_vec(vec![task]).await
}
