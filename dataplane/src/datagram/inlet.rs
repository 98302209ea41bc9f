//! One listening socket: what comes in there, and the answers that go out.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::num::NonZeroU16;
use std::sync::{Arc, Weak};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::Datagrams;
use super::batch::Received;
use super::session::{Endpoint, Held, Lead, Session};
use super::sessions::{Flow, InletId};
use super::socket::{ListeningSocket, Scratch};
use super::target::{Choice, leads_to};
use crate::limits;
use crate::listener::Stage;
use crate::listener::bind::{Gate, Never};
use crate::metrics::{DatagramDrop, OpenSession, PortMetrics};
use crate::state::{Live, Shared};
use crate::upstream::cluster::Cluster;

mod answers;

use answers::{Outbox, pass_answers};

/// What a worker has of a UDP port at one address.
#[derive(Debug)]
struct Inlet {
    id: InletId,
    /// The listener port as the user wrote it.
    port: NonZeroU16,
    socket: ListeningSocket,
    datagrams: Arc<Datagrams>,
    shared: Arc<Shared>,
    metrics: Arc<PortMetrics>,
    /// Whether the port is still served.
    stage: watch::Receiver<Stage>,
    /// Answers on their way to clients.
    outbox: Mutex<Outbox>,
    /// Tells the rest that the socket is gone: it is dropped after the socket, as fields are
    /// dropped first to last.
    _open: mpsc::Sender<Never>,
}

/// Starts to serve a UDP port on this worker's runtime.
pub(crate) fn serve_port(
    shared: &Arc<Shared>,
    datagrams: &Arc<Datagrams>,
    sockets: Vec<UdpSocket>,
    gate: Gate,
) {
    let Gate {
        port,
        signals,
        accepting,
        gateway: _,
        metrics,
    } = gate;
    for socket in sockets {
        match ListeningSocket::new(socket) {
            Ok(socket) => {
                let inlet = Inlet {
                    id: datagrams.new_inlet(),
                    port,
                    socket,
                    datagrams: Arc::clone(datagrams),
                    shared: Arc::clone(shared),
                    metrics: Arc::clone(&metrics),
                    stage: signals.stage.clone(),
                    outbox: Mutex::default(),
                    _open: accepting.clone(),
                };
                tokio::spawn(serve(Arc::new(inlet), signals.stage.clone()));
            }
            Err(error) => warn!(port, %error, "cannot serve UDP port"),
        }
    }
}

/// Serves until the port is closed, and then a moment longer: see [`Inlet::last_answers`].
async fn serve(inlet: Arc<Inlet>, mut stage: watch::Receiver<Stage>) {
    let _sessions = EndsSessions(&inlet);
    loop {
        let received = tokio::select! {
            biased;
            // An error means that the data plane is gone, which is as good.
            _ = stage.wait_for(|stage| *stage == Stage::Closed) => break,
            received = inlet.receive() => received,
        };
        if let Err(error) = received {
            warn!(port = inlet.port, %error, "cannot receive for now");
            tokio::time::sleep(limits::ACCEPT_BACK_OFF).await;
        }
    }
    inlet.last_answers().await;
}

/// Ends the sessions of a listening socket when its loop ends, however that comes.
struct EndsSessions<'a>(&'a Inlet);

impl Drop for EndsSessions<'_> {
    fn drop(&mut self) {
        let ended = self
            .0
            .datagrams
            .table
            .lock()
            .sessions
            .remove_inlet(self.0.id);
        drop(ended);
    }
}

impl Inlet {
    /// Forwards what has come, or waits for something to come.
    async fn receive(self: &Arc<Self>) -> io::Result<()> {
        let forward = |scratch: &Scratch| self.forward_all(scratch);
        self.socket.receive(&self.datagrams.scratch, forward).await
    }

