//! One attempt: a request on its way to a backend, and the answer on its way back.
//!
//! Both directions are moved by one task, each as far as it goes, so that neither can hold up the
//! other: an answer that comes while the request still does is passed on, whatever the versions.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};

use super::attempt::{self, Reused, Sent, Trouble};
use super::backend::Backend;
use super::ctx::RequestCtx;
use super::deadline::Timer;
use super::forward::{self, Trailers};
use super::message::{
    BackendEnd, BackendError, ClientEnd, Frame, Length, RequestHead, ResponseHead, Rest,
};
use super::retry::Method as Meaning;
use super::{grpc, patience, respond};
use crate::h1;
use crate::upstream::cluster::Errand;
use crate::upstream::pool::{Pool, Precaution};

/// How an exchange ended that came to its end.
pub(super) enum End {
    /// The client has the whole answer.
    Complete,
    /// Both sides go on in a protocol of their own.
    Tunnel(Box<h1::backend::Connection>),
}

/// Asks the backend whose turn it is.
pub(super) async fn attempt_once<C: ClientEnd>(
    pool: &Pool,
    client: &mut C,
    head: &RequestHead,
    ctx: &mut RequestCtx<'_>,
    timer: &mut Timer,
) -> Result<End, Trouble> {
    attempt::begin(ctx).await.map_err(Trouble::Refused)?;
    let mut backend = reach(pool, client, ctx, timer).await?;
    let mut exchange = Exchange::begin(client, &mut backend, ctx, head);
    let done = poll_fn(|cx| exchange.poll(timer, cx)).await;
    let upload = exchange.upload;
    if matches!(&done, Err(Trouble::Missed(_))) {
        Pool::distrust(&backend);
    }
    if done? == Done::Tunnel {
        return match backend {
            Backend::H1(connection) => Ok(End::Tunnel(connection)),
            Backend::H2(_) => Err(BackendError::Protocol("101 over HTTP/2").into()),
        };
    }
    if let (Backend::H1(connection), Upload::Over) = (backend, upload)
        && let (Some(upstream), Some(pick)) = (&ctx.upstream, &ctx.pick)
    {
        pool.keep(&upstream.cluster, pick, connection);
    }
    Ok(End::Complete)
}

/// A connection to the backend whose turn it is: one that is there, or a new one.
async fn reach<C: ClientEnd>(
    pool: &Pool,
    client: &mut C,
    ctx: &mut RequestCtx<'_>,
    timer: &mut Timer,
) -> Result<Backend, Trouble> {
    let (Some(pick), Some(upstream)) = (&ctx.pick, &ctx.upstream) else {
        return Err(Trouble::Refused(super::refusal::Refusal::Internal));
    };
    // Whether an endpoint can be reached again, old connections do not tell.
    if pick.errand == Errand::Request
        && let Some(backend) = pool.take(pick, precaution(ctx))
    {
        ctx.attempts.reused = Reused::Yes;
        return Ok(backend);
    }
    let within = attempt::connect_within(ctx, pick);
    let mut connecting = Box::pin(pool.connect(pick, within));
    let deadlines = ctx.deadlines;
    poll_fn(|cx| {
        if let Poll::Ready(connected) = connecting.as_mut().poll(cx) {
            match &connected {
                Ok(_) => upstream.cluster.note_reached(pick),
                Err(_) => upstream.cluster.note_unreached(pick),
            }
            return Poll::Ready(connected.map_err(Trouble::Connect));
        }
        if let Poll::Ready(gone) = client.poll_gone(cx) {
            return Poll::Ready(Err(Trouble::Client(gone)));
        }
        let missed = deadlines.poll_missed(timer, cx);
        missed.map(|_| {
            Err(Trouble::Connect(
                crate::upstream::pool::ConnectError::Timeout,
            ))
        })
    })
    .await
}

/// What was met by one failure already had better not meet another.
fn precaution(ctx: &RequestCtx<'_>) -> Precaution {
    match attempt::method(ctx) {
        Meaning::Idempotent if ctx.attempts.begun <= 1 => Precaution::None,
        Meaning::Idempotent | Meaning::Other => Precaution::Look,
    }
}

/// How an exchange ended, as far as its two ends are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Complete,
    Tunnel,
}

/// How far the request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    /// What an attempt before has read is sent again, from this piece on.
    Again(usize),
    /// It is sent as it comes.
    Following,
    /// All is sent.
    Over,
    /// The backend takes no more of it.
    Broken,
}

/// How far the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Download {
    Head,
    Body,
    /// All has been read, and was given to the client's end.
    Over(Done),
}

/// Whether an end holds something back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Something,
}

/// A piece of the request for the backend.
enum Piece {
    Data(Bytes, Rest),
    Trailers(Box<HeaderMap>),
    End,
}

