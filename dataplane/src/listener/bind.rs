//! Which ports are bound: wanted ones compared with those there are.
//!
//! A port that stays is not touched. New ports are bound before old ones are given up, so that an
//! apply which fails half way leaves what worked.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_ir::PortKey;
use portcullis_table::Family;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{mpsc, watch};

use super::{PortStates, Stage};
use crate::config::Config;
use crate::limits;
use crate::metrics::{GatewayMetrics, PortMetrics};

/// Why a port is not bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindFailure {
    /// Another process has it. Retrying helps once that one is gone.
    #[error("port {real}: in use by another process")]
    InUse {
        /// The port that was tried.
        real: u16,
    },
    /// The process may not bind ports below 1024.
    #[error(
        "port {real}: permission denied: ports below 1024 need CAP_NET_BIND_SERVICE, \
         or map it with --port-map {written}={suggestion}"
    )]
    Permission {
        /// The port that was tried.
        real: u16,
        /// The port as the Gateway has it.
        written: NonZeroU16,
        /// A port that would do.
        suggestion: u16,
    },
    /// The address is none of this host's.
    #[error("port {real}: {address} is not an address of this host")]
    NoSuchAddress {
        /// The port that was tried.
        real: u16,
        /// The address that was tried.
        address: IpAddr,
    },
    /// Two listener ports lead to the same real port.
    #[error("port {real}: listener port {other} is mapped there too")]
    MappedTwice {
        /// The port that both are mapped to.
        real: u16,
        /// The other listener port.
        other: NonZeroU16,
    },
    /// Its listeners speak what is not served yet.
    #[error("port {written}: {protocol} listeners are not supported yet")]
    Unsupported {
        /// The port as the Gateway has it.
        written: NonZeroU16,
        /// `TCP` or `UDP`.
        protocol: &'static str,
    },
    /// Any other refusal of the system.
    #[error("port {real}: {reason}")]
    Other {
        /// The port that was tried.
        real: u16,
        /// What the system said.
        reason: String,
    },
}

/// A port to bind.
#[derive(Clone, Copy)]
struct Wanted {
    key: PortKey,
    family: Family,
}

/// The ports a data plane holds.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    bound: BTreeMap<PortKey, BoundPort>,
}

/// A port that is bound.
#[derive(Debug)]
pub(crate) struct BoundPort {
    addresses: Vec<SocketAddr>,
    stage: watch::Sender<Stage>,
    /// pingora's own form of "not [`Stage::Open`]".
    shutdown: watch::Sender<bool>,
    leaving: Arc<AtomicBool>,
    /// Closed when the last accept loop has dropped its socket.
    accepting: mpsc::Receiver<Never>,
    #[expect(
        dead_code,
        reason = "held so that its series stay while the port is in the books"
    )]
    metrics: Arc<PortMetrics>,
}

/// A value that can not be.
#[derive(Debug)]
pub(crate) enum Never {}

/// One worker's sockets of a port, and what its accept loops listen to.
#[derive(Debug)]
pub(crate) struct Share {
    /// The listener port as the user wrote it.
    pub(crate) port: NonZeroU16,
    /// One socket per bind address.
    pub(crate) sockets: Vec<TcpListener>,
    /// Whether to go on.
    pub(crate) signals: Signals,
    /// Dropped with the sockets.
    pub(crate) accepting: mpsc::Sender<Never>,
    /// What the Gateway counts.
    pub(crate) gateway: Arc<GatewayMetrics>,
    /// What this port counts.
    pub(crate) metrics: Arc<PortMetrics>,
}

/// How a port tells its connections to end.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// For our own loops.
    pub(crate) stage: watch::Receiver<Stage>,
    /// For pingora.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Not [`Stage::Open`], for the look at it that every request takes.
    pub(crate) leaving: Arc<AtomicBool>,
}

impl Ports {
    /// Binds what is wanted and missing. Answers the state of every wanted port, and what each
    /// worker must serve in addition.
    pub(crate) fn bind_missing(
        &mut self,
        wanted: &BTreeMap<PortKey, Family>,
        config: &Config,
        gateway: &Arc<GatewayMetrics>,
    ) -> (PortStates, Vec<Vec<Share>>) {
        self.bound.retain(|_, port| !port.is_dead());
        let mut shares: Vec<_> = (0..config.workers.get()).map(|_| Vec::new()).collect();
        let mut states = PortStates::new();
        for (key, family) in wanted {
            let wanted = Wanted {
                key: *key,
                family: *family,
            };
            if !self.bound.contains_key(key) {
                match self.bind(wanted, config, gateway) {
                    Ok((port, new)) => {
                        self.bound.insert(*key, port);
                        shares
                            .iter_mut()
                            .zip(new)
                            .for_each(|(shares, new)| shares.push(new));
                    }
                    Err(failure) => {
                        states.insert(*key, Err(failure));
                    }
                }
            }
            if let Some(port) = self.bound.get(key) {
                states.insert(*key, Ok(port.addresses.clone()));
            }
        }
        (states, shares)
    }

    /// Takes out the ports that are no longer wanted.
    pub(crate) fn take_unwanted(&mut self, wanted: &BTreeMap<PortKey, Family>) -> Vec<BoundPort> {
        self.bound
            .extract_if(.., |key, _| !wanted.contains_key(key))
            .map(|(_, port)| port)
            .collect()
    }

