//! Answers of our own.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::ctx::RequestCtx;
use super::deadline::Timer;
use super::filter::Cors;
use super::grpc::{CallStatus, GRPC_MESSAGE, GRPC_STATUS};
use super::message::{ClientEnd, ClientError, Length, ResponseHead, Rest, Spelling};
use super::patience::limit_unread;
use super::rare::Rares;
use super::refusal::{Afterwards, Refusal};

/// An answer of our own.
pub(crate) struct Answer {
    pub(crate) head: ResponseHead,
    pub(crate) body: &'static str,
    pub(crate) afterwards: Afterwards,
}

impl Answer {
    fn new(status: StatusCode, body: &'static str, afterwards: Afterwards) -> Self {
        // "A server MUST NOT send a Content-Length header field in any response with a status code
        // of 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6).
        let length = if status == StatusCode::NO_CONTENT {
            Length::Nothing
        } else {
            Length::Known(u64::try_from(body.len()).unwrap_or_default())
        };
        let head = ResponseHead {
            status,
            headers: HeaderMap::new(),
            rares: Rares::default(),
            length,
            spelling: Spelling::default(),
        };
        Self {
            head,
            body,
            afterwards,
        }
    }

    /// A refusal as every client understands it; `None` if there is nobody to tell.
    pub(crate) fn refusal(refusal: Refusal) -> Option<Self> {
        let afterwards = refusal.afterwards();
        let mut answer = Self::new(refusal.status()?, refusal.body(), afterwards);
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.head.headers.insert(header::CONTENT_TYPE, text);
        Some(answer)
    }

    /// Ends a gRPC call: "Trailers-Only → HTTP-Status Content-Type Trailers", in one frame.
    fn call_refusal(refusal: Refusal) -> Option<Self> {
        let status = refusal.call_status()?;
        let mut answer = Self::new(StatusCode::OK, "", refusal.afterwards());
        answer.head.length = Length::Nothing;
        let grpc = HeaderValue::from_static("application/grpc");
        answer.head.headers.insert(header::CONTENT_TYPE, grpc);
        answer.head.headers.extend(call_ending(status, refusal));
        Some(answer)
    }

    /// A redirect.
    pub(crate) fn redirect(status: StatusCode, location: HeaderValue) -> Self {
        let mut answer = Self::new(status, "", Afterwards::KeepAlive);
        answer.head.headers.insert(header::LOCATION, location);
        answer
    }

    /// Answers a preflight.
    ///
    /// "The status code of a successful response to a "preflight" request is always an OK status
    /// (i.e., 204 or 200). If the request `Origin` does not match the configured allowed origins, the
    /// gateway returns 204/200 response but doesn't set the relevant cross-origin response headers."
    /// (`HTTPCORSFilter.AllowOrigins`)
    pub(crate) fn preflight(cors: &Cors, request: &HeaderMap) -> Self {
        let mut answer = Self::new(StatusCode::NO_CONTENT, "", Afterwards::KeepAlive);
        cors.answer_preflight(request, &mut answer.head.headers);
        answer
    }
}

/// Sends the answer for `refusal`, if there is still somebody to send it to.
pub(crate) async fn refuse<C: ClientEnd>(
    client: &mut C,
    ctx: &mut RequestCtx<'_>,
    timer: &mut Timer,
    refusal: Refusal,
) {
    ctx.refusal = Some(refusal);
    let answer = if ctx.is_call {
        Answer::call_refusal(refusal)
    } else {
        Answer::refusal(refusal)
    };
    match answer {
        Some(answer) => send(client, ctx, timer, answer).await,
        None => client.reset(),
    }
}