/// Both directions.
struct Exchange<'x, 'c, C> {
    client: &'x mut C,
    backend: &'x mut Backend,
    ctx: &'x mut RequestCtx<'c>,
    upload: Upload,
    download: Download,
    to_backend: Held,
    to_client: Held,
    /// Why the backend takes nothing more. It may have answered before.
    broken: Option<BackendError>,
}

impl<'x, 'c, C: ClientEnd> Exchange<'x, 'c, C> {
    fn begin(
        client: &'x mut C,
        backend: &'x mut Backend,
        ctx: &'x mut RequestCtx<'c>,
        head: &RequestHead,
    ) -> Self {
        let kept = ctx.kept.piece(0).is_some();
        let (upload, rest) = match (kept, client.request_is_over()) {
            (false, true) => (Upload::Over, Rest::Nothing),
            (false, false) => (Upload::Following, Rest::More),
            (true, _) => (Upload::Again(0), Rest::More),
        };
        backend.send_head(head, rest);
        Self {
            client,
            backend,
            ctx,
            upload,
            download: Download::Head,
            to_backend: Held::Something,
            // An interim answer of ours, perhaps.
            to_client: Held::Something,
            broken: None,
        }
    }

    fn poll(&mut self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<Result<Done, Trouble>> {
        self.advance_upload(cx)?;
        let advanced = self.advance_download(cx);
        if let Err(trouble) = advanced {
            let broken = self.broken.take().map(Trouble::Backend);
            return Poll::Ready(Err(broken.unwrap_or(trouble)));
        }
        if let (Download::Over(done), Held::Nothing) = (self.download, self.to_client) {
            return Poll::Ready(Ok(done));
        }
        // Nothing more came, and nothing more can.
        if self.download == Download::Head
            && let Some(broken) = self.broken.take()
        {
            return Poll::Ready(Err(broken.into()));
        }
        if self.upload != Upload::Following
            && let Poll::Ready(gone) = self.client.poll_gone(cx)
        {
            return Poll::Ready(Err(gone.into()));
        }
        let missed = ready!(self.ctx.deadlines.poll_missed(timer, cx));
        Poll::Ready(Err(Trouble::Missed(missed)))
    }

    /// Sends what there is of the request, as far as there is room for it.
    fn advance_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Trouble> {
        while matches!(self.upload, Upload::Again(_) | Upload::Following) {
            match self.backend.poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.break_off(error);
                    return Ok(());
                }
                Poll::Pending => return Ok(()),
            }
            let Poll::Ready(piece) = self.poll_piece(cx)? else {
                break;
            };
            self.pass_on(piece);
        }
        if self.to_backend == Held::Something {
            match self.backend.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.to_backend = Held::Nothing;
                    self.ctx.attempts.sent = Sent::Body;
                }
                Poll::Ready(Err(error)) => self.break_off(error),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn break_off(&mut self, error: BackendError) {
        self.upload = Upload::Broken;
        self.to_backend = Held::Nothing;
        self.ctx.deadlines.body = None;
        self.broken = Some(error);
    }

