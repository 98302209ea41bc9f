//! Works off the backlog, while we are the leader.

#[cfg(test)]
mod tests;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::backlog::{Backlog, Job, Live, Outcome};
use super::merge::{Context, merge};
use super::server::{ServerError, StatusServer};
use super::{Order, Subject};
use crate::leader::Leadership;

/// How often a write is tried again at once when somebody else was faster.
const MOST_CONFLICTS: u32 = 6;
/// The pause before it is tried again, times the number of tries.
const CONFLICT_PAUSE: Duration = Duration::from_millis(10);
/// How long the API server may take for one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often who is not the leader, and has something to write, looks whether it is now.
const FOLLOWER_PAUSE: Duration = Duration::from_millis(500);

/// Writes what is ordered until nobody can order any more.
pub async fn run<S: StatusServer>(
    server: S,
    controller_name: String,
    leadership: Leadership,
    mut orders: mpsc::Receiver<Vec<Order>>,
) {
    let mut backlog = Backlog::new(controller_name.clone());
    let mut changes = leadership.changes();
    let mut jobs: JoinSet<(Subject, Outcome)> = JoinSet::new();
    let hand = Arc::new(Hand {
        server,
        controller_name,
        leadership: leadership.clone(),
    });
    loop {
        if leadership.is_held() {
            while let Some(job) = backlog.next(Instant::now()) {
                let hand = Arc::clone(&hand);
                jobs.spawn(async move { hand.work(job).await });
            }
        }
        tokio::select! {
            received = orders.recv() => {
                let Some(received) = received else { return };
                let now = Instant::now();
                for order in received {
                    backlog.take(order, now);
                }
            }
            Some(done) = jobs.join_next() => match done {
                Ok((subject, outcome)) => backlog.done(&subject, outcome, Instant::now()),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
            () = until(wake(backlog.due(), &leadership)) => {}
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// When to look again. Leadership that lapsed and was granted anew is not told as a change.
fn wake(due: Option<Instant>, leadership: &Leadership) -> Option<Instant> {
    if leadership.is_held() {
        due
    } else {
        due.map(|_| Instant::now() + FOLLOWER_PAUSE)
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}

/// Does one job.
#[derive(Debug)]
struct Hand<S> {
    server: S,
    controller_name: String,
    leadership: Leadership,
}

impl<S: StatusServer> Hand<S> {
    async fn work(&self, job: Job) -> (Subject, Outcome) {
        let subject = job.subject.clone();
        let outcome = match self.attempt(job).await {
            Ok(outcome) => outcome,
            Err(ServerError::NotFound) => Outcome::Gone,
            Err(error) => {
                tracing::warn!(%subject, %error, "the status cannot be written");
                Outcome::Failed
            }
        };
        (subject, outcome)
    }

    /// "Implementations MUST perform a read-modify-write cycle on this field before modifying it."
    /// (`RouteStatus.Parents`)
    async fn attempt(&self, job: Job) -> Result<Outcome, ServerError> {
        let Job {
            subject,
            wanted,
            uid,
            live: mut known,
        } = job;
        for attempt in 1..=MOST_CONFLICTS {
            let read = match known.take() {
                Some(live) => Some(live),
                None => timely(self.server.read(&subject)).await?,
            };
            let Some(live) = read.filter(|it| uid.as_ref().is_none_or(|uid| it.uid == *uid)) else {
                return Ok(Outcome::Gone);
            };
            match self.step(&subject, live, &wanted).await {
                Err(ServerError::Conflict) => tokio::time::sleep(CONFLICT_PAUSE * attempt).await,
                other => return other,
            }
        }
        Err(ServerError::Conflict)
    }

    async fn step(
        &self,
        subject: &Subject,
        live: Live,
        wanted: &serde_json::Value,
    ) -> Result<Outcome, ServerError> {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        let context = Context {
            kind: subject.kind,
            controller_name: &self.controller_name,
            now: &now.to_string(),
        };
        let merged = merge(context, &live.status, wanted);
        if merged.left_out > 0 {
            tracing::warn!(
                %subject,
                left_out = merged.left_out,
                "the status is full of what other controllers say; some of ours has no place",
            );
        }
        if merged.patch.is_empty() {
            return Ok(Outcome::Settled(live));
        }
        let version = &live.resource_version;
        let write = timely(self.server.write(subject, version, merged.patch));
        match self.leadership.during(write).await {
            Some(written) => Ok(Outcome::Settled(written?)),
            None => Ok(Outcome::NotLeader),
        }
    }
}

/// A request without an answer must not keep its object, and those behind it, waiting.
async fn timely<T>(
    request: impl Future<Output = Result<T, ServerError>>,
) -> Result<T, ServerError> {
    let answer = timeout(PATIENCE, request).await;
    answer.unwrap_or(Err(ServerError::Silent))
}
