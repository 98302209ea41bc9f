//! The admin port's sockets.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::AdminState;
use super::pages::{self, Reach};

/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// For a request's head, from the end of the one before: also the keep-alive time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long accepting rests after it failed (the process is out of descriptors, most likely).
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);

/// A bound admin port. Served until this is dropped.
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl AdminServer {
    /// Binds `address` (port 0 takes any free one) and serves on the current tokio runtime.
    pub async fn start(address: SocketAddr, state: Arc<AdminState>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let reach = if listener.local_addr()?.ip().to_canonical().is_loopback() {
            Reach::ThisHost
        } else {
            Reach::Network
        };
        Self::serve(listener, state, reach)
    }

    /// As [`AdminServer::start`], but only health and metrics, which kubelet and Prometheus ask for
    /// from elsewhere: what is loaded is none of the network's business.
    pub async fn health(address: SocketAddr, state: Arc<AdminState>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Self::serve(listener, state, Reach::Health)
    }

    fn serve(listener: TcpListener, state: Arc<AdminState>, reach: Reach) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, state, reach));
        Ok(Self { address, task })
    }

    /// Where it is really bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<AdminState>, reach: Reach) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, Arc::clone(&state), reach, permit));
            }
            Err(error) => {
                tracing::warn!(%error, "admin port: accept failed");
                tokio::time::sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    state: Arc<AdminState>,
    reach: Reach,
    _permit: OwnedSemaphorePermit,
) {
    let service =
        service_fn(|request| ready(Ok::<_, Infallible>(pages::answer(&request, &state, reach))));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "admin connection");
    }
}
