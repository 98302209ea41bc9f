//! One client with the endpoint that its datagrams go to.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::batch;
use super::sessions::Flow;
use super::socket::waiting_for_datagrams;
use super::target;
use crate::metrics::{DatagramDrop, OpenSession};
use crate::state::Live;
use crate::upstream::cluster::Cluster;

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) flow: Flow,
    pub(super) lead: Lead,
    /// The serial number of what was served when the lead was last found in force.
    seen_in_force: AtomicU64,
    /// The client has sent something since the last answer.
    awaits_answer: AtomicBool,
    open: OpenSession,
}

/// Where a session leads.
#[derive(Debug)]
pub(super) enum Lead {
    /// To an endpoint.
    Endpoint(Endpoint),
    /// Nowhere.
    Nowhere(DatagramDrop),
}

/// The way to an endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    cluster: Arc<Cluster>,
    address: SocketAddr,
    /// Connected, so that only the endpoint's datagrams come in, and its host's refusals.
    pub(super) socket: AsyncFd<UdpSocket>,
}

impl Endpoint {
    /// Errors: no descriptor to be had, or no way to the address. Must be called on the runtime
    /// that is to wait for answers.
    pub(super) fn connect(cluster: Arc<Cluster>, address: SocketAddr) -> io::Result<Self> {
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
        // That binds it too, to a free port.
        socket.connect(&address.into())?;
        let socket = waiting_for_datagrams(socket.into())?;
        Ok(Self {
            cluster,
            address,
            socket,
        })
    }

    /// Sends to the endpoint. Never waits. Answers how many were sent: less than all if one could
    /// not be, and an error if that was the first.
    pub(super) fn send<'d>(&self, datagrams: impl Iterator<Item = &'d [u8]>) -> io::Result<usize> {
        batch::send_connected(self.socket.get_ref(), datagrams)
    }
}

impl Session {
    pub(super) fn new(flow: Flow, lead: Lead, live: &Live, open: OpenSession) -> Self {
        Self {
            flow,
            lead,
            seen_in_force: AtomicU64::new(live.serial),
            awaits_answer: AtomicBool::new(false),
            open,
        }
    }

    /// Whether it leads where the configuration served now lets it lead. Looked at whenever there is
    /// something to forward; the answer is remembered until the configuration changes.
    pub(super) fn is_in_force(&self, live: &Live, port: NonZeroU16) -> bool {
        if self.seen_in_force.load(Ordering::Relaxed) == live.serial {
            return true;
        }
        let in_force = match &self.lead {
            Lead::Endpoint(Endpoint {
                cluster,
                address,
                socket: _,
            }) => target::leads_to(live, port, cluster, *address),
            Lead::Nowhere(_) => false,
        };
        if in_force {
            self.seen_in_force.store(live.serial, Ordering::Relaxed);
        }
        in_force
    }

    pub(super) fn note_asked(&self) {
        self.awaits_answer.store(true, Ordering::Relaxed);
    }

    pub(super) fn note_answered(&self) {
        self.awaits_answer.store(false, Ordering::Relaxed);
    }

    pub(super) fn awaits_answer(&self) -> bool {
        self.awaits_answer.load(Ordering::Relaxed)
    }
}

/// A session in the table; dropping it ends the session.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) session: Arc<Session>,
    /// Passes on the answers of an endpoint.
    pub(super) answers: Option<AbortHandle>,
}

impl Held {
    /// Ends it for want of room.
    pub(super) fn evict(self) {
        self.session.open.evict();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(answers) = &self.answers {
            answers.abort();
        }
    }
}
