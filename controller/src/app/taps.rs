//! What stands between two tasks: counts what goes by, or gives it another shape.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::admin::AdminState;
use crate::metrics::{Metrics, WriteOutcome};
use crate::serve::{self, Report, StreamState};
use crate::sessions::Sessions;
use crate::status::Subject;
use crate::status::backlog::Live;
use crate::status::server::{ServerError, StatusServer};
use crate::watch::{Batch, Event};

/// Counts objects, and notes which kinds are in sync.
pub(super) async fn objects(
    mut from: mpsc::Receiver<Event>,
    to: mpsc::Sender<Event>,
    shown: Arc<AdminState>,
) {
    while let Some(event) = from.recv().await {
        let in_sync = match &event {
            Event::Changed(Batch {
                kind,
                upserts,
                removals,
            }) => {
                shown.metrics.watched(*kind, upserts.len() + removals.len());
                None
            }
            Event::InSync(kind) | Event::Absent(kind) => Some(kind.as_str()),
            Event::BundleVersions(_) => None,
        };
        if let Some(kind) = in_sync {
            shown.awaited.happened(kind);
        }
        if to.send(event).await.is_err() {
            return;
        }
    }
}

/// Measures acks, and keeps what every pod said last.
pub(super) fn reports(
    mut from: mpsc::Receiver<Report>,
    sessions: Sessions,
    metrics: Arc<Metrics>,
) -> (mpsc::Receiver<Report>, impl Future<Output = ()> + Send) {
    let (to, receiver) = mpsc::channel(serve::QUEUE);
    let forward = async move {
        while let Some(report) = from.recv().await {
            if let StreamState::Acked { version, .. } = &report.state {
                metrics.acked(&report.gateway, *version, Instant::now());
            }
            sessions.note(&report);
            if to.send(report).await.is_err() {
                return;
            }
        }
    };
    (receiver, forward)
}

/// The same news in another shape.
pub(super) fn mapped<T, U>(
    mut from: watch::Receiver<T>,
    map: impl Fn(&T) -> U + Send,
) -> (watch::Receiver<U>, impl Future<Output = ()> + Send)
where
    T: Send + Sync,
    U: PartialEq + Send + Sync,
{
    let first = map(&from.borrow_and_update());
    let (to, receiver) = watch::channel(first);
    let forward = async move {
        while from.changed().await.is_ok() {
            let value = map(&from.borrow_and_update());
            to.send_if_modified(|told| {
                let is_news = *told != value;
                *told = value;
                is_news
            });
        }
    };
    (receiver, forward)
}

/// A server whose writes are counted.
#[derive(Debug)]
pub(super) struct CountedWrites<S> {
    server: S,
    metrics: Arc<Metrics>,
}

impl<S> CountedWrites<S> {
    pub(super) fn new(server: S, metrics: Arc<Metrics>) -> Self {
        Self { server, metrics }
    }
}

impl<S: StatusServer> StatusServer for CountedWrites<S> {
    async fn read(&self, subject: &Subject) -> Result<Option<Live>, ServerError> {
        self.server.read(subject).await
    }

    async fn write(
        &self,
        subject: &Subject,
        resource_version: &str,
        patch: Map<String, Value>,
    ) -> Result<Live, ServerError> {
        let written = self.server.write(subject, resource_version, patch).await;
        let outcome = match &written {
            Ok(_) => WriteOutcome::Written,
            Err(ServerError::Conflict) => WriteOutcome::Conflict,
            Err(ServerError::NotFound) => WriteOutcome::Gone,
            Err(ServerError::Refused(_) | ServerError::Silent | ServerError::Unavailable(_)) => {
                WriteOutcome::Failed
            }
        };
        self.metrics.status_write(subject.kind, outcome);
        written
    }
}
