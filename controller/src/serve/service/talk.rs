//! One pod's stream, from its hello to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portcullis_translate::PortFailure;
use portcullis_wire::messages::DataPlaneMessage;
use portcullis_wire::{Ack, Hello, Nack, RefusedResource, Reply, decode};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::registry::Seat;
use super::{HELLO_TIMEOUT, Shared};
use crate::serve::StreamState;
use crate::serve::identity::{Pod, Refusal, ServiceAccount};
use crate::serve::metrics::UpdateKind;
use crate::serve::publisher::{Channel, Newest};
use crate::serve::roster::{Note, What};
use crate::serve::session::{Order, Outcome, Session, Unasked};

/// How long the last word may take to be written.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where a stream's messages go.
pub(super) type Sender = mpsc::Sender<Result<Bytes, Status>>;

/// A pod that was let in.
pub(super) struct Visit {
    shared: Arc<Shared>,
    account: ServiceAccount,
    pod: Pod,
    seat: Seat,
}

/// How a stream ended by itself.
enum End {
    /// The pod is gone, or its connection.
    Left,
    /// We end it, and say why.
    Told(Status),
}

impl<E: Into<Status>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Told(error.into())
    }
}

impl Visit {
    pub(super) fn new(shared: Arc<Shared>, account: ServiceAccount, pod: Pod, seat: Seat) -> Self {
        Self {
            shared,
            account,
            pod,
            seat,
        }
    }

    /// Stays until the stream ends.
    pub(super) async fn stay(self, messages: Streaming<DataPlaneMessage>, out: Sender) {
        let Self {
            shared,
            account,
            pod,
            seat,
        } = self;
        let Seat { number, displaced } = seat;
        let talk = Talk {
            shared: &shared,
            pod: &pod,
            number,
            messages,
            out: &out,
        };
        let _open = shared.metrics.stream();
        let end = tokio::select! {
            end = talk.run() => end,
            status = shared.must_end(&account, &pod) => End::Told(status),
            _ = displaced => End::Told(Status::aborted("this pod has come on another stream")),
        };
        let Pod { gateway, name, .. } = &pod;
        match end {
            End::Left => tracing::info!(%gateway, pod = %name, "data plane left"),
            End::Told(status) => {
                let (code, reason) = (status.code(), status.message());
                tracing::info!(%gateway, pod = %name, ?code, reason, "ended a data plane's stream");
                let _ = timeout(FAREWELL, out.send(Err(status))).await;
            }
        }
        shared.registry.leave(&pod, number);
        shared.note(&pod, number, What::Closed).await;
    }
}

impl Shared {
    async fn note(&self, pod: &Pod, stream: u64, what: What) {
        let note = Note {
            pod: pod.clone(),
            stream,
            what,
        };
        // It fails when the process ends.
        let _ = self.notes.send(note).await;
    }
}

struct Talk<'a> {
    shared: &'a Shared,
    pod: &'a Pod,
    number: u64,
    messages: Streaming<DataPlaneMessage>,
    out: &'a Sender,
}

impl Talk<'_> {
    async fn run(mut self) -> End {
        match self.talk().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, End> {
        let hello = self.hello().await?;
        let channel = self.shared.publisher.channel(&self.pod.gateway);
        let mut newest = channel.subscribe();
        newest.mark_changed();
        let held = hello.holds.and_then(|version| channel.state(version));
        let mut session = Session::new(held);
        self.shared.note(self.pod, self.number, What::Opened).await;
        loop {
            if let Some(order) = session.next() {
                self.send(&channel, order).await?;
            }
            tokio::select! {
                reply = next_reply(&mut self.messages) => {
                    self.take(reply?, &mut session).await?;
                }
                changed = newest.changed() => {
                    let now = newest.borrow_and_update().clone();
                    match (changed, now) {
                        (Ok(()), Newest::State(state)) => session.publish(state),
                        (Ok(()), Newest::Nothing) => {}
                        (Ok(()), Newest::Withdrawn) | (Err(_), _) => {
                            return Err(Status::not_found("the Gateway is gone").into());
                        }
                    }
                }
            }
        }
    }

    async fn hello(&mut self) -> Result<Hello, End> {
        let first = timeout(HELLO_TIMEOUT, next_reply(&mut self.messages)).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no hello"))??;
        let Reply::Hello(hello) = first else {
            return Err(Status::invalid_argument("a stream begins with a hello").into());
        };
        let Hello {
            gateway,
            holds,
            build,
        } = &hello;
        if *gateway != self.pod.gateway {
            let refusal = Refusal::OtherGateway {
                own: self.pod.gateway.clone(),
                asked: gateway.clone(),
            };
            return Err(refusal.into());
        }
        let holds = holds.map(|version| version.to_string());
        tracing::info!(%gateway, pod = %self.pod.name, holds, build, "data plane came");
        Ok(hello)
    }

    async fn send(&self, channel: &Channel, order: Order) -> Result<(), End> {
        let kind = match order.from {
            None => UpdateKind::Full,
            Some(_) => UpdateKind::Delta,
        };
        let parts = channel.encode(order).await;
        let parts = parts.map_err(|_| Status::internal("the update could not be encoded"))?;
        self.shared.metrics.sent(kind, &parts);
        for part in parts.iter() {
            let sent = self.out.send(Ok(part.clone())).await;
            sent.map_err(|_| End::Left)?;
        }
        Ok(())
    }

    async fn take(&self, reply: Reply, session: &mut Session) -> Result<(), End> {
        let unasked = |error: Unasked| Status::invalid_argument(error.to_string());
        let state = match reply {
            Reply::Hello(_) => {
                return Err(Status::invalid_argument("hello was said already").into());
            }
            Reply::Ack(ack) => {
                session.ack(ack.version).map_err(unasked)?;
                acked(ack)
            }
            Reply::Nack(nack) => {
                self.shared.metrics.nacks.increment();
                let outcome = session.nack(nack.version).map_err(unasked)?;
                let Nack { version, reason } = nack;
                let Pod { gateway, name, .. } = self.pod;
                tracing::warn!(%gateway, pod = %name, %version, reason, ?outcome, "refused update");
                if outcome == Outcome::NeedsAll {
                    return Ok(());
                }
                StreamState::Nacked { version, reason }
            }
        };
        let said = What::Said(state);
        self.shared.note(self.pod, self.number, said).await;
        Ok(())
    }
}

/// The next message that this release knows.
async fn next_reply(messages: &mut Streaming<DataPlaneMessage>) -> Result<Reply, End> {
    loop {
        // An error is the connection's: there is nobody to be told.
        let Ok(Some(message)) = messages.message().await else {
            return Err(End::Left);
        };
        let reply = decode::reply(message);
        if let Some(reply) = reply.map_err(|error| Status::invalid_argument(error.to_string()))? {
            return Ok(reply);
        }
    }
}

fn acked(ack: Ack) -> StreamState {
    let Ack {
        version,
        generation,
        port_failures,
        refused,
    } = ack;
    let failure = |(key, reason)| (key, PortFailure::PortUnavailable(reason));
    let text = |resource: &RefusedResource| {
        let RefusedResource { id, field, reason } = resource;
        match id {
            Some(id) => format!("{id}: field {field} {reason}"),
            None => format!("field {field} {reason}"),
        }
    };
    StreamState::Acked {
        version,
        generation,
        port_failures: port_failures.into_iter().map(failure).collect(),
        refused: refused.iter().map(text).collect(),
    }
}