    fn pass_on(&mut self, piece: Piece) {
        self.to_backend = Held::Something;
        let is_last = match piece {
            Piece::Data(data, rest) => {
                self.backend.send_data(data, rest);
                rest == Rest::Nothing
            }
            Piece::Trailers(trailers) => {
                self.backend.send_trailers(*trailers);
                true
            }
            Piece::End => {
                self.backend.send_data(Bytes::new(), Rest::Nothing);
                true
            }
        };
        if is_last {
            self.upload = Upload::Over;
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Trouble>> {
        if let Upload::Again(index) = self.upload {
            if let Some(data) = self.ctx.kept.piece(index).cloned() {
                let is_last = self.ctx.kept.piece(index + 1).is_none();
                self.upload = Upload::Again(index + 1);
                return Poll::Ready(Ok(Piece::Data(data, self.rest_if(is_last))));
            }
            self.upload = Upload::Following;
        }
        let Poll::Ready(frame) = self.client.poll_frame(cx) else {
            patience::limit_body_pause(self.ctx);
            return Poll::Pending;
        };
        self.ctx.deadlines.body = None;
        Poll::Ready(match frame {
            Some(Ok(Frame::Data(data))) => {
                let rest = self.rest_if(true);
                self.note_upload(&data, rest);
                Ok(Piece::Data(data, rest))
            }
            Some(Ok(Frame::Trailers(trailers))) => {
                self.ctx.kept.lose();
                self.end_tee();
                Ok(Piece::Trailers(trailers))
            }
            Some(Err(error)) => Err(error.into()),
            None => {
                self.end_tee();
                Ok(Piece::End)
            }
        })
    }

    fn rest_if(&self, is_last: bool) -> Rest {
        if is_last && self.client.request_is_over() {
            Rest::Nothing
        } else {
            Rest::More
        }
    }

    fn note_upload(&mut self, data: &Bytes, rest: Rest) {
        self.ctx.bytes_in += size(data);
        self.ctx.kept.keep(data);
        if let Some(tee) = &mut self.ctx.tee {
            tee.pass(data);
        }
        if rest == Rest::Nothing {
            self.end_tee();
        }
    }

    fn end_tee(&mut self) {
        if let Some(tee) = self.ctx.tee.take() {
            tee.end();
        }
    }

    /// Passes on what there is of the answer, as far as there is room for it.
    fn advance_download(&mut self, cx: &mut Context<'_>) -> Result<(), Trouble> {
        while self.download == Download::Head {
            match self.backend.poll_head(cx) {
                Poll::Ready(head) => self.take_head(head?)?,
                Poll::Pending => break,
            }
        }
        while self.download == Download::Body {
            match self.client.poll_ready(cx) {
                Poll::Ready(ready) => {
                    ready?;
                    self.ctx.deadlines.unread = None;
                }
                Poll::Pending => {
                    patience::limit_unread(self.ctx);
                    return Ok(());
                }
            }
            match self.backend.poll_frame(cx) {
                Poll::Ready(frame) => self.take_frame(frame.transpose()?),
                Poll::Pending => break,
            }
        }
        if self.to_client == Held::Something {
            match self.client.poll_flush(cx) {
                Poll::Ready(flushed) => {
                    flushed?;
                    self.to_client = Held::Nothing;
                    self.ctx.deadlines.unread = None;
                }
                Poll::Pending => patience::limit_unread(self.ctx),
            }
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: Option<Frame>) {
        self.to_client = Held::Something;
        let is_last = match frame {
            Some(Frame::Data(data)) => {
                self.ctx.bytes_out += size(&data);
                let rest = self.rest_of_answer();
                self.client.send_data(data, rest);
                rest == Rest::Nothing
            }
            Some(Frame::Trailers(trailers)) => {
                if self.ctx.is_call {
                    self.ctx.call_status = grpc::status_in(&trailers);
                }
                self.client.send_trailers(*trailers);
                true
            }
            None => {
                self.client.send_data(Bytes::new(), Rest::Nothing);
                true
            }
        };
        if is_last {
            self.download = Download::Over(Done::Complete);
        }
    }

    fn rest_of_answer(&self) -> Rest {
        if self.backend.answer_is_over() {
            Rest::Nothing
        } else {
            Rest::More
        }
    }

    fn take_head(&mut self, mut head: ResponseHead) -> Result<(), Trouble> {
        let is_tunnel = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if head.status.is_informational() && !is_tunnel {
            forward::strip_answer(&mut head, Trailers::Dropped);
            self.client.send_interim(head);
            self.to_client = Held::Something;
            return Ok(());
        }
        if is_tunnel && !self.ctx.asks_upgrade {
            // "A server MUST NOT switch to a protocol that was not indicated by the client in the
            // corresponding request's Upgrade header field" (RFC 9110 section 7.8).
            return Err(BackendError::Protocol("101 that nobody asked for").into());
        }
        if attempt::follows_answer(self.ctx, head.status) {
            return Err(Trouble::Again);
        }
        let rest = if is_tunnel {
            Rest::More
        } else {
            self.rest_of_answer()
        };
        self.edit_answer(&mut head, rest);
        respond::begin(self.client, self.ctx, head, rest);
        self.to_client = Held::Something;
        self.download = match (is_tunnel, rest) {
            (true, _) => Download::Over(Done::Tunnel),
            (false, Rest::More) => Download::Body,
            (false, Rest::Nothing) => Download::Over(Done::Complete),
        };
        Ok(())
    }

    /// Makes of a backend's answer what the client gets.
    fn edit_answer(&mut self, head: &mut ResponseHead, rest: Rest) {
        let ctx = &mut *self.ctx;
        ctx.deadlines.body = None;
        ctx.answered = ctx.logged_elapsed();
        if ctx.is_call {
            ctx.call_status = grpc::status_in(&head.headers);
        }
        if rest == Rest::Nothing && head.length == Length::Open {
            head.length = if ctx.method == Method::HEAD || has_no_body(head.status) {
                Length::Nothing
            } else {
                Length::Known(0)
            };
        }
        forward::strip_answer(head, trailers(ctx.version, head.length, rest));
        if let Some(upstream) = &ctx.upstream {
            (upstream.filters.response_headers()).apply(&mut head.headers);
        }
        if let Some(asker) = &ctx.cors
            && head.status != StatusCode::SWITCHING_PROTOCOLS
        {
            asker.cors.decorate(&asker.origin, &mut head.headers);
        }
    }
}

/// "any response with a 1xx (Informational), 204 (No Content), or 304 (Not Modified) status code is
/// always terminated by the first empty line after the header fields" (RFC 9112 section 6.3).
fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Trailers have a place in HTTP/2 and behind chunks.
fn trailers(version: Version, length: Length, rest: Rest) -> Trailers {
    match (version, length, rest) {
        (Version::HTTP_2, _, Rest::More) | (Version::HTTP_11, Length::Open, Rest::More) => {
            Trailers::Passed
        }
        _ => Trailers::Dropped,
    }
}

fn size(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
