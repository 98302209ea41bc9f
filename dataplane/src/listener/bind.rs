//! Which ports are bound: wanted ones compared with those there are.
//!
//! A port that stays is not touched. New ports are bound before old ones are given up, so that an
//! apply which fails half way leaves what worked.

mod failure;
mod socket;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_ir::PortKey;
use tokio::sync::{mpsc, watch};

use super::{PortStates, Stage};
use crate::config::Config;
use crate::metrics::{GatewayMetrics, PortMetrics};

pub use failure::{BindFailure, RealPort};
pub(crate) use socket::Sockets;

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
    /// Not [`Stage::Open`], see [`Signals`].
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

/// One worker's part of a port.
#[derive(Debug)]
pub(crate) struct Share {
    /// One socket per bind address.
    pub(crate) sockets: Sockets,
    /// What goes for all of them.
    pub(crate) gate: Gate,
}

/// What the loops that serve a port listen to, and where they count.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// The listener port as the user wrote it.
    pub(crate) port: NonZeroU16,
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
    /// For those who wait for it.
    pub(crate) stage: watch::Receiver<Stage>,
    /// Not [`Stage::Open`], for the look at it that every request takes.
    pub(crate) leaving: Arc<AtomicBool>,
}

impl Ports {
    /// Binds what is wanted and missing. Answers the state of every wanted port, and what each
    /// worker must serve in addition.
    pub(crate) fn bind_missing(
        &mut self,
        wanted: &BTreeSet<PortKey>,
        config: &Config,
        gateway: &Arc<GatewayMetrics>,
    ) -> (PortStates, Vec<Vec<Share>>) {
        self.bound.retain(|_, port| !port.is_dead());
        let mut shares: Vec<_> = (0..config.workers.get()).map(|_| Vec::new()).collect();
        let mut states = PortStates::new();
        for key in wanted {
            if !self.bound.contains_key(key) {
                match self.bind(*key, config, gateway) {
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
    pub(crate) fn take_unwanted(&mut self, wanted: &BTreeSet<PortKey>) -> Vec<BoundPort> {
        self.bound
            .extract_if(.., |key, _| !wanted.contains(key))
            .map(|(_, port)| port)
            .collect()
    }

    /// Moves every port to `stage`.
    pub(crate) fn enter(&self, stage: Stage) {
        self.bound.values().for_each(|port| port.enter(stage));
    }

    fn bind(
        &self,
        key: PortKey,
        config: &Config,
        gateway: &Arc<GatewayMetrics>,
    ) -> Result<(BoundPort, Vec<Share>), BindFailure> {
        let real = RealPort {
            number: config.ports.real(key),
            transport: key.transport,
        };
        if let Some(other) = self.holder_of(real) {
            return Err(BindFailure::MappedTwice { real, other });
        }
        let workers = 0..config.workers.get();
        let mut sockets: Vec<_> = workers.map(|_| Sockets::none(key.transport)).collect();
        let mut addresses = Vec::new();
        let mut port = real;
        for address in &config.bind {
            let bound = socket::bind_shared(SocketAddr::new(*address, port.number), &mut sockets);
            let bound =
                bound.map_err(|error| failure::explain(&error, key.port, port, *address))?;
            // With several addresses and "any free port", the second takes the first one's.
            port.number = bound.port();
            addresses.push(bound);
        }
        Ok(share_out(key, addresses, sockets, gateway))
    }

    fn holder_of(&self, real: RealPort) -> Option<NonZeroU16> {
        let holds = |key: &PortKey, port: &BoundPort| {
            key.transport == real.transport
                && port.addresses.iter().any(|held| held.port() == real.number)
        };
        let (key, _) = self
            .bound
            .iter()
            .find(|(key, port)| real.number != 0 && holds(key, port))?;
        Some(key.port)
    }
}

impl BoundPort {
    fn enter(&self, stage: Stage) {
        self.leaving.store(true, Ordering::Relaxed);
        self.stage
            .send_if_modified(|now| std::mem::replace(now, stage.max(*now)) != *now);
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
    sockets: Vec<Sockets>,
    gateway: &Arc<GatewayMetrics>,
) -> (BoundPort, Vec<Share>) {
    let (stage_sender, stage) = watch::channel(Stage::Open);
    let (accepting, closed) = mpsc::channel(1);
    let leaving = Arc::new(AtomicBool::new(false));
    let signals = Signals {
        stage,
        leaving: Arc::clone(&leaving),
    };
    let metrics = gateway.port(key);
    let gate = Gate {
        port: key.port,
        signals,
        accepting,
        gateway: Arc::clone(gateway),
        metrics: Arc::clone(&metrics),
    };
    let shares = sockets.into_iter().map(|sockets| Share {
        sockets,
        gate: gate.clone(),
    });
    let shares = shares.collect();
    let bound = BoundPort {
        addresses,
        stage: stage_sender,
        leaving,
        accepting: closed,
        metrics,
    };
    (bound, shares)
}

#[cfg(test)]
mod tests;
