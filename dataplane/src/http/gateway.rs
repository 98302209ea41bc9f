//! A request from its head to its end.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::header::{self, HeaderMap};
use http::{StatusCode, Version};
use portcullis_ir::BackendProtocol;

use super::attempt::{self, Trouble};
use super::ctx::{Asker, RequestCtx};
use super::deadline::Timer;
use super::exchange::{End, attempt_once};
use super::filter::Cors;
use super::forward::Through;
use super::message::{Arrived, ClientEnd, Length, RequestHead, ResponseHead, Spelling};
use super::mirror::{Mirrors, Original};
use super::patience::{heed_client, limit_request};
use super::rare::{Rare, Rares};
use super::refusal::Refusal;
use super::respond::{self, Answer};
use super::select::{Choice, Forward, Refused};
use super::{forward, head, report, select};
use crate::listener::connection::Connection;
use crate::state::Shared;
use crate::upstream::pool::Pool;

/// Serves the requests of one worker.
pub(crate) struct Gateway {
    pub(super) shared: Arc<Shared>,
    pub(super) pool: Arc<Pool>,
    mirrors: Arc<Mirrors>,
}

/// What a request leaves to be done.
pub(crate) enum Served<'c> {
    /// Nothing.
    Over,
    /// Client and backend talk on in a protocol of their own.
    Tunnel {
        backend: Box<crate::h1::backend::Connection>,
        ctx: Box<RequestCtx<'c>>,
    },
}

/// What [`Gateway::admit`] leaves to be done.
enum Admission {
    /// A backend is asked.
    Forward,
    Answer(Box<Answer>),
}

impl Gateway {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let pool = Pool::new();
        Self {
            shared,
            mirrors: Mirrors::new(Arc::clone(&pool)),
            pool,
        }
    }

    /// Serves a request that came on `connection`. Dropped before its end, it is counted and logged
    /// as cut off.
    pub(crate) async fn serve<'c, C: ClientEnd>(
        &'c self,
        client: &mut C,
        arrived: Arrived,
        connection: &'c Connection,
        timer: &mut Timer,
    ) -> Served<'c> {
        let Arrived { mut head, refusal } = arrived;
        let mut ctx = RequestCtx::new(&self.shared, connection, &head);
        let admission = match refusal {
            None => self.admit(&head, &mut ctx).await,
            Some(refusal) => Err(refusal),
        };
        let admission = admission.and_then(|admission| {
            if matches!(admission, Admission::Forward) {
                self.mirror(&head, client.request_is_over(), &mut ctx);
                prepare(client, &mut head, &mut ctx)?;
            }
            Ok(admission)
        });
        match admission {
            Ok(Admission::Forward) => {
                if let Some(backend) = self.forward(client, &head, &mut ctx, timer).await {
                    let ctx = Box::new(ctx);
                    return Served::Tunnel { backend, ctx };
                }
            }
            Ok(Admission::Answer(answer)) => respond::send(client, &mut ctx, timer, *answer).await,
            Err(refusal) => respond::refuse(client, &mut ctx, timer, refusal).await,
        }
        report::report(&mut ctx);
        Served::Over
    }

    /// What is done with a request.
    async fn admit(
        &self,
        request: &RequestHead,
        ctx: &mut RequestCtx<'_>,
    ) -> Result<Admission, Refusal> {
        head::check(request)?;
        let choice = select::choose(&self.shared.live.load(), ctx.connection, request);
        match choice.map_err(|refused| note_refused(ctx, request, refused))? {
            Choice::Forward(forward) => {
                note_forward(ctx, request, forward);
                heed_client(ctx, &request.headers);
                limit_request(ctx);
                attempt::pick(ctx).await?;
                Ok(Admission::Forward)
            }
            Choice::Redirect {
                spot,
                status,
                location,
                cors,
            } => {
                ctx.spot = Some(spot);
                ctx.cors = asker(cors, request);
                let redirect = Answer::redirect(status, location);
                Ok(Admission::Answer(Box::new(redirect)))
            }
            Choice::Preflight { spot, cors } => {
                ctx.spot = Some(spot);
                let answer = Answer::preflight(&cors, &request.headers);
                Ok(Admission::Answer(Box::new(answer)))
            }
        }
    }

    /// Sends copies of a request that is about to be forwarded.
    fn mirror(&self, head: &RequestHead, is_over: bool, ctx: &mut RequestCtx<'_>) {
        let (Some(upstream), Some(spot)) = (&ctx.upstream, &ctx.spot) else {
            return;
        };
        if upstream.mirrors.is_empty() {
            return;
        }
        let original = Original {
            head,
            has_body: !is_over,
            connection: ctx.connection,
            prefix: ctx.prefix,
            spot,
        };
        ctx.tee = self.mirrors.copy(&upstream.mirrors, &original);
    }

    /// Asks backends until there is an answer, or no use in asking. Answers the backend of a tunnel.
    async fn forward<C: ClientEnd>(
        &self,
        client: &mut C,
        head: &RequestHead,
        ctx: &mut RequestCtx<'_>,
        timer: &mut Timer,
    ) -> Option<Box<crate::h1::backend::Connection>> {
        loop {
            let trouble = match attempt_once(&self.pool, client, head, ctx, timer).await {
                Ok(End::Complete) => return None,
                Ok(End::Tunnel(backend)) => return Some(backend),
                Err(trouble) => trouble,
            };
            if !attempt::follows_trouble(ctx, &trouble) {
                give_up(client, ctx, timer, &trouble).await;
                return None;
            }
        }
    }
}

