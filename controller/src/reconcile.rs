//! The one loop: objects and observed facts in, snapshots, statuses and infrastructure out.
//!
//! What is decided is decided by [`control::Control`], which waits for nothing. [`run`] carries
//! news to it and orders away from it.

mod ask;
pub mod control;
mod desk;
mod fleet;
mod hold;
mod pace;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::control::{Control, Moment, Step};
use self::pace::Pace;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::serve::Publisher;
use crate::{infra, serve, status, watch};

/// Where news comes from.
#[derive(Debug)]
pub struct News {
    /// The cluster's objects.
    pub objects: mpsc::Receiver<watch::Event>,
    /// What data planes say.
    pub reports: mpsc::Receiver<serve::Report>,
    /// What there is around them.
    pub infra: mpsc::Receiver<infra::Event>,
    /// Whether we lead.
    pub leadership: Leadership,
}

/// Where orders go.
#[derive(Debug)]
pub struct Outlets {
    /// Snapshots.
    pub publisher: Publisher,
    /// The Secrets and ConfigMaps that are wanted.
    pub references: watch::ReferencesSender,
    /// Deployments, Services and so on.
    pub infra: infra::WantedSender,
    /// Statuses.
    pub statuses: status::OrderSender,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Reconciles until nobody has news any more.
pub async fn run(controller_name: String, mut news: News, outlets: Outlets) {
    let metrics = Arc::clone(&outlets.metrics);
    let mut control = Control::new(controller_name);
    let mut pace = Pace::new(Instant::now());
    let mut leads = news.leadership.changes();
    let mut is_leader = *leads.borrow_and_update();
    control.lead(is_leader, now().tick);
    // When the oldest of the news came that no step has followed yet.
    let mut since: Option<Instant> = None;
    loop {
        let moment = now();
        if control.owes_a_step() {
            since.get_or_insert(moment.tick);
        }
        let due = due(&control, &pace, moment);
        if due.is_some_and(|due| due <= moment.tick) {
            let step = control.step(moment);
            let has_translated = step.has_translated;
            if has_translated {
                metrics.translations.observe(moment.tick.elapsed());
            }
            let since = since.take().unwrap_or(moment.tick);
            let is_over = carry_out(step, since, &outlets).await.is_err();
            if !is_leader {
                pace.followed(Instant::now());
            } else if has_translated {
                pace.stepped(moment.tick, Instant::now());
            }
            if is_over {
                return;
            }
            continue;
        }
        tokio::select! {
            event = news.objects.recv() => match event {
                Some(event) => control.watched(event),
                None => return,
            },
            Some(report) = news.reports.recv() => control.reported(report),
            Some(event) = news.infra.recv() => control.observed(event),
            changed = leads.changed() => match changed {
                Ok(()) => {
                    is_leader = *leads.borrow_and_update();
                    control.lead(is_leader, Instant::now());
                    pace.lead(Instant::now());
                }
                Err(_) => return,
            },
            () = until(due) => {}
        }
    }
}

/// When to step next.
fn due(control: &Control, pace: &Pace, moment: Moment) -> Option<Instant> {
    if control.owes_a_step() {
        return Some(pace.earliest());
    }
    let recheck = control.recheck_at().map(|at| {
        let seconds = u64::try_from(at.saturating_sub(moment.unix)).unwrap_or_default();
        moment.tick + Duration::from_secs(seconds)
    });
    [recheck, control.deadline()].into_iter().flatten().min()
}

/// Nobody takes orders any more: the process is ending.
struct Over;

/// Hands out what follows from news, the oldest of which came at `since`.
async fn carry_out(step: Step, since: Instant, outlets: &Outlets) -> Result<(), Over> {
    let Step {
        references,
        publish,
        withdraw,
        infra,
        statuses,
        has_translated: _,
    } = step;
    if let Some(references) = references {
        outlets.references.send_replace(references);
    }
    for (gateway, snapshot) in publish {
        let version = snapshot.version();
        outlets.metrics.published(&gateway, version, since);
        outlets.publisher.publish(&gateway, snapshot);
    }
    for gateway in withdraw {
        outlets.metrics.withdrawn(&gateway);
        outlets.publisher.withdraw(&gateway);
    }
    if let Some(wanted) = infra {
        outlets.infra.send_replace(Some(Arc::clone(&wanted)));
    }
    if statuses.is_empty() {
        return Ok(());
    }
    outlets.statuses.send(statuses).await.map_err(|_| Over)
}

fn now() -> Moment {
    Moment {
        unix: jiff::Timestamp::now().as_second(),
        tick: Instant::now(),
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}
