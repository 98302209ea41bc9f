//! The listening socket: datagrams with the address they were sent to, answers from there.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::limits;

/// A bound socket.
#[derive(Debug)]
pub(super) struct ListeningSocket {
    socket: AsyncFd<UdpSocket>,
}

/// Puts a socket on the runtime, to wait for datagrams only: tokio's own `UdpSocket` waits for room
/// to send too, of which the kernel tells after every datagram that left.
#[expect(
    deprecated,
    reason = "what it is deprecated for cannot happen: a `UdpSocket` keeps its descriptor to its \
              end; what replaces it is unsafe to call"
)]
pub(super) fn waiting_for_datagrams(socket: UdpSocket) -> io::Result<AsyncFd<UdpSocket>> {
    socket.set_nonblocking(true)?;
    AsyncFd::with_interest(socket, ANSWER_OR_REFUSAL)
}

/// A datagram to read or, of a connected socket, the word of the other host that it refused one.
pub(super) const ANSWER_OR_REFUSAL: Interest = Interest::READABLE.add(Interest::ERROR);

/// Where a datagram is put, and what the kernel says of it.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) datagram: Box<[u8]>,
    control: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            datagram: vec![0; limits::MAX_DATAGRAM].into(),
            control: nix::cmsg_space!(libc::in6_pktinfo),
        }
    }
}

/// A datagram in [`Scratch::datagram`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) client: SocketAddr,
    /// Which of this host's addresses it was sent to; `None` if the socket takes only one.
    pub(super) local: Option<IpAddr>,
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
        let socket = waiting_for_datagrams(socket)?;
        Ok(Self { socket })
    }

    /// Has `each` receive the datagrams that are there, at most a batch of them; waits for the
    /// first. `each` says that there is none by [`io::ErrorKind::WouldBlock`]; any other error ends
    /// the batch. Dropping the future loses nothing.
    pub(super) async fn receive(
        &self,
        mut each: impl FnMut(&UdpSocket) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut ready = self.socket.readable().await?;
        for _ in 0..limits::DATAGRAM_BATCH {
            match ready.try_io(|socket| each(socket.get_ref())) {
                Ok(done) => done?,
                Err(_would_block) => return Ok(()),
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Answers a client. Never waits.
    pub(super) fn send(
        &self,
        datagram: &[u8],
        client: SocketAddr,
        local: Option<IpAddr>,
    ) -> io::Result<()> {
        let socket = self.socket.get_ref();
        match local {
            None => drop(socket.send_to(datagram, client)?),
            Some(IpAddr::V4(local)) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from(local).to_be(),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                send_from(
                    socket,
                    datagram,
                    client,
                    ControlMessage::Ipv4PacketInfo(&info),
                )?;
            }
            Some(IpAddr::V6(local)) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: local.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                send_from(
                    socket,
                    datagram,
                    client,
                    ControlMessage::Ipv6PacketInfo(&info),
                )?;
            }
        }
        Ok(())
    }
}

fn send_from(
    socket: &UdpSocket,
    datagram: &[u8],
    client: SocketAddr,
    from: ControlMessage<'_>,
) -> io::Result<()> {
    let client = SockaddrStorage::from(client);
    let datagram = [IoSlice::new(datagram)];
    let flags = MsgFlags::MSG_DONTWAIT;
    sendmsg(socket.as_raw_fd(), &datagram, &[from], flags, Some(&client))?;
    Ok(())
}

/// Reads one datagram, if there is one.
pub(super) fn receive_one(socket: &UdpSocket, scratch: &mut Scratch) -> io::Result<Received> {
    let Scratch { datagram, control } = scratch;
    let mut into = [IoSliceMut::new(datagram)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let received = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut into, Some(control), flags)?;
    let client = received.address.as_ref().and_then(socket_address);
    let local = received.cmsgs()?.find_map(|message| addressed(&message));
    Ok(Received {
        length: received.bytes,
        client: client.ok_or(io::ErrorKind::AddrNotAvailable)?,
        local,
    })
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    let v6 = address.as_sockaddr_in6()?;
    let (flow_info, scope) = (v6.flowinfo(), v6.scope_id());
    Some(SocketAddrV6::new(v6.ip(), v6.port(), flow_info, scope).into())
}

/// The address that a datagram was sent to. What was sent to a group is answered from the address
/// that the route prefers.
fn addressed(message: &ControlMessageOwned) -> Option<IpAddr> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(u32::from_be(info.ipi_spec_dst.s_addr).into()))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            (!address.is_multicast()).then_some(IpAddr::V6(address))
        }
        _ => None,
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
        let mut scratch = Scratch::default();
        let mut received = None;
        while received.is_none() {
            let once = listening.receive(|socket| {
                received = Some(receive_one(socket, &mut scratch)?);
                Ok(())
            });
            once.await.unwrap();
        }
        let Received {
            length,
            client: from,
            local,
        } = received.unwrap();
        assert_eq!(scratch.datagram.get(..length), Some(&b"?"[..]));
        listening.send(b"!", from, local).unwrap();
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
