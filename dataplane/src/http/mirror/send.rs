//! One copy, from connecting to the end of its answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use tokio::time::Instant;

use super::tee::{Branch, Chunk};
use super::{Mirrors, count_copy, count_loss};
use crate::http::attempt::Reused;
use crate::http::backend::Backend;
use crate::http::deadline::Timer;
use crate::http::message::{BackendEnd, BackendError, Frame, RequestHead, Rest};
use crate::http::spot::Spot;
use crate::limits;
use crate::metrics::MirrorLoss;
use crate::upstream::cluster::{Cluster, Pick};
use crate::upstream::pool::Precaution;

/// A copy on its way.
pub(super) struct Sending {
    pub(super) mirrors: Arc<Mirrors>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) head: RequestHead,
    /// The body, as the client sends it; `None` if there is none.
    pub(super) body: Option<Branch>,
    pub(super) spot: Arc<Spot>,
}

impl Sending {
    /// Sends it, reads the answer, and counts what came of it.
    ///
    /// "The responses from this backend MUST be ignored by the Gateway."
    /// (`HTTPRouteFilterRequestMirror`)
    pub(super) async fn run(mut self) {
        match self.exchange().await {
            Ok(()) => count_copy(&self.spot),
            Err(loss) => {
                tracing::debug!(?loss, "request not mirrored");
                count_loss(&self.spot, loss);
            }
        }
    }

    async fn exchange(&mut self) -> Result<(), MirrorLoss> {
        // "Mirrored requests must be sent only to a single destination endpoint within this
        // BackendRef" (`HTTPRequestMirrorFilter.BackendRef`)
        let pick = self.cluster.next(&[]).await;
        let pick = pick.ok_or(MirrorLoss::NoEndpoints)?;
        for _ in 0..limits::MIRROR_ATTEMPTS {
            let (backend, reused) = self.reach(&pick).await?;
            let progress = self.over(backend, &pick).await?;
            if progress.answered {
                return Ok(());
            }
            // A pooled connection may have died in the meantime. A body cannot be sent twice.
            if reused == Reused::No || self.body.is_some() {
                break;
            }
        }
        Err(MirrorLoss::Failed)
    }

    async fn reach(&self, pick: &Pick) -> Result<(Backend, Reused), MirrorLoss> {
        let pool = &self.mirrors.pool;
        if let Some(backend) = pool.take(pick, Precaution::Look) {
            return Ok((backend, Reused::Yes));
        }
        let connected = pool.connect(pick, limits::CONNECT_TIMEOUT).await;
        let backend = connected.map_err(|_| MirrorLoss::ConnectFailed)?;
        self.cluster.note_reached(pick);
        Ok((backend, Reused::No))
    }

    /// Over one connection, which is kept if it can be.
    async fn over(&mut self, backend: Backend, pick: &Pick) -> Result<Progress, MirrorLoss> {
        let mut talk = Talk::begin(backend, &self.head, self.body.as_mut());
        let outcome = poll_fn(|cx| talk.poll(cx)).await;
        let Talk {
            backend, progress, ..
        } = talk;
        match outcome {
            Ok(()) => {
                if let Backend::H1(connection) = backend {
                    (self.mirrors.pool).keep(&self.cluster, pick, connection);
                }
                Ok(progress)
            }
            Err(Trouble::Lost(loss)) if !progress.answered => Err(loss),
            Err(Trouble::Lost(_) | Trouble::Connection) => Ok(progress),
        }
    }
}

/// How far the two sides of a copy are.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    sent: bool,
    /// The head of the answer has been read.
    answered: bool,
    /// Nothing of the answer is to come.
    read: bool,
    /// Bytes of the answer's body.
    bytes: usize,
}

/// Why a copy goes no further.
enum Trouble {
    /// The connection failed, or its peer broke the rules.
    Connection,
    Lost(MirrorLoss),
}

impl From<BackendError> for Trouble {
    fn from(_: BackendError) -> Self {
        Self::Connection
    }
}

/// The exchange of a copy for an answer that nobody wants.
struct Talk<'t> {
    backend: Backend,
    body: Option<&'t mut Branch>,
    progress: Progress,
    is_flushed: bool,
    timer: Timer,
    /// When the backend must have taken what waits for it or, once it has all, have answered.
    until: Option<Instant>,
}

impl<'t> Talk<'t> {
    fn begin(mut backend: Backend, head: &RequestHead, body: Option<&'t mut Branch>) -> Self {
        let rest = match body {
            Some(_) => Rest::More,
            None => Rest::Nothing,
        };
        backend.send_head(head, rest);
        Self {
            backend,
            progress: Progress {
                sent: body.is_none(),
                ..Progress::default()
            },
            body,
            is_flushed: false,
            timer: Timer::default(),
            until: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        if let Poll::Ready(sent) = self.poll_send(cx) {
            sent?;
        }
        while !self.progress.read && self.progress.bytes <= limits::MIRROR_ANSWER {
            let Poll::Ready(read) = self.poll_read(cx) else {
                break;
            };
            read?;
        }
        let is_enough = self.progress.read || self.progress.bytes > limits::MIRROR_ANSWER;
        if is_enough && self.progress.sent && self.is_flushed {
            return Poll::Ready(Ok(()));
        }
        if let Some(body) = self.body.as_deref_mut().filter(|_| !self.progress.sent)
            && body.poll_overflow(cx).is_ready()
        {
            return Poll::Ready(Err(Trouble::Lost(MirrorLoss::Slow)));
        }
        let Some(until) = self.until else {
            return Poll::Pending;
        };
        ready!(self.timer.poll_at(until, cx));
        Poll::Ready(Err(Trouble::Lost(MirrorLoss::Timeout)))
    }

    /// Ready when all is sent, or when there is no use in going on.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        while !self.progress.sent {
            self.limit();
            ready!(self.backend.poll_ready(cx))?;
            let Some(body) = self.body.as_deref_mut() else {
                break;
            };
            let Poll::Ready(chunk) = body.poll_next(cx) else {
                break;
            };
            match chunk {
                Some(Chunk::Data(data)) => self.backend.send_data(data, Rest::More),
                Some(Chunk::End) => {
                    self.backend.send_data(Bytes::new(), Rest::Nothing);
                    self.progress.sent = true;
                }
                None => return Poll::Ready(Err(Trouble::Lost(body.loss()))),
            }
            self.is_flushed = false;
            self.until = None;
        }
        if !self.is_flushed {
            self.limit();
            ready!(self.backend.poll_flush(cx))?;
            self.is_flushed = true;
            self.until = None;
        }
        // A client may take its time for the rest; the backend may not for its answer.
        if self.progress.sent {
            self.limit();
        } else {
            self.until = None;
        }
        Poll::Ready(Ok(()))
    }

    fn limit(&mut self) {
        (self.until).get_or_insert_with(|| Instant::now() + limits::MIRROR_TIMEOUT);
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Trouble>> {
        if !self.progress.answered {
            let head = ready!(self.backend.poll_head(cx))?;
            // Nothing was asked for that it could switch to.
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(Trouble::Connection));
            }
            self.progress.answered = !head.status.is_informational();
            self.progress.read = self.progress.answered && self.backend.answer_is_over();
            return Poll::Ready(Ok(()));
        }
        match ready!(self.backend.poll_frame(cx)).transpose()? {
            Some(Frame::Data(data)) => {
                self.progress.bytes += data.len();
                self.progress.read = self.backend.answer_is_over();
            }
            Some(Frame::Trailers(_)) | None => self.progress.read = true,
        }
        Poll::Ready(Ok(()))
    }
}
