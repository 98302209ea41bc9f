//! The way back: from endpoints to clients.
//!
//! Every session has a socket of its own to receive on, but all answers leave through one: those
//! that come in while the runtime goes round its ready tasks leave together.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::unix::AsyncFdReadyGuard;
use tokio::time::Instant;
use tracing::debug;

use super::{Inlet, is_refusal};
use crate::datagram::batch::Slots;
use crate::datagram::session::{Endpoint, Lead, Session};
use crate::datagram::socket::ANSWER_OR_REFUSAL;
use crate::limits;
use crate::metrics::DatagramDrop;

/// Answers that have come in and not yet left.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    slots: Option<Slots>,
    /// By slot.
    answers: Vec<Answer>,
    /// Where the lengths of one batch are put; empty otherwise.
    lengths: Vec<usize>,
    /// A task is about to send them.
    leaves: bool,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    client: SocketAddr,
    local: Option<IpAddr>,
    length: usize,
}

/// Whether a socket may have more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Perhaps,
}

/// Passes on the answers of an endpoint until its session ends.
pub(super) async fn pass_answers(inlet: Arc<Inlet>, session: Arc<Session>) {
    let Lead::Endpoint(endpoint) = &session.lead else {
        return;
    };
    loop {
        match inlet.answer(&session, endpoint).await {
            Ok(()) => inlet.touch(&session),
            Err(error) => {
                if is_refusal(&error) {
                    inlet.drop_for(DatagramDrop::Unreachable);
                }
                break;
            }
        }
    }
    inlet.end(&session);
}

impl Inlet {
    /// Takes what has come from the endpoint, or waits for something to come. An error ends the
    /// session.
    async fn answer(self: &Arc<Self>, session: &Session, endpoint: &Endpoint) -> io::Result<()> {
        let mut ready = endpoint.socket.ready(ANSWER_OR_REFUSAL).await?;
        for _ in 0..limits::DATAGRAM_BATCHES {
            if self.collect(session, &mut ready)? == Left::Nothing {
                return Ok(());
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Takes what has come from the endpoint, if anything.
    fn collect(
        self: &Arc<Self>,
        session: &Session,
        ready: &mut AsyncFdReadyGuard<'_, std::net::UdpSocket>,
    ) -> io::Result<Left> {
        let mut outbox = self.outbox.lock();
        if outbox.room() == 0 {
            self.send_out(&mut outbox);
        }
        let room = outbox.room();
        let Ok(received) = ready.try_io(|socket| outbox.receive(socket.get_ref())) else {
            return Ok(Left::Nothing);
        };
        received?;
        if !session.is_in_force(&self.shared.live.load(), self.port) {
            outbox.lengths.clear();
            return Err(io::ErrorKind::NotConnected.into());
        }
        session.note_answered();
        let received = outbox.keep(session.flow.client, session.flow.local);
        if !std::mem::replace(&mut outbox.leaves, true) {
            let inlet = Arc::clone(self);
            tokio::spawn(async move {
                let mut outbox = inlet.outbox.lock();
                outbox.leaves = false;
                inlet.send_out(&mut outbox);
            });
        }
        if received < room {
            // There were no more.
            ready.clear_ready();
            return Ok(Left::Nothing);
        }
        Ok(Left::Perhaps)
    }

    /// Sends all answers that wait.
    fn send_out(&self, outbox: &mut Outbox) {
        let Some(slots) = &outbox.slots else { return };
        let mut first = 0;
        while let Some(rest @ [next, ..]) = outbox.answers.get(first..) {
            let from_same = rest.iter().take_while(|answer| answer.local == next.local);
            let datagrams = from_same.zip(first..).map(|(answer, slot)| {
                let datagram = slots.datagram(slot, answer.length);
                (answer.client, datagram)
            });
            match self.socket.send(next.local, datagrams) {
                Ok(sent) => {
                    for answer in rest.iter().take(sent) {
                        self.metrics.datagrams.sent.datagram(answer.length);
                    }
                    first += sent.max(1);
                }
                Err(error) => {
                    debug!(client = %next.client, %error, "an answer is lost");
                    self.drop_for(DatagramDrop::NotSent);
                    first += 1;
                }
            }
        }
        outbox.answers.clear();
    }

    fn touch(&self, session: &Session) {
        let mut table = self.datagrams.table.lock();
        table.sessions.touch(&session.flow, Instant::now());
    }
}

impl Outbox {
    /// How many more fit in.
    fn room(&self) -> usize {
        limits::DATAGRAM_BATCH.saturating_sub(self.answers.len())
    }

    fn receive(&mut self, socket: &std::net::UdpSocket) -> io::Result<()> {
        let (first, room) = (self.answers.len(), self.room());
        let slots = self.slots.get_or_insert_default();
        slots.receive_connected(socket, first, room, &mut self.lengths)?;
        Ok(())
    }

    /// Takes in what was received, for `client`. Answers how many.
    fn keep(&mut self, client: SocketAddr, local: Option<IpAddr>) -> usize {
        let received = self.lengths.len();
        let answers = self.lengths.drain(..).map(|length| Answer {
            client,
            local,
            length,
        });
        self.answers.extend(answers);
        received
    }
}