    /// Sends the datagrams of clients on their way, those of one client together.
    fn forward_all(self: &Arc<Self>, scratch: &Scratch) {
        let live = self.shared.live.load();
        let now = Instant::now();
        let received = scratch.received();
        let flow = |place: usize| received.get(place).map(|received| self.flow(received));
        let mut order: [usize; limits::DATAGRAM_BATCH] = std::array::from_fn(|place| place);
        let order = order.get_mut(..received.len()).unwrap_or_default();
        order.sort_unstable_by_key(|place| (received.get(*place).map(by_client), *place));
        for places in order.chunk_by(|one, next| flow(*one) == flow(*next)) {
            let Some(flow) = places.first().and_then(|place| flow(*place)) else {
                continue;
            };
            let datagrams = places.iter().map(|place| scratch.datagram(*place));
            self.forward(flow, &live, now, datagrams);
        }
    }

    fn flow(&self, received: &Received) -> Flow {
        let Received {
            length: _,
            client,
            local,
        } = *received;
        Flow {
            inlet: self.id,
            client,
            local,
        }
    }

    /// Sends datagrams of a client on their way.
    fn forward<'d>(
        self: &Arc<Self>,
        flow: Flow,
        live: &Live,
        now: Instant,
        mut datagrams: impl ExactSizeIterator<Item = &'d [u8]> + Clone,
    ) {
        // What was refused is an earlier datagram: the rest begins another session.
        while datagrams.len() > 0 {
            let Some(session) = self.session(&flow, live, now) else {
                if let Some(datagram) = datagrams.next() {
                    self.begin(flow, live, datagram);
                }
                continue;
            };
            if self.send(&session, &mut datagrams) == Sent::EndpointGone {
                self.end(&session);
            }
        }
    }

    /// The session of a flow, if what it leads to is still there.
    fn session(&self, flow: &Flow, live: &Live, now: Instant) -> Option<Arc<Session>> {
        let mut table = self.datagrams.table.lock();
        let session = Arc::clone(&table.sessions.touch(flow, now)?.session);
        drop(table);
        if session.is_in_force(live, self.port) {
            return Some(session);
        }
        self.end(&session);
        None
    }

    fn begin(self: &Arc<Self>, flow: Flow, live: &Live, datagram: &[u8]) {
        match Choice::next(live, self.port) {
            Choice::NoRoute => self.drop_for(DatagramDrop::NoRoute),
            Choice::Nothing(why) => {
                self.drop_for(why);
                self.hold(flow, Lead::Nowhere(why), live);
            }
            Choice::Backend(cluster) => {
                // Pending only while a name is looked up for the first time.
                match cluster.next(&[]).now_or_never() {
                    Some(Some(pick)) => {
                        let connected = self.connect(&cluster, pick.address);
                        self.begin_with(flow, connected, live, datagram);
                    }
                    Some(None) => self.drop_for(DatagramDrop::NoEndpoint),
                    None => self.begin_later(flow, cluster, datagram),
                }
            }
        }
    }

    fn connect(
        &self,
        cluster: &Arc<Cluster>,
        address: SocketAddr,
    ) -> Result<Endpoint, DatagramDrop> {
        let connect = || Endpoint::connect(Arc::clone(cluster), address);
        let connected = match connect() {
            Err(error) if is_exhausted(&error) && self.datagrams.evict_oldest() => connect(),
            connected => connected,
        };
        connected.map_err(|error| {
            debug!(%address, %error, "cannot reach endpoint");
            if is_exhausted(&error) {
                DatagramDrop::Exhausted
            } else {
                DatagramDrop::Unreachable
            }
        })
    }

    fn begin_with(
        self: &Arc<Self>,
        flow: Flow,
        connected: Result<Endpoint, DatagramDrop>,
        live: &Live,
        datagram: &[u8],
    ) {
        match connected {
            Ok(endpoint) => {
                let session = self.hold(flow, Lead::Endpoint(endpoint), live);
                self.send(&session, &mut std::iter::once(datagram));
            }
            Err(why) => self.drop_for(why),
        }
    }

    /// Waits for the name of an endpoint, with the datagram.
    fn begin_later(self: &Arc<Self>, flow: Flow, cluster: Arc<Cluster>, datagram: &[u8]) {
        let Ok(room) = Arc::clone(&self.datagrams.lookups).try_acquire_owned() else {
            return self.drop_for(DatagramDrop::Exhausted);
        };
        let datagram: Box<[u8]> = datagram.into();
        let inlet = Arc::downgrade(self);
        tokio::spawn(async move {
            let pick = cluster.next(&[]).await;
            drop(room);
            let Some(inlet) = Weak::upgrade(&inlet) else {
                return;
            };
            // A session that began now would live on after the port's.
            if *inlet.stage.borrow() == Stage::Closed {
                inlet.drop_for(DatagramDrop::NoRoute);
                return;
            }
            let live = inlet.shared.live.load();
            if let Some(session) = inlet.session(&flow, &live, Instant::now()) {
                inlet.send(&session, &mut std::iter::once(&*datagram));
                return;
            }
            match pick {
                Some(pick) if leads_to(&live, inlet.port, &cluster, pick.address) => {
                    let connected = inlet.connect(&cluster, pick.address);
                    inlet.begin_with(flow, connected, &live, &datagram);
                }
                // The route leads elsewhere by now.
                Some(_) => inlet.begin(flow, &live, &datagram),
                None => inlet.drop_for(DatagramDrop::NoEndpoint),
            }
        });
    }

    /// Begins a session.
    fn hold(self: &Arc<Self>, flow: Flow, lead: Lead, live: &Live) -> Arc<Session> {
        let open = OpenSession::new(&self.metrics);
        let session = Arc::new(Session::new(flow, lead, live, open));
        let answers = match &session.lead {
            Lead::Endpoint(_) => {
                let task = pass_answers(Arc::clone(self), Arc::clone(&session));
                Some(tokio::spawn(task).abort_handle())
            }
            Lead::Nowhere(_) => None,
        };
        let held = Held {
            session: Arc::clone(&session),
            answers,
        };
        self.datagrams.insert(flow, held);
        session
    }

    /// Sends all datagrams, or those before one that was refused, or for which an earlier one was.
    fn send<'d>(
        &self,
        session: &Session,
        datagrams: &mut (impl ExactSizeIterator<Item = &'d [u8]> + Clone),
    ) -> Sent {
        let endpoint = match &session.lead {
            Lead::Endpoint(endpoint) => endpoint,
            Lead::Nowhere(why) => {
                datagrams.for_each(|_| self.drop_for(*why));
                return Sent::OrDropped;
            }
        };
        while datagrams.len() > 0 {
            match endpoint.send(datagrams.clone()) {
                Ok(sent) => {
                    session.note_asked();
                    for datagram in datagrams.by_ref().take(sent.max(1)) {
                        self.metrics.datagrams.received.datagram(datagram.len());
                    }
                }
                Err(error) if is_refusal(&error) => {
                    self.drop_for(DatagramDrop::Unreachable);
                    return Sent::EndpointGone;
                }
                Err(_) => {
                    datagrams.next();
                    self.drop_for(DatagramDrop::NotSent);
                }
            }
        }
        Sent::OrDropped
    }

    fn end(&self, session: &Arc<Session>) {
        let is_it = |held: &Held| Arc::ptr_eq(&held.session, session);
        let mut table = self.datagrams.table.lock();
        let ended = table.sessions.remove_if(&session.flow, is_it);
        drop(table);
        drop(ended);
    }

    fn drop_for(&self, why: DatagramDrop) {
        self.metrics.datagrams.dropped[why].increment();
    }

    /// Lets answers pass that clients wait for, each until it is [`limits::CLOSING_GRACE`] old.
    /// What clients send meanwhile is not read any more.
    async fn last_answers(&self) {
        const LOOKS: u32 = 10;
        while let Some(asked) = self.datagrams.last_unanswered(self.id) {
            let (now, until) = (Instant::now(), asked + limits::CLOSING_GRACE);
            if until <= now {
                return;
            }
            let next_look = now + limits::CLOSING_GRACE / LOOKS;
            tokio::time::sleep_until(until.min(next_look)).await;
        }
    }
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// It is gone, one way or the other.
    OrDropped,
    /// It was not sent: an earlier one was refused.
    EndpointGone,
}

/// What brings the datagrams of a client together.
fn by_client(received: &Received) -> (SocketAddr, Option<IpAddr>) {
    (received.client, received.local)
}

/// Whether a host said that a datagram cannot be delivered (ICMP).
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

fn is_exhausted(error: &io::Error) -> bool {
    let exhausted = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|errno| exhausted.contains(&errno))
        || error.kind() == io::ErrorKind::AddrInUse
}