/// Sends an answer of ours. A page that may read a backend's answers may read ours, and is told why
/// there is no other.
pub(crate) async fn send<C: ClientEnd>(
    client: &mut C,
    ctx: &mut RequestCtx<'_>,
    timer: &mut Timer,
    answer: Answer,
) {
    let Answer {
        mut head,
        body,
        afterwards,
    } = answer;
    if let Some(asker) = &ctx.cors {
        asker.cors.decorate(&asker.origin, &mut head.headers);
    }
    client.close_after(afterwards);
    let rest = if body.is_empty() || ctx.method == Method::HEAD {
        Rest::Nothing
    } else {
        Rest::More
    };
    begin(client, ctx, head, rest);
    if rest == Rest::More {
        client.send_data(Bytes::from_static(body.as_bytes()), Rest::Nothing);
        ctx.bytes_out += u64::try_from(body.len()).unwrap_or_default();
    }
    flush(client, ctx, timer).await;
}

/// Ends a gRPC call whose answer has begun. Without trailers its client would take the reset of the
/// stream for its own.
pub(crate) async fn cut_call_short<C: ClientEnd>(
    client: &mut C,
    ctx: &mut RequestCtx<'_>,
    timer: &mut Timer,
    status: CallStatus,
    refusal: Refusal,
) {
    client.send_trailers(call_ending(status, refusal));
    flush(client, ctx, timer).await;
}

fn call_ending(status: CallStatus, refusal: Refusal) -> HeaderMap {
    let in_words = HeaderValue::from_static(refusal.body().trim_ascii_end());
    HeaderMap::from_iter([
        (GRPC_STATUS, HeaderValue::from(status.code())),
        (GRPC_MESSAGE, in_words),
    ])
}

/// Sends the head of the one answer to a request.
pub(crate) fn begin<C: ClientEnd>(
    client: &mut C,
    ctx: &mut RequestCtx<'_>,
    mut head: ResponseHead,
    rest: Rest,
) {
    if ctx.connection.is_leaving() {
        client.close_after(Afterwards::Close);
    }
    // "An origin server with a clock [...] MUST generate a Date header field in all 2xx
    // (Successful), 3xx (Redirection), and 4xx (Client Error) responses" and "A recipient with a clock
    // that receives a response message without a Date header field MUST record the time it was
    // received and append a corresponding Date header field" (RFC 9110 section 6.6.1).
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        head.headers.entry(header::DATE).or_insert_with(date);
    }
    ctx.status = Some(head.status);
    client.send_head(head, rest);
}

/// Waits until the client has what was sent.
async fn flush<C: ClientEnd>(client: &mut C, ctx: &mut RequestCtx<'_>, timer: &mut Timer) {
    ctx.deadlines.unread = None;
    let flushed = poll_fn(|cx| {
        if let Poll::Ready(flushed) = client.poll_flush(cx) {
            return Poll::Ready(flushed.map_err(|_: ClientError| ()));
        }
        limit_unread(ctx);
        let unread = ctx.deadlines.unread.map(|at| timer.poll_at(at, cx));
        unread.map_or(Poll::Pending, |missed| missed.map(|()| Err(())))
    });
    if flushed.await.is_err() {
        ctx.refusal = Some(Refusal::ClientGone);
        client.reset();
    }
}

thread_local! {
    /// What [`date`] said last, and until when it is right.
    static DATE: Cell<Option<(Instant, HeaderValue)>> = const { Cell::new(None) };
}

/// The time in the form of HTTP.
fn date() -> HeaderValue {
    let now = Instant::now();
    let (until, value) = DATE
        .take()
        .filter(|(until, _)| now < *until)
        .unwrap_or_else(|| date_at(now));
    DATE.set(Some((until, value.clone())));
    value
}

fn date_at(now: Instant) -> (Instant, HeaderValue) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default();
    let left =
        Duration::from_secs(1).saturating_sub(Duration::from_nanos(since.subsec_nanos().into()));
    (now + left, in_http(since.as_secs()))
}

/// "IMF-fixdate = day-name "," SP date1 SP time-of-day SP GMT" (RFC 9110 section 5.6.7).
fn in_http(seconds: u64) -> HeaderValue {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let text = time.map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    text.and_then(|text| HeaderValue::try_from(text).ok())
        .unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_in_the_form_of_http() {
        assert_eq!(in_http(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(in_http(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
