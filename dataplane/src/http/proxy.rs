//! The gateway in pingora's phases.
//!
//! Each phase is a few lines that move data between pingora's session and pure functions beside
//! this file.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{StatusCode, Version};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::http::v1::server::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use portcullis_ir::BackendProtocol;
use portcullis_table::is_call;

use super::attempt::{self, Reused, Sent};
use super::call::{self, Calls};
use super::ctx::RequestCtx;
use super::forward::Trailers;
use super::mirror::{Mirrors, Original};
use super::patience::{exchange, heed_client, limit_answer_pause, limit_body_pause, limit_request};
use super::refusal::Refusal;
use super::respond::has_answered;
use super::retry::Failure;
use super::select::{Choice, Forward, Refused};
use super::{deadline, forward, grpc, head, report, respond, select};
use crate::limits;
use crate::listener::stream::connection_of;
use crate::state::Shared;
use crate::upstream::peer;
use crate::upstream::tls::idle::Idle;
use crate::upstream::tls::transport::{Attempt, tls_failure};

/// Serves the requests of one worker.
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    /// Idle connections over TLS.
    idle: Arc<Idle>,
    calls: Calls,
    mirrors: Arc<Mirrors>,
}

impl Gateway {
    pub(crate) fn new(shared: Arc<Shared>, calls: Calls) -> Self {
        Self {
            shared,
            idle: Arc::default(),
            calls,
            mirrors: Mirrors::new(),
        }
    }

    /// Sends copies of a request that is about to be forwarded.
    fn mirror(&self, session: &mut Session, ctx: &mut RequestCtx) {
        let (Some(upstream), Some(connection), Some(spot)) =
            (&ctx.upstream, &ctx.connection, &ctx.spot)
        else {
            return;
        };
        if upstream.mirrors.is_empty() {
            return;
        }
        let has_body = !session.as_mut().is_body_empty();
        let original = Original {
            head: session.req_header(),
            has_body,
            connection,
            prefix: ctx.prefix,
            spot,
        };
        ctx.tee = self.mirrors.copy(&upstream.mirrors, &original);
    }

    /// What gRPC calls go over.
    pub(super) fn calls(&self) -> &Calls {
        &self.calls
    }

    /// What is done with a request; a redirect has been answered when this returns.
    async fn admit(
        &self,
        session: &mut Session,
        ctx: &mut RequestCtx,
    ) -> std::result::Result<Admission, Refusal> {
        let connection = ctx.connection.clone().ok_or(Refusal::Internal)?;
        head::join_cookies(session.req_header_mut());
        check_head(session)?;
        forward::to_origin_form(session.req_header_mut())?;
        let choice = select::choose(&self.shared.live.load(), &connection, session.req_header());
        match choice.map_err(|refused| note_refused(ctx, refused))? {
            Choice::Forward(forward) => {
                note_forward(ctx, forward);
                heed_client(ctx, &session.req_header().headers);
                limit_request(ctx);
                attempt::pick(ctx).await?;
                self.mirror(session, ctx);
                Ok(Admission::Forward)
            }
            Choice::Redirect {
                spot,
                status,
                location,
                cors,
            } => {
                ctx.spot = Some(spot);
                ctx.cors = cors;
                let sent = respond::redirect(session, ctx, status, location).await;
                sent.map(|()| Admission::Answered)
                    .map_err(|_| Refusal::ClientGone)
            }
            Choice::Preflight { spot, cors } => {
                ctx.spot = Some(spot);
                let sent = respond::preflight(session, Some(&connection), &cors).await;
                sent.map(|()| Admission::Answered)
                    .map_err(|_| Refusal::ClientGone)
            }
        }
    }
}

/// What [`Gateway::admit`] leaves to be done.
enum Admission {
    /// A backend is asked.
    Forward,
    /// Nothing.
    Answered,
}

fn check_head(session: &Session) -> std::result::Result<(), Refusal> {
    let http1 = session.as_downstream().as_http1();
    let raw = http1.map(HttpSession::get_headers_raw_bytes);
    head::check(session.req_header(), raw.as_deref())
}

fn note_refused(ctx: &mut RequestCtx, refused: Refused) -> Refusal {
    let Refused {
        spot,
        cors,
        refusal,
        detail,
    } = refused;
    ctx.spot = spot;
    ctx.cors = cors;
    ctx.detail = detail;
    refusal
}

fn note_forward(ctx: &mut RequestCtx, forward: Forward) {
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
    ctx.cors = cors;
    ctx.prefix = prefix;
}

