//! One copy, from connecting to the end of its answer.

use std::sync::Arc;

use http::StatusCode;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::{HttpTask, v1, v2};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use portcullis_ir::filter::HttpScheme;
use tokio::time::timeout;

use super::head::{Body, for_http1, for_http2};
use super::tee::{Branch, Chunk};
use super::{Mirrors, count_copy, count_loss};
use crate::http::spot::Spot;
use crate::limits;
use crate::metrics::MirrorLoss;
use crate::upstream::cluster::Cluster;
use crate::upstream::peer::{self, Exchange};
use crate::upstream::tls::transport::Attempt;

/// How long a copy's backend is waited for while pingora waits; the rest is done here.
const PATIENCE: Exchange = Exchange {
    connect: limits::CONNECT_TIMEOUT,
    silence: None,
};

/// A copy on its way.
pub(super) struct Sending {
    pub(super) mirrors: Arc<Mirrors>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) head: RequestHeader,
    pub(super) body: Body,
    pub(super) spot: Arc<Spot>,
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
        let scheme = match pick.tls {
            Some(_) => HttpScheme::Https,
            None => HttpScheme::Http,
        };
        for _ in 0..limits::MIRROR_ATTEMPTS {
            let over_tls = Attempt::new(&pick, &self.mirrors.idle);
            let peer = *peer::peer(&pick, PATIENCE, over_tls.clone());
            let got = self.mirrors.connector.get_http_session(&peer).await;
            let (session, reused) = got.map_err(|_| MirrorLoss::ConnectFailed)?;
            let reused = reused || over_tls.as_ref().is_some_and(|attempt| attempt.is_reused());
            let progress = self.over(session, &peer, scheme).await?;
            if let Some(attempt) = over_tls {
                attempt.finish();
            }
            if progress.answered {
                return Ok(());
            }
            // A pooled connection may have died in the meantime. A body cannot be sent twice.
            if !reused || matches!(self.body, Body::Following(_)) {
                break;
            }
        }
        Err(MirrorLoss::Failed)
    }

    /// Over one connection, which is kept if it can be.
    async fn over(
        &mut self,
        mut session: HttpSession,
        peer: &HttpPeer,
        scheme: HttpScheme,
    ) -> Result<Progress, MirrorLoss> {
        session.set_write_timeout(Some(limits::MIRROR_TIMEOUT));
        let mut progress = Progress::default();
        let outcome = self.talk(&mut session, scheme, &mut progress).await;
        let is_whole = outcome.is_ok() && progress.sent && progress.read;
        if !is_whole {
            session.shutdown().await;
        }
        // Over HTTP/2 the shutdown is the stream's. The pool would keep a connection for ever that
        // a stream was not given back to.
        if is_whole || matches!(session, HttpSession::H2(_)) {
            let idle = Some(limits::BACKEND_KEEP_ALIVE);
            let connector = &self.mirrors.connector;
            connector.release_http_session(session, peer, idle).await;
        }
        match outcome {
            Ok(()) | Err(Trouble::Connection) => Ok(progress),
            Err(Trouble::Lost(_)) if progress.answered => Ok(progress),
            Err(Trouble::Lost(loss)) => Err(loss),
        }
    }

    async fn talk(
        &mut self,
        session: &mut HttpSession,
        scheme: HttpScheme,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        self.begin(session, scheme).await?;
        if let Body::Following(branch) = &mut self.body {
            let overflow = branch.overflow();
            tokio::select! {
                sent = send_body(session, branch, progress) => sent?,
                () = overflow => return Err(Trouble::Lost(MirrorLoss::Slow)),
            }
        } else {
            session.finish_request_body().await?;
        }
        progress.sent = true;
        let rest = async {
            while !progress.read && progress.bytes <= limits::MIRROR_ANSWER {
                read(session, progress).await?;
            }
            Ok(())
        };
        timeout(limits::MIRROR_TIMEOUT, rest)
            .await
            .map_err(|_| Trouble::Lost(MirrorLoss::Timeout))?
    }

    async fn begin(&self, session: &mut HttpSession, scheme: HttpScheme) -> Result<(), Trouble> {
        let bad = || Trouble::Lost(MirrorLoss::BadRequest);
        let head = self.head.clone();
        match session {
            HttpSession::H1(http1) => {
                let head = for_http1(head, &self.body).ok_or_else(bad)?;
                http1.write_request_header(Box::new(head)).await?;
            }
            HttpSession::H2(http2) => {
                let head = for_http2(head, scheme).ok_or_else(bad)?;
                let is_whole = matches!(self.body, Body::None);
                http2.write_request_header(Box::new(head), is_whole)?;
            }
            HttpSession::Custom(()) => return Err(bad()),
        }
        Ok(())
    }
}

/// Why a copy goes no further.
enum Trouble {
    /// The connection failed, or its peer broke the rules.
    Connection,
    Lost(MirrorLoss),
}

impl From<Box<pingora_error::Error>> for Trouble {
    fn from(_: Box<pingora_error::Error>) -> Self {
        Self::Connection
    }
}

/// Sends the body as it comes, and reads what the backend says meanwhile.
async fn send_body(
    session: &mut HttpSession,
    branch: &mut Branch,
    progress: &mut Progress,
) -> Result<(), Trouble> {
    loop {
        let chunk = tokio::select! {
            chunk = branch.next() => chunk,
            done = read(session, progress), if !progress.read => {
                done?;
                continue;
            }
        };
        match chunk {
            Some(Chunk::Data(data)) => session.write_request_body(data, false).await?,
            Some(Chunk::End) => break,
            None => return Err(Trouble::Lost(branch.loss())),
        }
    }
    session.finish_request_body().await?;
    Ok(())
}

/// Reads the next part of the answer. May be dropped half-way.
async fn read(session: &mut HttpSession, progress: &mut Progress) -> Result<(), Trouble> {
    match session {
        HttpSession::H1(http1) => read_http1(http1, progress).await,
        HttpSession::H2(http2) => read_http2(http2, progress).await,
        HttpSession::Custom(()) => Err(Trouble::Connection),
    }
}

async fn read_http1(
    http1: &mut v1::client::HttpSession,
    progress: &mut Progress,
) -> Result<(), Trouble> {
    match http1.read_response_task().await? {
        HttpTask::Header(head, is_whole) => {
            // Nothing was asked for that it could switch to.
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Trouble::Connection);
            }
            progress.answered |= !head.status.is_informational();
            progress.read = is_whole;
        }
        HttpTask::Body(data, is_last) => {
            progress.bytes += data.map_or(0, |data| data.len());
            progress.read = is_last;
        }
        HttpTask::Trailer(_) | HttpTask::Done => progress.read = true,
        HttpTask::UpgradedBody(..) | HttpTask::Failed(_) => return Err(Trouble::Connection),
    }
    Ok(())
}

async fn read_http2(
    http2: &mut v2::client::Http2Session,
    progress: &mut Progress,
) -> Result<(), Trouble> {
    if http2.response_header().is_none() {
        http2.read_response_header().await?;
        progress.answered = true;
        progress.read = http2.response_finished();
        return Ok(());
    }
    match http2.read_response_body().await? {
        Some(data) => progress.bytes += data.len(),
        None => progress.read = true,
    }
    Ok(())
}
