//! One thread that accepts and proxies on its own.
//!
//! Each worker has its own runtime, its own listening sockets (SO_REUSEPORT), and its own pool of
//! connections to backends: a request never crosses threads.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::datagram::{Datagrams, inlet};
use crate::http::gateway::Gateway;
use crate::listener::accept;
use crate::listener::bind::{Share, Sockets};
use crate::state::Shared;

/// What a worker's connections share.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) gateway: Gateway,
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            gateway: Gateway::new(Arc::clone(&shared)),
            shared,
        }
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
