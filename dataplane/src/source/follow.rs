//! The loop around the stream.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use portcullis_wire::messages::{DataPlaneMessage, StateUpdate};
use portcullis_wire::{Ack, Nack, Reply};
use tokio::sync::mpsc;

use super::SourceConfig;
use super::backoff::Backoff;
use super::dial::{DialError, Stream, dial};
use super::holder::{Candidate, Holder, Step};
use crate::app::DataPlane;
use crate::metrics::StreamMetrics;

/// Ports that could not be bound are tried again this often.
const RETRY: Duration = Duration::from_secs(1);

/// Makes `data_plane` serve what the controller says, for ever.
pub async fn follow(config: SourceConfig, data_plane: Arc<DataPlane>, metrics: Arc<StreamMetrics>) {
    let mut follower = Follower {
        holder: Holder::new(config.gateway.clone()),
        config,
        data_plane,
        metrics,
        told: None,
    };
    let mut backoff = Backoff::default();
    loop {
        match dial(&follower.config, follower.holder.hello()).await {
            Ok(stream) => {
                if follower.attend(stream).await == Attended::Something {
                    backoff.reset();
                }
            }
            Err(error) => follower.tell(&error),
        }
        let pause = backoff.pause(RandomState::new().hash_one(0));
        follower.rest(pause).await;
    }
}

struct Follower {
    config: SourceConfig,
    holder: Holder,
    data_plane: Arc<DataPlane>,
    metrics: Arc<StreamMetrics>,
    /// The last failure, which is not told again and again.
    told: Option<String>,
}

/// What a stream was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attended {
    Nothing,
    /// An update came.
    Something,
}

impl Follower {
    /// Follows a stream to its end.
    async fn attend(&mut self, stream: Stream) -> Attended {
        let Stream {
            mut updates,
            replies,
            address,
        } = stream;
        tracing::info!(controller = %address, "connected to the controller");
        let _connected = self.metrics.connected();
        let mut attended = Attended::Nothing;
        loop {
            let reply = tokio::select! {
                message = updates.message() => match message {
                    Ok(Some(update)) => {
                        attended = Attended::Something;
                        self.told = None;
                        self.take(update).await
                    }
                    Ok(None) => {
                        tracing::info!("the controller ended the stream");
                        return attended;
                    }
                    Err(status) => {
                        let (code, reason) = (status.code(), status.message());
                        tracing::info!(?code, reason, "the stream from the controller ended");
                        return attended;
                    }
                },
                () = self.retry_is_due() => self.retry().await.map(Reply::Ack),
            };
            if let Some(reply) = reply
                && said(&replies, &reply).await.is_err()
            {
                return attended;
            }
        }
    }

    async fn take(&mut self, update: StateUpdate) -> Option<Reply> {
        match self.holder.receive(update) {
            Step::Wait => None,
            Step::Apply(candidate) => Some(Reply::Ack(self.apply(candidate).await)),
            Step::Refuse(nack) => {
                let Nack { version, reason } = &nack;
                tracing::warn!(%version, reason, "refused an update; what is served stays");
                self.metrics.updates_refused.increment();
                Some(Reply::Nack(nack))
            }
        }
    }

    async fn apply(&mut self, candidate: Candidate) -> Ack {
        let Candidate {
            version, snapshot, ..
        } = &candidate;
        let applied = self
            .data_plane
            .apply_version(*version, Arc::clone(snapshot))
            .await;
        for refused in candidate.refused() {
            let (field, reason) = (&refused.field, &refused.reason);
            let id = refused.id.as_ref().map(ToString::to_string);
            tracing::warn!(id, field, reason, "refused a part of the configuration");
        }
        self.metrics.applied(candidate.refused().len());
        let ack = self.holder.applied(candidate, &applied);
        let (version, generation) = (ack.version, ack.generation);
        tracing::info!(%version, generation, "applied an update");
        for reason in ack.port_failures.values() {
            tracing::warn!(reason, "a port is not bound; trying again");
        }
        ack
    }

    /// Returns a while after a port could not be bound.
    async fn retry_is_due(&self) {
        let applied = self.data_plane.applied();
        if applied.is_none_or(|applied| applied.is_complete()) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(RETRY).await;
    }

    /// Tries ports that failed again. Answers what to say if anything changed. Not to be dropped
    /// half way: see [`DataPlane::apply_version`].
    async fn retry(&mut self) -> Option<Ack> {
        let held = self.holder.held()?;
        let (version, snapshot) = (held.version, Arc::clone(&held.snapshot));
        let applied = self.data_plane.apply_version(version, snapshot).await;
        self.holder.applied_again(&applied)
    }

    /// Waits before the next attempt. What becomes of ports meanwhile is said on the next stream.
    async fn rest(&mut self, pause: Duration) {
        let pause = tokio::time::sleep(pause);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return,
                () = self.retry_is_due() => drop(self.retry().await),
            }
        }
    }

    fn tell(&mut self, error: &DialError) {
        self.metrics.failures.increment();
        let text = error.to_string();
        if self.told.as_ref() == Some(&text) {
            tracing::debug!(%error, "still no stream from the controller");
            return;
        }
        tracing::warn!(%error, "no stream from the controller; trying again");
        self.told = Some(text);
    }
}

/// Says something; fails when the stream is gone.
async fn said(
    replies: &mpsc::Sender<DataPlaneMessage>,
    reply: &Reply,
) -> Result<(), mpsc::error::SendError<DataPlaneMessage>> {
    replies.send(reply.into()).await
}
