//! The gRPC service: one stream per data plane.

mod call;
mod registry;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tonic::Status;

pub(crate) use self::call::{Occupied, answer};
use self::registry::Registry;
use super::identity::{Accounts, Pod, Review, ServiceAccount};
use super::metrics::ServeMetrics;
use super::publisher::Publisher;
use super::roster::{Note, Roster};
use super::{Report, ReportSender};
use crate::leader::Leadership;

/// Streams at a time: pods of all Gateways.
const MAX_STREAMS: usize = 10_000;

/// Tokens that are reviewed at a time; more wait.
const MAX_REVIEWS: usize = 16;

/// From the start of a stream to its hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Age at which a stream is ended, so that the pod shows a token anew: a revoked one is good for no
/// longer than this. It is back within moments, and is sent what it missed.
const MAX_AGE: Duration = Duration::from_mins(10);

/// Notes of streams that may wait for [`report`].
const NOTES: usize = 64;

/// The service; cheap to clone.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
}

struct Shared {
    review: Arc<dyn Review>,
    reviews: Semaphore,
    accounts: watch::Receiver<Arc<Accounts>>,
    publisher: Publisher,
    leadership: Leadership,
    registry: Registry,
    notes: mpsc::Sender<Note>,
    metrics: Arc<ServeMetrics>,
}

/// What the service asks and tells.
pub struct Partners {
    /// Who tells whose a token is.
    pub review: Arc<dyn Review>,
    /// The service accounts of our Gateways' data planes.
    pub accounts: watch::Receiver<Arc<Accounts>>,
    /// What they are to serve.
    pub publisher: Publisher,
    /// Whether to serve them.
    pub leadership: Leadership,
    /// Where it is said what became of it.
    pub reports: ReportSender,
    /// Where it is counted.
    pub metrics: Arc<ServeMetrics>,
}

impl Streams {
    /// Starts what the streams have in common on the current runtime.
    pub fn new(partners: Partners) -> Self {
        let Partners {
            review,
            accounts,
            publisher,
            leadership,
            reports,
            metrics,
        } = partners;
        let (notes, receiver) = mpsc::channel(NOTES);
        tokio::spawn(report(receiver, leadership.changes(), reports));
        let shared = Shared {
            review,
            reviews: Semaphore::new(MAX_REVIEWS),
            accounts,
            publisher,
            leadership,
            registry: Registry::new(MAX_STREAMS),
            notes,
            metrics,
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl Shared {
    /// Returns when a stream must end, with what its pod is told.
    async fn must_end(&self, account: &ServiceAccount, pod: &Pod) -> Status {
        let revoked = async {
            let mut accounts = self.accounts.clone();
            let serves = |accounts: &Arc<Accounts>| accounts.get(account) == Some(&pod.gateway);
            let _ = accounts.wait_for(|accounts| !serves(accounts)).await;
        };
        let deposed = async {
            let mut changes = self.leadership.changes();
            let _ = changes.wait_for(|leads| !leads).await;
        };
        tokio::select! {
            () = revoked => Status::permission_denied("the Gateway is gone"),
            () = deposed => not_the_leader(),
            () = tokio::time::sleep(max_age(pod)) => {
                Status::unavailable("show a token anew")
            }
        }
    }
}

fn not_the_leader() -> Status {
    Status::unavailable("not the leader")
}

/// Spread over the pods, lest those that came together come back together for ever.
fn max_age(pod: &Pod) -> Duration {
    let sum = pod.uid.bytes().map(u32::from).sum::<u32>() % 100;
    MAX_AGE / 1000 * (1000 - sum)
}

/// Reports what is news of what the streams say.
async fn report(
    mut notes: mpsc::Receiver<Note>,
    mut leads: watch::Receiver<bool>,
    reports: ReportSender,
) {
    let mut roster = Roster::default();
    loop {
        let wake_at = roster.wake_at();
        let wake = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let news: Vec<Report> = tokio::select! {
            note = notes.recv() => match note {
                Some(note) => roster.take(note, tokio::time::Instant::now()).into_iter().collect(),
                None => return,
            },
            Ok(()) = leads.changed() => if *leads.borrow_and_update() {
                Vec::new()
            } else {
                roster.dismiss()
            },
            () = wake => roster.gone(tokio::time::Instant::now()),
        };
        for report in news {
            if reports.send(report).await.is_err() {
                return; // the process ends
            }
        }
    }
}
