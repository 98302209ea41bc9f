//! One thread that accepts and proxies on its own.
//!
//! Each worker has its own runtime, its own listening sockets (SO_REUSEPORT), its own pingora
//! proxy and with it its own pool of connections to backends: a request never crosses threads.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_core::server::ShutdownWatch;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::sync::{mpsc, watch};

use crate::datagram::{Datagrams, inlet};
use crate::http::call::Calls;
use crate::http::deadline;
use crate::http::proxy::Gateway;
use crate::limits;
use crate::listener::accept;
use crate::listener::bind::{Share, Sockets};
use crate::listener::stream::connection_of;
use crate::state::Shared;

/// What a worker's connections share.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    proxy: Arc<Bounded>,
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Self {
        let conf = ServerConf {
            threads: 1,
            upstream_keepalive_pool_size: limits::BACKEND_POOL,
            // Attempts; how many there are is decided in `http::retry`.
            max_retries: usize::try_from(limits::MAX_RETRIES).map_or(1, |retries| retries + 1),
            ..ServerConf::default()
        };
        let calls = Calls::new(&conf);
        let gateway = Gateway::new(Arc::clone(&shared), calls);
        let mut proxy = http_proxy(&Arc::new(conf), gateway);
        proxy.h2_options = Some(h2_options());
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(limits::CLIENT_H2_IDLE_TIMEOUT);
        // Refused by us: pingora's own 405 over HTTP/2 would name pingora.
        options.allow_connect_method_proxying = true;
        proxy.server_options = Some(options);
        Self {
            shared,
            proxy: Arc::new(Bounded(Arc::new(proxy))),
        }
    }

    /// Serves HTTP on `stream` until it ends.
    pub(crate) async fn process(&self, stream: Stream, shutdown: &watch::Receiver<bool>) {
        self.proxy.process_new(stream, shutdown).await;
    }
}

/// pingora's proxy with a deadline for each request.
struct Bounded(Arc<HttpProxy<Gateway>>);

#[async_trait]
impl HttpServerApp for Bounded {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let connection = session.digest().and_then(connection_of).cloned();
        let serving = self.0.process_new_http(session, shutdown);
        deadline::bounded(connection, serving).await.flatten()
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.0.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.0.server_options()
    }
}

/// The worker's thread and the way to it.
#[derive(Debug)]
pub(crate) struct WorkerThread {
    pub(crate) shares: mpsc::Sender<Share>,
    thread: JoinHandle<()>,
}

impl WorkerThread {
    /// Starts worker number `index`. Errors: no thread or no descriptors to be had.
    pub(crate) fn start(index: usize, shared: Arc<Shared>) -> io::Result<Self> {
        let (shares, wanted) = mpsc::channel(64);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        let thread = thread.spawn(move || runtime.block_on(run(shared, wanted)))?;
        Ok(Self { shares, thread })
    }

    /// Ends the worker and everything it still serves.
    pub(crate) fn stop(self) {
        drop(self.shares);
        // A worker that panicked has said so on its own.
        let _ = self.thread.join();
    }
}

/// Serves what it is given until the data plane is dropped.
async fn run(shared: Arc<Shared>, mut shares: mpsc::Receiver<Share>) {
    let datagrams = Datagrams::new(shared.datagrams);
    let worker = Arc::new(Worker::new(shared));
    while let Some(share) = shares.recv().await {
        let Share { sockets, gate } = share;
        match sockets {
            Sockets::Tcp(sockets) => accept::serve_port(&worker, sockets, gate),
            Sockets::Udp(sockets) => inlet::serve_port(&worker.shared, &datagrams, sockets, gate),
        }
    }
}

/// Custom options lose pingora's own caps, so they start from pingora's defaults.
fn h2_options() -> H2Options {
    let mut options = default_h2_options();
    options
        .max_concurrent_streams(limits::MAX_CONCURRENT_STREAMS)
        .max_header_list_size(u32::try_from(limits::MAX_HEADER_LIST).unwrap_or(u32::MAX))
        .initial_window_size(limits::H2_STREAM_WINDOW)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW)
        .max_send_buffer_size(limits::H2_SEND_BUFFER);
    options
}
