//! What remains of a request when it is over: a log record and some counts.

use std::time::{Duration, SystemTime};

use http::header;

use super::ctx::RequestCtx;
use super::grpc::CallStatus;
use super::message::RequestHead;
use super::refusal::Refusal;
use crate::access_log::{AccessLog, Protocol, Record};

/// The record of a request, as long as its head is at hand.
pub(super) fn record(log: &AccessLog, request: &RequestHead) -> Option<Box<Record>> {
    let mut record = log.record()?;
    fill_request(&mut record, request);
    Some(record)
}

/// Counts and logs a request that was given up, unless that is done already.
pub(super) fn cut_off(ctx: &mut RequestCtx<'_>) {
    if ctx.unreported {
        ctx.refusal.get_or_insert(Refusal::CutOff);
        report(ctx);
    }
}

/// Counts and logs a request that came to its end.
pub(super) fn report(ctx: &mut RequestCtx<'_>) {
    ctx.unreported = false;
    let duration = ctx.started.elapsed();
    let gateway = &ctx.connection.gateway;
    if let Some(refusal) = ctx.refusal {
        gateway.rejected[refusal.flag()].increment();
    }
    let route = ctx.spot.as_ref().and_then(|spot| spot.metrics.as_deref());
    let counts = route.unwrap_or(&gateway.unrouted);
    counts.request(ctx.status, duration);
    if ctx.attempts.connect_failures > 0 {
        let failures = ctx.attempts.connect_failures.into();
        counts.connect_failures.add(failures);
    }
    if let Some(mut record) = ctx.record.take() {
        fill(&mut record, ctx, duration);
        ctx.shared.access_log.submit(record);
    }
}

fn fill(record: &mut Record, ctx: &RequestCtx<'_>, duration: Duration) {
    record.time = SystemTime::now()
        .checked_sub(duration)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    record.duration = duration;
    record.status = ctx.status;
    record.grpc_status = call_status(ctx);
    record.place = ctx.spot.as_ref().map(|spot| spot.place.clone());
    record.bytes_in = ctx.bytes_in;
    record.bytes_out = ctx.bytes_out;
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
    record.peer = Some(ctx.connection.peer);
    if let Some(tls) = &ctx.connection.tls {
        record.tls_version = tls.version;
        record.server_name.clone_from(&tls.server_name);
        record.client_subject.clone_from(&tls.client_subject);
    }
}

fn call_status(ctx: &RequestCtx<'_>) -> Option<u16> {
    let refusal = ctx.refusal.filter(|_| ctx.is_call);
    let refused = refusal.and_then(Refusal::call_status);
    refused.map(CallStatus::code).or(ctx.call_status)
}

fn fill_request(record: &mut Record, request: &RequestHead) {
    record.method.clone_from(&request.method);
    record.protocol = Protocol::Http(request.version);
    let text = |name| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let of_target = request.uri.authority().map(http::uri::Authority::as_str);
    let authority = text(header::HOST).or(of_target);
    record.authority.push_str(authority.unwrap_or_default());
    let path = request.uri.path_and_query();
    record.path.push_str(path.map_or("", |path| path.as_str()));
    let request_id = header::HeaderName::from_static("x-request-id");
    record
        .request_id
        .push_str(text(request_id).unwrap_or_default());
}
