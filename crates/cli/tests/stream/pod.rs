//! A data plane that follows a controller, in this process.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use portcullis_dataplane::admin::{Introspect, LoadedConfig};
use portcullis_dataplane::metrics::Metrics;
use portcullis_dataplane::source::{self, Controller, SourceConfig};
use portcullis_dataplane::{Config, DataPlane, PortMap};
use portcullis_ir::ObjectKey;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::controller::{Authority, token};
use crate::harness::until;

pub(crate) struct Pod {
    plane: Arc<DataPlane>,
    pub(crate) metrics: Arc<Metrics>,
    _mounted: TempDir,
    /// Dropped, it follows nobody; what is served stays.
    pub(crate) runtime: Option<Runtime>,
}

impl Pod {
    /// A pod of Gateway `default/g`.
    pub(crate) fn start(authority: &Authority, url: &str) -> Self {
        Self::of("g", &token("g", "pod"), authority, url)
    }

    /// A pod that says it serves `default/<gateway>`, and shows this token.
    pub(crate) fn of(gateway: &str, token: &str, authority: &Authority, url: &str) -> Self {
        Self::following(gateway, token, authority, url.parse().unwrap())
    }

    pub(crate) fn following(
        gateway: &str,
        token: &str,
        authority: &Authority,
        controller: Controller,
    ) -> Self {
        let mounted = tempfile::tempdir().unwrap();
        authority.mount(mounted.path(), token);
        let metrics = Metrics::new();
        let config = Config {
            bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            ports: PortMap::any_free(),
            workers: NonZeroUsize::MIN,
            metrics: Arc::clone(&metrics),
            ..Config::default()
        };
        let plane = Arc::new(DataPlane::start(config).unwrap());
        let source = SourceConfig {
            gateway: ObjectKey::new("default", gateway),
            controller,
            credentials: mounted.path().to_owned(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let following = source::follow(source, Arc::clone(&plane), metrics.stream());
        runtime.spawn(following);
        Self {
            plane,
            metrics,
            _mounted: mounted,
            runtime: Some(runtime),
        }
    }

    /// The Gateway's generation that it serves.
    pub(crate) fn generation(&self) -> Option<i64> {
        self.plane.applied().map(|applied| applied.generation)
    }

    pub(crate) fn loaded(&self) -> LoadedConfig {
        self.plane.loaded()
    }

    pub(crate) fn until_it_serves(&self, generation: i64) {
        until("the generation is served", || {
            (self.generation() == Some(generation)).then_some(())
        });
    }

    /// A metric without labels.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let text = self.metrics.exposition();
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