    /// Moves every port to `stage`.
    pub(crate) fn enter(&self, stage: Stage) {
        self.bound.values().for_each(|port| port.enter(stage));
    }

    fn bind(
        &self,
        wanted: Wanted,
        config: &Config,
        gateway: &Arc<GatewayMetrics>,
    ) -> Result<(BoundPort, Vec<Share>), BindFailure> {
        let Wanted { key, family } = wanted;
        let unsupported = |protocol| BindFailure::Unsupported {
            written: key.port,
            protocol,
        };
        match family {
            Family::Http | Family::Tls => {}
            Family::Tcp => return Err(unsupported("TCP")),
            Family::Udp => return Err(unsupported("UDP")),
        }
        let real = config.ports.real(key);
        if let Some(other) = self.holder_of(real) {
            return Err(BindFailure::MappedTwice { real, other });
        }
        let mut sockets: Vec<_> = (0..config.workers.get()).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        let mut port = real;
        for address in &config.bind {
            let explain = |error: io::Error| explain(&error, key.port, port, *address);
            let bound = bind_shared(SocketAddr::new(*address, port), &mut sockets);
            let bound = bound.map_err(explain)?;
            // With several addresses and "any free port", the second takes the first one's.
            port = bound.port();
            addresses.push(bound);
        }
        Ok(share_out(key, addresses, sockets, gateway))
    }

    fn holder_of(&self, real: u16) -> Option<NonZeroU16> {
        let holds = |port: &BoundPort| port.addresses.iter().any(|held| held.port() == real);
        let (key, _) = self
            .bound
            .iter()
            .find(|(_, port)| real != 0 && holds(port))?;
        Some(key.port)
    }
}

impl BoundPort {
    fn enter(&self, stage: Stage) {
        self.leaving.store(true, Ordering::Relaxed);
        self.stage
            .send_if_modified(|now| std::mem::replace(now, stage.max(*now)) != *now);
        self.shutdown
            .send_if_modified(|now| !std::mem::replace(now, true));
    }

    /// Whether its accept loops ended by themselves, which a broken socket makes them do.
    fn is_dead(&self) -> bool {
        self.accepting.is_closed() || self.accepting.sender_strong_count() == 0
    }

    /// Stops accepting, and returns when the sockets are closed.
    pub(crate) async fn close(mut self) {
        self.enter(Stage::Closed);
        self.accepting.recv().await;
    }

    /// As [`BoundPort::close`], but for a port that is kept in the books.
    pub(crate) async fn closed(&mut self) {
        self.enter(Stage::Closed);
        self.accepting.recv().await;
    }
}

impl Ports {
    /// Stops accepting everywhere.
    pub(crate) async fn close_all(&mut self) {
        self.enter(Stage::Closed);
        for port in self.bound.values_mut() {
            port.closed().await;
        }
    }
}

fn share_out(
    key: PortKey,
    addresses: Vec<SocketAddr>,
    sockets: Vec<Vec<TcpListener>>,
    gateway: &Arc<GatewayMetrics>,
) -> (BoundPort, Vec<Share>) {
    let (stage_sender, stage) = watch::channel(Stage::Open);
    let (shutdown_sender, shutdown) = watch::channel(false);
    let (accepting, closed) = mpsc::channel(1);
    let leaving = Arc::new(AtomicBool::new(false));
    let signals = Signals {
        stage,
        shutdown,
        leaving: Arc::clone(&leaving),
    };
    let metrics = gateway.port(key);
    let shares = sockets.into_iter().map(|sockets| Share {
        port: key.port,
        sockets,
        signals: signals.clone(),
        accepting: accepting.clone(),
        gateway: Arc::clone(gateway),
        metrics: Arc::clone(&metrics),
    });
    let shares = shares.collect();
    let bound = BoundPort {
        addresses,
        stage: stage_sender,
        shutdown: shutdown_sender,
        leaving,
        accepting: closed,
        metrics,
    };
    (bound, shares)
}

/// One socket per worker on the same address; the kernel spreads connections over them.
fn bind_shared(address: SocketAddr, sockets: &mut [Vec<TcpListener>]) -> io::Result<SocketAddr> {
    // A socket with SO_REUSEPORT joins another process's if both have it and the user is the
    // same. Asking without it first finds any other holder.
    let probe = open(address, Sharing::Exclusive)?;
    probe.bind(&address.into())?;
    let actual = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    for worker in sockets {
        let socket = open(actual, Sharing::Workers)?;
        socket.bind(&actual.into())?;
        socket.listen(limits::ACCEPT_BACKLOG)?;
        worker.push(socket.into());
    }
    Ok(actual)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Exclusive,
    Workers,
}

fn open(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        let only_v6 = !address.ip().is_unspecified();
        socket.set_only_v6(only_v6)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::Workers)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn explain(error: &io::Error, written: NonZeroU16, real: u16, address: IpAddr) -> BindFailure {
    match error.kind() {
        io::ErrorKind::AddrInUse => BindFailure::InUse { real },
        io::ErrorKind::PermissionDenied => {
            let suggestion = 8000 + real % 1000;
            BindFailure::Permission {
                real,
                written,
                suggestion,
            }
        }
        io::ErrorKind::AddrNotAvailable => BindFailure::NoSuchAddress { real, address },
        _ => BindFailure::Other {
            real,
            reason: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests;
