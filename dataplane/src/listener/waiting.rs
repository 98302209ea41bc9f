//! Waiting for what a client says, as long as it may rest.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Stage;
use super::accept::{Entrance, closed};
use crate::http::deadline::Timer;
use crate::limits;

/// What ends the waits of one connection. Costs nothing where nothing is waited for: most clients
/// send their first request with the connection.
pub(crate) struct Waiting<'e> {
    pub(super) timer: Timer,
    stage: &'e watch::Receiver<Stage>,
    port: Port,
}

/// The port that a connection came in on.
enum Port {
    /// Nobody has waited for its end so far.
    Unwatched,
    /// Ready when it has been closed for a while.
    Watched(BoxFuture<'static, ()>),
    /// It was.
    Closed,
}

impl<'e> Waiting<'e> {
    pub(crate) fn new(entrance: &'e Entrance) -> Self {
        Self {
            timer: Timer::default(),
            stage: &entrance.signals.stage,
            port: Port::Unwatched,
        }
    }

    /// Ready when a client that says nothing is not to be waited for any longer: its port was closed,
    /// or it has rested for too long. `until` is set by the first call of a wait.
    pub(super) fn poll_over(
        &mut self,
        until: &mut Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.is_closed(cx) {
            return Poll::Ready(());
        }
        let until = *until.get_or_insert_with(|| Instant::now() + limits::CLIENT_KEEP_ALIVE);
        self.timer.poll_at(until, cx)
    }

    /// As long as nothing was said of the port, who has asked once need not ask again: it is one task
    /// that waits, and it is still the one to be woken.
    fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        let is_unsaid = matches!(self.stage.has_changed(), Ok(false));
        match &mut self.port {
            Port::Closed => return true,
            Port::Watched(_) if is_unsaid => return false,
            Port::Watched(_) => {}
            Port::Unwatched => {
                self.port = Port::Watched(Box::pin(closed(self.stage.clone())));
            }
        }
        if let Port::Watched(closed) = &mut self.port
            && pin!(closed).poll(cx).is_ready()
        {
            self.port = Port::Closed;
        }
        matches!(self.port, Port::Closed)
    }
}
