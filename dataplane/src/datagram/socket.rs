//! The listening socket: datagrams with the address they were sent to, answers from there.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use parking_lot::Mutex;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::batch::{self, Form, Received, Slots};
use crate::limits;

/// A bound socket.
#[derive(Debug)]
pub(super) struct ListeningSocket {
    socket: AsyncFd<UdpSocket>,
    form: Form,
}

/// Puts a socket on the runtime, to wait for datagrams only: tokio's own `UdpSocket` waits for room
/// to send too, of which the kernel tells after every datagram that left. It is not to block.
#[expect(
    deprecated,
    reason = "what it is deprecated for cannot happen: a `UdpSocket` keeps its descriptor to its \
              end; what replaces it is unsafe to call"
)]
pub(super) fn waiting_for_datagrams(socket: UdpSocket) -> io::Result<AsyncFd<UdpSocket>> {
    AsyncFd::with_interest(socket, ANSWER_OR_REFUSAL)
}

/// A datagram to read or, of a connected socket, the word of the other host that it refused one.
pub(super) const ANSWER_OR_REFUSAL: Interest = Interest::READABLE.add(Interest::ERROR);

/// Datagrams of clients between receiving and sending.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    slots: Slots,
    /// By slot.
    received: Vec<Received>,
}

impl Scratch {
    /// The datagrams, in the order they came in.
    pub(super) fn received(&self) -> &[Received] {
        &self.received
    }

    /// What the datagram in that place says.
    pub(super) fn datagram(&self, place: usize) -> &[u8] {
        let length = self
            .received
            .get(place)
            .map_or(0, |received| received.length);
        self.slots.datagram(place, length)
    }
}

/// Has a socket that is to be bound to `address` tell which address each datagram was sent to, if
/// there is more than one: it would answer from the one that the route to the client prefers, which
/// on a host with several is not always the one that the client asked.
///
/// To be called before it is bound: of IPv4 datagrams that have come before, the system does not
/// know it any more.
pub(crate) fn tell_addresses(socket: &impl AsFd, address: IpAddr) -> io::Result<()> {
    match address {
        IpAddr::V4(any) if any.is_unspecified() => setsockopt(socket, Ipv4PacketInfo, &true)?,
        IpAddr::V6(any) if any.is_unspecified() => setsockopt(socket, Ipv6RecvPacketInfo, &true)?,
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Ok(())
}

impl ListeningSocket {
    /// `socket` is to have been prepared by [`tell_addresses`]. Must be called on the runtime that is to wait for it.
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let form = Form::of(socket.local_addr()?.ip());
        socket.set_nonblocking(true)?;
        let socket = waiting_for_datagrams(socket)?;
        Ok(Self { socket, form })
    }

    /// Receives the datagrams that are there, batch by batch, and has `each` take every batch from
    /// `scratch`; waits for the first. Dropping the future loses nothing.
    pub(super) async fn receive(
        &self,
        scratch: &Mutex<Scratch>,
        mut each: impl FnMut(&Scratch),
    ) -> io::Result<()> {
        let mut ready = self.socket.readable().await?;
        for _ in 0..limits::DATAGRAM_BATCHES {
            let mut scratch = scratch.lock();
            let Scratch { slots, received } = &mut *scratch;
            received.clear();
            let took = ready.try_io(|socket| slots.receive(socket.get_ref(), self.form, received));
            let Ok(took) = took else { return Ok(()) };
            let took = took?;
            each(&scratch);
            if took < limits::DATAGRAM_BATCH {
                // There were no more.
                ready.clear_ready();
                return Ok(());
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Answers clients from one address. Never waits. Answers how many were sent: less than all if
    /// one could not be, and an error if that was the first.
    pub(super) fn send<'d>(
        &self,
        local: Option<IpAddr>,
        answers: impl Iterator<Item = (SocketAddr, &'d [u8])> + Clone,
    ) -> io::Result<usize> {
        batch::send_from(self.socket.get_ref(), self.form, local, answers)
    }
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Socket, Type};

    use super::*;

    /// What a socket bound to `bind` takes to have come to which address when it was sent to `to`,
    /// and where the client sees the answer come from.
    async fn exchange(bind: &str, to: &str) -> (Option<IpAddr>, IpAddr) {
        let bind = SocketAddr::new(bind.parse().unwrap(), 0);
        let listening = Socket::new(Domain::for_address(bind), Type::DGRAM, None).unwrap();
        tell_addresses(&listening, bind.ip()).unwrap();
        listening.bind(&bind.into()).unwrap();
        let listening = UdpSocket::from(listening);
        let port = listening.local_addr().unwrap().port();
        let to: IpAddr = to.parse().unwrap();
        let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
        let client = tokio::net::UdpSocket::bind((any, 0)).await.unwrap();
        client.send_to(b"?", (to, port)).await.unwrap();
        // Not before: a client may be quicker than the worker.
        let listening = ListeningSocket::new(listening).unwrap();
        let scratch = Mutex::new(Scratch::default());
        let mut seen = Vec::new();
        while seen.is_empty() {
            let each = |scratch: &Scratch| {
                let datagrams = (0..).map(|place| scratch.datagram(place).to_vec());
                seen.extend(scratch.received().iter().copied().zip(datagrams));
            };
            listening.receive(&scratch, each).await.unwrap();
        }
        let [(received, datagram)] = &seen[..] else {
            panic!("{seen:?}");
        };
        let Received {
            length: _,
            client: from,
            local,
        } = *received;
        assert_eq!(datagram, b"?");
        let answer = std::iter::once((from, &b"!"[..]));
        assert_eq!(listening.send(local, answer).unwrap(), 1);
        let (_, answered_from) = client.recv_from(&mut [0; 8]).await.unwrap();
        assert_eq!(answered_from.port(), port);
        (local, answered_from.ip())
    }

    #[tokio::test]
    async fn answers_come_from_the_address_that_was_asked() {
        for (bind, to, local) in [
            ("0.0.0.0", "127.0.0.2", Some("127.0.0.2")),
            ("::", "127.0.0.2", Some("::ffff:127.0.0.2")),
            ("::", "::1", Some("::1")),
            ("127.0.0.2", "127.0.0.2", None),
        ] {
            let (seen, answered_from) = exchange(bind, to).await;
            let local = local.map(|local| local.parse().unwrap());
            assert_eq!(seen, local, "{bind}");
            assert_eq!(answered_from.to_string(), to, "{bind}");
        }
    }
}
