//! What is known of one client connection, shared by its stream, its task and its requests.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicUsize, Ordering};

use http::{HeaderValue, StatusCode};
use portcullis_ir::ListenerId;
use tokio::sync::{Notify, watch};

use super::Stage;
use super::accept::Entrance;
use super::tls::Terminator;
use crate::limits;
use crate::metrics::GatewayMetrics;

/// One client connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The listener port it came in on, as the user wrote it.
    pub(crate) port: NonZeroU16,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// The client's IP address as `X-Forwarded-For` has it.
    pub(crate) peer_text: HeaderValue,
    /// Set when TLS ends here.
    pub(crate) tls: Option<TlsSession>,
    /// What is spoken.
    pub(crate) version: HttpVersion,
    /// Where its refused requests are counted.
    pub(crate) gateway: Arc<GatewayMetrics>,
    phase: AtomicU8,
    head_bytes: AtomicUsize,
    /// Heads read so far: tells the watchdog that progress was made. Wraps.
    heads: AtomicU32,
    lingers: AtomicBool,
    /// The status to say before the stream is dropped; 0 for none.
    last_word: AtomicU16,
    became_idle: Notify,
    asked_to_leave: Notify,
    stage: watch::Receiver<Stage>,
    leaving: Arc<AtomicBool>,
}

/// The TLS side of a connection.
#[derive(Debug)]
pub(crate) struct TlsSession {
    /// The listener that its SNI chose; its requests are routed there.
    pub(crate) listener: ListenerId,
    /// How that listener ended TLS at the time of the handshake.
    pub(crate) terminator: Arc<Terminator>,
    /// The name the client asked for, lower case.
    pub(crate) server_name: Option<Arc<str>>,
    /// `TLSv1.3` or `TLSv1.2`.
    pub(crate) version: Option<&'static str>,
    /// The subject of the certificate that the client showed.
    pub(crate) client_subject: Option<Arc<str>>,
}

/// What is spoken on a connection, as ALPN or the first bytes decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpVersion {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Where an HTTP/1 connection is in its cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Between requests; nothing of the next has arrived.
    Idle = 0,
    /// A request's head is arriving.
    Head = 1,
    /// A request is served. What is written in any other phase is pingora's own refusal.
    Request = 2,
}

impl Connection {
    pub(crate) fn new(
        entrance: &Entrance,
        peer: SocketAddr,
        tls: Option<TlsSession>,
        version: HttpVersion,
    ) -> Self {
        let peer_text = HeaderValue::try_from(peer.ip().to_canonical().to_string())
            .unwrap_or(HeaderValue::from_static("unknown"));
        Self {
            port: entrance.port,
            peer,
            peer_text,
            tls,
            version,
            gateway: Arc::clone(&entrance.gateway),
            phase: AtomicU8::new(Phase::Idle as u8),
            head_bytes: AtomicUsize::new(0),
            heads: AtomicU32::new(0),
            lingers: AtomicBool::new(false),
            last_word: AtomicU16::new(0),
            became_idle: Notify::new(),
            asked_to_leave: Notify::new(),
            stage: entrance.signals.stage.clone(),
            leaving: Arc::clone(&entrance.signals.leaving),
        }
    }

    /// Whether clients on this connection are asked to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            _ => Phase::Request,
        }
    }

    /// Counts bytes of a head.
    pub(crate) fn head_arrives(&self, bytes: usize) {
        self.phase.store(Phase::Head as u8, Ordering::Relaxed);
        self.head_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether no more of this head is wanted: it has been longer than any that is answered.
    pub(crate) fn head_is_too_long(&self) -> bool {
        self.head_bytes.load(Ordering::Relaxed) > limits::MAX_HEADER_LIST + limits::MAX_URI
    }

    /// A request's head is complete.
    pub(crate) fn request_starts(&self) {
        self.phase.store(Phase::Request as u8, Ordering::Relaxed);
        self.head_bytes.store(0, Ordering::Relaxed);
        self.heads.fetch_add(1, Ordering::Relaxed);
    }

    /// An answer goes out before its request has been read to the end.
    pub(crate) fn answers_early(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// The connection is about to be dropped with an answer owed.
    pub(crate) fn set_last_word(&self, status: StatusCode) {
        self.last_word.store(status.as_u16(), Ordering::Relaxed);
    }

    /// What [`Connection::set_last_word`] set.
    pub(crate) fn last_word(&self) -> Option<u16> {
        let status = self.last_word.load(Ordering::Relaxed);
        (status != 0).then_some(status)
    }

    /// Whether unread input is to be expected when the connection is closed.
    pub(crate) fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Relaxed)
    }

    /// No further request is to come on this connection alone; for HTTP/2, which has no word for
    /// that in an answer.
    pub(crate) fn ask_to_leave(&self) {
        self.asked_to_leave.notify_one();
    }

    /// Resolves after [`Connection::ask_to_leave`].
    pub(crate) async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }

    /// A request has been answered.
    pub(crate) fn request_ends(&self) {
        self.phase.store(Phase::Idle as u8, Ordering::Relaxed);
        self.became_idle.notify_one();
    }

    /// Resolves when the connection should be closed for what it does not do: a head that takes
    /// too long, or idling on a port that is closed.
    pub(crate) async fn should_close(&self) -> CloseReason {
        match self.version {
            HttpVersion::Http2 => std::future::pending().await,
            HttpVersion::Http1 => tokio::select! {
                () = self.head_overdue() => CloseReason::HeadTimeout,
                () = self.idle_while_closed() => CloseReason::PortClosed,
            },
        }
    }

    /// Two ticks in a row within the same head: no clock is read per request.
    async fn head_overdue(&self) {
        let mut last_seen = None;
        loop {
            tokio::time::sleep(limits::HEADER_READ_TIMEOUT).await;
            let seen = (self.phase() == Phase::Head).then(|| self.heads.load(Ordering::Relaxed));
            if seen.is_some() && seen == last_seen {
                return;
            }
            last_seen = seen;
        }
    }

    async fn idle_while_closed(&self) {
        let mut stage = self.stage.clone();
        if stage
            .wait_for(|stage| *stage == Stage::Closed)
            .await
            .is_err()
        {
            return;
        }
        tokio::time::sleep(limits::CLOSING_GRACE).await;
        while self.phase() != Phase::Idle {
            self.became_idle.notified().await;
        }
    }
}

/// Why [`Connection::should_close`] resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client took longer than [`limits::HEADER_READ_TIMEOUT`] over a head.
    HeadTimeout,
    /// The port was removed or the data plane is shutting down.
    PortClosed,
}
