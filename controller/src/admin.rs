//! The admin port: health, metrics, and what the data planes' pods hold.
//!
//! Serves `GET` and `HEAD` of
//!
//! - `/healthz`: 200 while the process runs.
//! - `/readyz`: 200 when every watch is in sync, else 503 with what is missing. Followers are ready
//!   too: they could lead.
//! - `/metrics`: [`crate::metrics`] in the Prometheus text format.
//! - `/sessions`: [`crate::sessions::Listing`] as JSON.
//!
//! Nothing here changes anything, and no page holds key material.

mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;
use portcullis_metrics::Exposition;
use tokio::sync::mpsc;

use crate::leader::Leadership;
use crate::metrics::{Metrics, Role};
use crate::serve::metrics::ServeMetrics;
use crate::sessions::Sessions;
use crate::watch::Event;

pub use self::server::serve;

/// What the admin port shows; shared with the rest of the process.
#[derive(Debug)]
pub struct AdminState {
    /// The pod's name, for `/sessions`.
    pub controller: String,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is counted of the streams.
    pub streams: Arc<ServeMetrics>,
    /// Whether this replica leads.
    pub leadership: Leadership,
    /// What pods said.
    pub sessions: Sessions,
    /// What is to happen before this replica is ready.
    pub awaited: Awaited,
    /// Where news wait for the reconcile loop.
    pub queue: mpsc::WeakSender<Event>,
}

/// What is to happen before a replica is ready, in words.
#[derive(Debug, Default)]
pub struct Awaited(Mutex<BTreeSet<String>>);

impl Awaited {
    /// These are to happen.
    pub fn new(what: impl IntoIterator<Item = String>) -> Self {
        Self(Mutex::new(what.into_iter().collect()))
    }

    /// One of them happened.
    pub fn happened(&self, what: &str) {
        self.0.lock().remove(what);
    }
}

/// An answer before it is HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    content_type: &'static str,
    body: String,
}

const PATHS: &str = "\
/healthz    200 while the process runs
/readyz     200 when all that is watched is known
/metrics    Prometheus metrics
/sessions   what the data planes' pods hold, as JSON
";

impl AdminState {
    fn page(&self, path: &str) -> Page {
        match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/metrics" => Page {
                content_type: portcullis_metrics::CONTENT_TYPE,
                ..text(StatusCode::OK, self.exposition())
            },
            "/sessions" => self.listing(),
            "/" => text(StatusCode::OK, PATHS),
            _ => text(
                StatusCode::NOT_FOUND,
                format!("not found; there is\n{PATHS}"),
            ),
        }
    }

    pub(crate) fn readiness(&self) -> Page {
        let missing: Vec<String> = self.awaited.0.lock().iter().cloned().collect();
        if missing.is_empty() {
            return text(StatusCode::OK, "ready\n");
        }
        let missing = missing.join("\n- ");
        text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready; awaited:\n- {missing}\n"),
        )
    }

    fn exposition(&self) -> String {
        let role = if self.leadership.is_held() {
            Role::Leader
        } else {
            Role::Follower
        };
        let mut out = Exposition::default();
        let queue = self.queue.upgrade();
        let waiting = queue.map_or(0, |queue| queue.max_capacity() - queue.capacity());
        self.metrics.expose(&mut out, role, waiting);
        self.streams.expose(&mut out);
        out.finish()
    }

    fn listing(&self) -> Page {
        let leads = self.leadership.is_held();
        let listing = self.sessions.listing(&self.controller, leads);
        match serde_json::to_string_pretty(&listing) {
            Ok(body) => Page {
                content_type: "application/json",
                ..text(StatusCode::OK, body + "\n")
            },
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Page {
    Page {
        status,
        content_type: "text/plain; charset=utf-8",
        body: body.into(),
    }
}