/// Answers a request whose backend did not, or cuts off what has begun.
async fn give_up<C: ClientEnd>(
    client: &mut C,
    ctx: &mut RequestCtx<'_>,
    timer: &mut Timer,
    trouble: &Trouble,
) {
    let refusal = trouble.refusal();
    tracing::debug!(?trouble, ?refusal, "request failed");
    ctx.detail = ctx.detail.take().or_else(|| trouble.detail());
    if !ctx.has_answered() {
        respond::refuse(client, ctx, timer, refusal).await;
        return;
    }
    ctx.refusal = Some(refusal);
    match refusal.call_status().filter(|_| ctx.is_call) {
        Some(status) => respond::cut_call_short(client, ctx, timer, status, refusal).await,
        None => cut_off(client).await,
    }
}

/// Ends an answer where it is. What has come of it goes out, as far as that takes no waiting.
async fn cut_off<C: ClientEnd>(client: &mut C) {
    poll_fn(|cx| {
        let _ = client.poll_flush(cx);
        Poll::Ready(())
    })
    .await;
    client.reset();
}

/// Makes of a request what its backend is sent, whichever that is.
fn prepare<C: ClientEnd>(
    client: &mut C,
    head: &mut RequestHead,
    ctx: &mut RequestCtx<'_>,
) -> Result<(), Refusal> {
    let over_h2 = ctx.backend_protocol() == Some(BackendProtocol::H2c);
    ctx.asks_upgrade = !over_h2 && asks_upgrade(head);
    let through = if ctx.asks_upgrade {
        Through::Upgrade
    } else if over_h2 && head.version == Version::HTTP_2 {
        Through::Te
    } else {
        Through::Nothing
    };
    forward::strip_request(head, through);
    if head.version == Version::HTTP_10 || over_h2 {
        expect(client, head);
    }
    forward::add_forwarded(head, ctx.connection);
    match &ctx.upstream {
        Some(upstream) => forward::apply_request_filters(head, &upstream.filters, ctx.prefix),
        None => Ok(()),
    }
}

/// Whether a tunnel is asked for: to WebSocket, over HTTP/1.1.
fn asks_upgrade(request: &RequestHead) -> bool {
    request.version == Version::HTTP_11
        && request.rares.has(Rare::Upgrade)
        && (request.headers.get(header::UPGRADE))
            .is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Lets the client go on itself where the backend's word for it might not come: few servers say 100
/// over HTTP/2.
///
/// "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that
/// expectation" (RFC 9110 section 10.1.1).
fn expect<C: ClientEnd>(client: &mut C, head: &mut RequestHead) {
    head.rares
        .remove(&mut head.headers, Rares::these([Rare::Expect]));
    if head.rares.has(Rare::Expect) && head.version != Version::HTTP_10 && !client.request_is_over()
    {
        client.send_interim(ResponseHead {
            status: StatusCode::CONTINUE,
            headers: HeaderMap::new(),
            rares: Rares::default(),
            length: Length::Nothing,
            spelling: Spelling::default(),
        });
    }
}

fn note_refused(ctx: &mut RequestCtx<'_>, request: &RequestHead, refused: Refused) -> Refusal {
    let Refused {
        spot,
        cors,
        refusal,
        detail,
    } = refused;
    ctx.spot = spot;
    ctx.cors = asker(cors, request);
    ctx.detail = detail;
    refusal
}

fn note_forward(ctx: &mut RequestCtx<'_>, request: &RequestHead, forward: Forward) {
    let Forward {
        spot,
        timeouts,
        retry,
        upstream,
        cors,
        prefix,
    } = forward;
    ctx.spot = Some(spot);
    ctx.timeouts = timeouts;
    ctx.retry = retry;
    ctx.upstream = Some(upstream);
    ctx.cors = asker(cors, request);
    ctx.prefix = prefix;
}

fn asker(cors: Option<Arc<Cors>>, request: &RequestHead) -> Option<Asker> {
    let cors = cors?;
    let origin = request.headers.get_all(header::ORIGIN).iter();
    let origin = origin.map(|origin| (header::ORIGIN, origin.clone()));
    Some(Asker {
        cors,
        origin: origin.collect(),
    })
}
