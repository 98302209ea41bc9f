//! What remains of a request when it is over: a log record and some counts.

use std::time::{Duration, SystemTime};

use http::header;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::ctx::RequestCtx;
use super::deadline;
use super::grpc::CallStatus;
use super::refusal::Refusal;
use crate::access_log::{Protocol, Record};

/// Starts the record of a request, as long as its head is at hand.
pub(crate) fn begin(session: &Session, ctx: &mut RequestCtx) {
    ctx.unreported = true;
    ctx.record = ctx.log.record();
    if let Some(record) = &mut ctx.record {
        fill_request(record, session.req_header());
    }
}

/// Counts and logs a request that came to its end.
pub(crate) fn report(session: &Session, ctx: &mut RequestCtx) {
    deadline::clear();
    ctx.status = session.response_written().map(|answer| answer.status);
    ctx.bytes_in = session.as_downstream().body_bytes_read();
    ctx.bytes_out = session.as_downstream().body_bytes_sent();
    settle(ctx);
}

/// Counts and logs a request that was given up, unless that is done already.
pub(crate) fn cut_off(ctx: &mut RequestCtx) {
    if !ctx.unreported {
        return;
    }
    let missed = deadline::missed();
    ctx.status = ctx.status.or(missed.and_then(|missed| missed.status));
    ctx.refusal
        .get_or_insert(missed.map_or(Refusal::CutOff, |missed| missed.refusal));
    settle(ctx);
}

fn settle(ctx: &mut RequestCtx) {
    ctx.unreported = false;
    let duration = ctx.started.elapsed();
    if let Some(connection) = &ctx.connection {
        let gateway = &connection.gateway;
        if let Some(refusal) = ctx.refusal {
            gateway.rejected[refusal.flag()].increment();
        }
        let route = ctx.spot.as_ref().and_then(|spot| spot.metrics.as_deref());
        let counts = route.unwrap_or(&gateway.unrouted);
        counts.request(ctx.status, duration);
        counts
            .connect_failures
            .add(ctx.attempts.connect_failures.into());
    }
    if let Some(mut record) = ctx.record.take() {
        fill(&mut record, ctx, duration);
        ctx.log.submit(record);
    }
}

fn fill(record: &mut Record, ctx: &RequestCtx, duration: Duration) {
    record.time = SystemTime::now()
        .checked_sub(duration)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    record.duration = duration;
    record.status = ctx.status;
    record.grpc_status = call_status(ctx);
    record.place = ctx.spot.as_ref().map(|spot| spot.place.clone());
    record.bytes_in = u64::try_from(ctx.bytes_in).unwrap_or(u64::MAX);
    record.bytes_out = u64::try_from(ctx.bytes_out).unwrap_or(u64::MAX);
    record.upstream = ctx
        .pick
        .as_ref()
        .filter(|_| ctx.attempts.begun > 0)
        .map(|pick| pick.address);
    record.attempts = ctx.attempts.begun;
    let asked = ctx.asked.unwrap_or_default();
    record.upstream_duration = ctx.answered.map(|answered| answered.saturating_sub(asked));
    record.flag = ctx.refusal.map(Refusal::flag);
    record.detail.clone_from(&ctx.detail);
    if let Some(connection) = &ctx.connection {
        record.peer = Some(connection.peer);
        if let Some(tls) = &connection.tls {
            record.tls_version = tls.version;
            record.server_name.clone_from(&tls.server_name);
            record.client_subject.clone_from(&tls.client_subject);
        }
    }
}

fn call_status(ctx: &RequestCtx) -> Option<u16> {
    let refusal = ctx.refusal.filter(|_| ctx.is_call);
    let refused = refusal.and_then(Refusal::call_status);
    refused.map(CallStatus::code).or(ctx.call_status)
}

fn fill_request(record: &mut Record, request: &RequestHeader) {
    record.method.clone_from(&request.method);
    record.protocol = Protocol::Http(request.version);
    let text = |name| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let of_target = request.uri.authority().map(http::uri::Authority::as_str);
    record
        .authority
        .push_str(of_target.or_else(|| text(header::HOST)).unwrap_or_default());
    record
        .path
        .push_str(&String::from_utf8_lossy(request.raw_path()));
    let request_id = header::HeaderName::from_static("x-request-id");
    record
        .request_id
        .push_str(text(request_id).unwrap_or_default());
}