fn goes_as_call(ctx: &RequestCtx) -> bool {
    ctx.is_call && ctx.backend_protocol() == Some(BackendProtocol::H2c)
}

/// pingora passes trailers from HTTP/2 to HTTP/2 alone.
fn trailers(session: &Session, ctx: &RequestCtx) -> Trailers {
    let over_h2 = ctx.backend_protocol() == Some(BackendProtocol::H2c);
    if over_h2 && session.req_header().version == Version::HTTP_2 {
        Trailers::Passed
    } else {
        Trailers::Dropped
    }
}

/// Puts an answer in a form that HTTP/1.0 knows.
///
/// "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request
/// indicates HTTP/1.1 (or later minor revisions)" (RFC 9112 section 6.1). Without it the end of the
/// connection is the end of the answer.
fn unchunk(session: &mut Session, response: &mut ResponseHeader) {
    let chunked = response.remove_header(&header::TRANSFER_ENCODING).is_some();
    if chunked && !response.headers.contains_key(header::CONTENT_LENGTH) {
        session.set_keepalive(None);
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = RequestCtx;

    fn new_ctx(&self) -> RequestCtx {
        RequestCtx::new(self.shared.access_log.clone())
    }

    // The default adds compression, which costs every request and is used by none.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(
        &self,
        session: &mut Session,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        ctx.connection = session.digest().and_then(connection_of).cloned();
        if let Some(connection) = &ctx.connection {
            connection.request_starts();
        }
        let head = session.req_header();
        ctx.is_call = is_call(head.version, &head.method, &head.headers);
        report::begin(session, ctx);
        // pingora forgets the timeout with every request that does not say `close`, and takes
        // pipelined requests for an error unless told.
        if session.get_keepalive().is_some() {
            session.set_keepalive(Some(limits::CLIENT_KEEP_ALIVE_SECONDS));
        }
        session.set_pipelining_enabled(true);
        session.set_read_timeout(Some(self.shared.body_timeout));
        session.set_write_timeout(Some(limits::RESPONSE_WRITE_TIMEOUT));
        // "A server MUST NOT send a 1xx response to an HTTP/1.0 client" (RFC 9110 section 15.2).
        let old = session.req_header().version == Version::HTTP_10;
        session.set_ignore_info_resp(old);
        if !session.is_body_done() {
            limit_body_pause(session, ctx, self.shared.body_timeout);
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut RequestCtx) -> Result<bool> {
        match self.admit(session, ctx).await {
            Ok(Admission::Forward) if goes_as_call(ctx) => {
                call::serve(self, session, ctx).await.map(|()| true)
            }
            Ok(Admission::Forward) => Ok(false),
            Ok(Admission::Answered) => Ok(true),
            Err(refusal) => {
                ctx.refusal = Some(refusal);
                respond::refuse(session, ctx, refusal).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut RequestCtx,
    ) -> Result<Box<HttpPeer>> {
        attempt::begin(ctx).await;
        if let Some(tee) = &mut ctx.tee {
            tee.restart();
        }
        let exchange = exchange(session, ctx);
        let pick = ctx.pick.as_ref();
        let pick = pick.ok_or_else(|| Error::new(ErrorType::InternalError))?;
        let over_tls = Attempt::new(pick, &self.idle);
        ctx.over_tls.clone_from(&over_tls);
        Ok(peer::peer(pick, exchange, over_tls))
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        ctx.bytes_in += body.as_ref().map_or(0, Bytes::len);
        if let Some(tee) = &mut ctx.tee {
            tee.pass(body.as_ref(), end_of_stream || body.is_none());
        }
        ctx.attempts.sent = Sent::Body;
        if session.req_header().version == Version::HTTP_2 && (end_of_stream || body.is_none()) {
            deadline::clear_pause();
        } else {
            limit_body_pause(session, ctx, self.shared.body_timeout);
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        if let Some(connection) = &ctx.connection {
            forward::add_forwarded(request, connection)?;
        }
        let over_h2 = ctx.backend_protocol() == Some(BackendProtocol::H2c);
        if over_h2 && request.headers.contains_key(header::EXPECT) {
            // pingora does not pass a 100 of an HTTP/2 backend on, so the client would wait.
            request.remove_header(&header::EXPECT);
            let first = session.response_written().is_none();
            if first && session.req_header().version == Version::HTTP_11 {
                session.write_continue_response().await?;
            }
        }
        if let Some(upstream) = &ctx.upstream {
            let filters = &upstream.filters;
            let applied = forward::apply_request_filters(request, filters, ctx.prefix);
            applied.map_err(|refusal| {
                ctx.refusal = Some(refusal);
                Error::new(ErrorType::InternalError)
            })?;
        }
        if over_h2 && ctx.over_tls.is_some() {
            forward::say_https(request);
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut RequestCtx,
    ) -> Result<()> {
        if response.status.is_informational() && response.status != StatusCode::SWITCHING_PROTOCOLS
        {
            return Ok(());
        }
        let tunnel = response.status == StatusCode::SWITCHING_PROTOCOLS;
        if tunnel && !ctx.asks_upgrade {
            // "A server MUST NOT switch to a protocol that was not indicated by the client in the
            // corresponding request's Upgrade header field" (RFC 9110 section 7.8). pingora would
            // send it on and wait for ever.
            let unasked = Error::explain(ErrorType::InvalidHTTPHeader, "101 that nobody asked for");
            return Err(unasked.into_up());
        }
        if attempt::follows_answer(session, ctx, response.status) {
            return Err(Error::new_up(ErrorType::HTTPStatus(response.status.into())));
        }
        deadline::clear_pause();
        deadline::answer_begins();
        if tunnel {
            deadline::clear();
            session.set_read_timeout(None);
        } else if ctx.asks_upgrade {
            limit_answer_pause();
        }
        ctx.answered = Some(ctx.started.elapsed());
        ctx.status = Some(response.status);
        if ctx.is_call {
            ctx.call_status = grpc::status_in(&response.headers);
        }
        forward::strip_hop_by_hop(response, trailers(session, ctx));
        if session.req_header().version == Version::HTTP_10 {
            unchunk(session, response);
        }
        if let Some(upstream) = &ctx.upstream {
            upstream.filters.response_headers().apply(response);
        }
        if let Some(cors) = &ctx.cors
            && !tunnel
        {
            cors.decorate(&session.req_header().headers, response);
        }
        if ctx
            .connection
            .as_ref()
            .is_some_and(|connection| connection.is_leaving())
        {
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        ctx: &mut RequestCtx,
    ) -> Result<Option<Duration>> {
        ctx.bytes_out += body.as_ref().map_or(0, Bytes::len);
        if ctx.asks_upgrade && !session.was_upgraded() {
            limit_answer_pause();
        }
        Ok(None)
    }

    async fn response_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut RequestCtx,
    ) -> Result<Option<Bytes>> {
        if ctx.is_call {
            ctx.call_status = grpc::status_in(trailers);
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut RequestCtx,
        mut error: Box<Error>,
    ) -> Box<Error> {
        error.set_retry(attempt::follows(session, ctx, Failure::Connect));
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        ctx: &mut RequestCtx,
        client_reused: bool,
    ) -> Box<Error> {
        let over_tls = ctx.over_tls.as_ref();
        let reused = if client_reused || over_tls.is_some_and(|attempt| attempt.is_reused()) {
            Reused::Yes
        } else {
            Reused::No
        };
        error.set_retry(attempt::follows_error(session, ctx, &error, reused));
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut RequestCtx,
    ) -> FailToProxy {
        let refusal = *ctx
            .refusal
            .get_or_insert_with(|| respond::refusal_of(error));
        if let Some(failure) = tls_failure(error) {
            ctx.detail = Some(failure.to_string().into());
        }
        session.set_keepalive(None);
        deadline::clear();
        tracing::debug!(%error, ?refusal, "request failed");
        if !has_answered(session) {
            // An error means that the client is gone, which is nothing to act on.
            let _ = respond::refuse(session, ctx, refusal).await;
        } else if ctx.is_call
            && let Some(status) = refusal.call_status()
        {
            respond::cut_call_short(session, status, refusal).await;
        }
        let error_code = refusal.status().map_or(0, |status| status.as_u16());
        FailToProxy {
            error_code,
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut RequestCtx) {
        if let Some(error) = error {
            // The answer had begun, or there was nobody to answer.
            ctx.refusal
                .get_or_insert_with(|| respond::refusal_of(error));
        }
        report::report(session, ctx);
        if let Some(attempt) = ctx.over_tls.take() {
            attempt.finish();
        }
        if let Some(connection) = &ctx.connection {
            connection.request_ends();
        }
    }

    // pingora's own lines name what the access log says better.
    fn suppress_error_log(&self, _session: &Session, _ctx: &RequestCtx, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &RequestCtx,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}
