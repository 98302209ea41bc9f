//! `portcullis dataplane`: one Gateway in a cluster, as the controller says.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_dataplane::admin::{AdminServer, AdminState, Introspect, LoadedConfig, Readiness};
use portcullis_dataplane::metrics::{Metrics, StreamMetrics};
use portcullis_dataplane::source::{self, SourceConfig};
use portcullis_dataplane::{Config, DataPlane, Drained, PortMap, StartError};

use crate::config;
use crate::exit::Exit;
use crate::signals::Ending;
use crate::standalone::{self, open_access_log};

/// How long following the controller rests after it panicked.
const FOLLOW_AGAIN: Duration = Duration::from_secs(5);

/// Why a data plane cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("{option} {address}: {source}")]
    Listen {
        option: &'static str,
        address: SocketAddr,
        source: io::Error,
    },
    #[error(transparent)]
    AccessLog(#[from] standalone::StartError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Runs `portcullis dataplane`.
pub(crate) async fn run(config: config::DataPlane) -> Result<Exit, RunError> {
    let config::DataPlane {
        source,
        health,
        admin: admin_address,
        workers,
        drain,
        access_log,
    } = config;
    let mut ending = Ending::new()?;
    let metrics = Metrics::new();
    let admin = AdminState::new(Arc::clone(&metrics));
    let access_log = open_access_log(access_log, &metrics)?;
    let data_plane = DataPlane::start(Config {
        bind: vec![config::every_address()],
        ports: PortMap::default(),
        workers,
        drain,
        access_log: access_log.clone(),
        metrics: Arc::clone(&metrics),
        ..Config::default()
    })?;
    let data_plane = Arc::new(data_plane);
    let SourceConfig { gateway, .. } = &source;
    let shown = Shown(Arc::clone(&data_plane));
    admin.register(gateway.clone(), Arc::new(shown));
    let health = AdminServer::health(health, Arc::clone(&admin))
        .await
        .map_err(listen("--health", health))?;
    let pages = AdminServer::start(admin_address, Arc::clone(&admin))
        .await
        .map_err(listen("--admin", admin_address))?;
    let (health_at, admin_at) = (health.local_addr(), pages.local_addr());
    tracing::info!(%gateway, health = %health_at, admin = %admin_at, "data plane started");

    // To the end: what changes while it drains counts for the requests that still come.
    let following = keep_following(source, Arc::clone(&data_plane), metrics.stream());
    tokio::spawn(following);
    let signal = ending.next().await;
    let _draining = admin.hold("shutting down");
    tracing::info!(
        ?signal,
        "ending when requests in flight are done; once more to end at once"
    );
    let exit = tokio::select! {
        drained = data_plane.drain() => match drained {
            Drained::Completely => Exit::Done,
            Drained::CutOff { connections } => {
                tracing::warn!(connections, "time is up, connections were cut off");
                Exit::Failed
            }
        },
        again = ending.next() => again,
    };
    access_log.flush();
    Ok(exit)
}

/// Follows the controller for ever. A panic must not leave a data plane that serves an old
/// configuration and hears of no other: it begins anew, with nothing held.
async fn keep_following(
    source: SourceConfig,
    data_plane: Arc<DataPlane>,
    metrics: Arc<StreamMetrics>,
) {
    loop {
        let (data_plane, metrics) = (Arc::clone(&data_plane), Arc::clone(&metrics));
        let following = source::follow(source.clone(), data_plane, metrics);
        if let Err(error) = tokio::spawn(following).await {
            tracing::error!(%error, "following the controller failed; beginning anew");
        }
        tokio::time::sleep(FOLLOW_AGAIN).await;
    }
}

fn listen(option: &'static str, address: SocketAddr) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Listen {
        option,
        address,
        source,
    }
}

/// A data plane whose readiness is that of its pod: a port that cannot be bound is the affair of
/// its listener, whose status says so, and must not take the others from the Service.
struct Shown(Arc<DataPlane>);

impl Introspect for Shown {
    fn loaded(&self) -> LoadedConfig {
        self.0.loaded()
    }

    fn readiness(&self) -> Readiness {
        let serves_a_part = self
            .0
            .applied()
            .is_some_and(|applied| applied.ports.values().any(Result::is_ok));
        if serves_a_part {
            return Readiness::ready();
        }
        self.0.readiness()
    }
}
