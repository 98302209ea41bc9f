//! Several datagrams by one system call.
//!
//! The kernel writes into what it is given with the call, lengths among them, so that for each form
//! of socket and for each direction a worker has headers of their own.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6,
    SockaddrLike, recvmmsg, sendmmsg,
};

use crate::limits::{DATAGRAM_BATCH, MAX_DATAGRAM};

/// What a listening socket takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    V4(Scope),
    V6(Scope),
}

/// How many of this host's addresses a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    One,
    /// The kernel says with each datagram which it was sent to.
    Any,
}

impl Form {
    /// That of a socket bound to `address`.
    pub(super) fn of(address: IpAddr) -> Self {
        let scope = if address.is_unspecified() {
            Scope::Any
        } else {
            Scope::One
        };
        match address {
            IpAddr::V4(_) => Self::V4(scope),
            IpAddr::V6(_) => Self::V6(scope),
        }
    }
}

/// A datagram of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) client: SocketAddr,
    /// Which of this host's addresses it was sent to; `None` if the socket takes only one.
    pub(super) local: Option<IpAddr>,
}

/// Where datagrams of a batch lie: each in a slot of its own. What was never used takes no memory.
#[derive(Debug)]
pub(super) struct Slots(Box<[u8]>);

impl Default for Slots {
    fn default() -> Self {
        Self(vec![0; DATAGRAM_BATCH * MAX_DATAGRAM].into())
    }
}

impl Slots {
    /// The first `length` bytes of a slot.
    pub(super) fn datagram(&self, slot: usize, length: usize) -> &[u8] {
        let start = slot * MAX_DATAGRAM;
        self.0.get(start..start + length).unwrap_or_default()
    }

    /// Receives as many datagrams of clients as are there and find room. Answers how many.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        form: Form,
        received: &mut Vec<Received>,
    ) -> io::Result<usize> {
        HEADERS.with_borrow_mut(|headers| match form {
            Form::V4(scope) => {
                let headers = headers
                    .from_v4
                    .of(scope, || nix::cmsg_space!(libc::in_pktinfo));
                self.receive_with(headers, socket, received)
            }
            Form::V6(scope) => {
                let headers = headers
                    .from_v6
                    .of(scope, || nix::cmsg_space!(libc::in6_pktinfo));
                self.receive_with(headers, socket, received)
            }
        })
    }

    fn receive_with<S: Address>(
        &mut self,
        headers: &mut MultiHeaders<S>,
        socket: &UdpSocket,
        received: &mut Vec<Received>,
    ) -> io::Result<usize> {
        let mut slots = self.0.chunks_exact_mut(MAX_DATAGRAM);
        let mut slots: [_; DATAGRAM_BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let messages = recvmmsg(socket.as_raw_fd(), headers, &mut slots, flags, None)?;
        let mut count = 0;
        for message in messages {
            received.push(Received {
                length: message.bytes,
                client: message
                    .address
                    .ok_or(io::ErrorKind::AddrNotAvailable)?
                    .socket_address(),
                local: addressed_to(&message)?,
            });
            count += 1;
        }
        Ok(count)
    }

    /// Receives on a connected socket, into the slots from `first` on, at most `most` datagrams.
    /// Adds their lengths to `lengths`. Answers how many there were.
    pub(super) fn receive_connected(
        &mut self,
        socket: &UdpSocket,
        first: usize,
        most: usize,
        lengths: &mut Vec<usize>,
    ) -> io::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT;
        HEADERS.with_borrow_mut(|headers| {
            let mut slots = self.0.chunks_exact_mut(MAX_DATAGRAM).skip(first);
            let mut slots: [_; DATAGRAM_BATCH] =
                std::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
            let headers = headers.from_backend.get_or_insert_with(|| new(None));
            let slots = slots.iter_mut().take(most);
            let messages = recvmmsg(socket.as_raw_fd(), headers, slots, flags, None)?;
            let before = lengths.len();
            lengths.extend(messages.map(|message| message.bytes));
            Ok(lengths.len() - before)
        })
    }
}

/// Sends on a connected socket. Answers how many of the datagrams were sent: less than all if one
/// was refused, and an error if that was the first. At most [`DATAGRAM_BATCH`] are sent.
pub(super) fn send_connected<'d>(
    socket: &UdpSocket,
    datagrams: impl Iterator<Item = &'d [u8]>,
) -> io::Result<usize> {
    let (slices, count) = slices(datagrams);
    if let (1, Some([datagram])) = (count, slices.first()) {
        return socket.send(datagram).map(|_| 1);
    }
    let flags = MsgFlags::MSG_DONTWAIT;
    HEADERS.with_borrow_mut(|headers| {
        let headers = headers.to_backend.get_or_insert_with(|| new(None));
        let slices = slices.iter().take(count);
        let nowhere = [None; DATAGRAM_BATCH];
        let sent = sendmmsg(socket.as_raw_fd(), headers, slices, nowhere, [], flags)?;
        Ok(sent.count())
    })
}

/// As [`send_connected`], but each to a client, and all from `local`, which is one that a socket of
/// that form told.
pub(super) fn send_from<'d>(
    socket: &UdpSocket,
    form: Form,
    local: Option<IpAddr>,
    answers: impl Iterator<Item = (SocketAddr, &'d [u8])> + Clone,
) -> io::Result<usize> {
    let clients = answers.clone().map(|(client, _)| client);
    let (slices, count) = slices(answers.map(|(_, datagram)| datagram));
    let slices = slices.iter().take(count);
    let fd = socket.as_raw_fd();
    let flags = MsgFlags::MSG_DONTWAIT;
    HEADERS.with_borrow_mut(|headers| match (form, local) {
        (Form::V4(_), Some(IpAddr::V4(local))) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: u32::from(local).to_be(),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            let from = [ControlMessage::Ipv4PacketInfo(&info)];
            let headers = &mut headers.to_v4;
            let headers = headers.of(Scope::Any, || nix::cmsg_space!(libc::in_pktinfo));
            let sent = sendmmsg(fd, headers, slices, addresses(clients), from, flags)?;
            Ok(sent.count())
        }
        (Form::V6(_), Some(IpAddr::V6(local))) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: local.octets(),
                },
                ipi6_ifindex: 0,
            };
            let from = [ControlMessage::Ipv6PacketInfo(&info)];
            let headers = &mut headers.to_v6;
            let headers = headers.of(Scope::Any, || nix::cmsg_space!(libc::in6_pktinfo));
            let sent = sendmmsg(fd, headers, slices, addresses(clients), from, flags)?;
            Ok(sent.count())
        }
        (Form::V4(_), _) => {
            let headers = headers.to_v4.of(Scope::One, Vec::new);
            let sent = sendmmsg(fd, headers, slices, addresses(clients), [], flags)?;
            Ok(sent.count())
        }
        (Form::V6(_), _) => {
            let headers = headers.to_v6.of(Scope::One, Vec::new);
            let sent = sendmmsg(fd, headers, slices, addresses(clients), [], flags)?;
            Ok(sent.count())
        }
    })
}

/// The datagrams as the kernel takes them, and how many they are.
fn slices<'d>(
    mut datagrams: impl Iterator<Item = &'d [u8]>,
) -> ([[IoSlice<'d>; 1]; DATAGRAM_BATCH], usize) {
    let mut count = 0;
    let slices = std::array::from_fn(|_| {
        let datagram = datagrams.next();
        count += usize::from(datagram.is_some());
        [IoSlice::new(datagram.unwrap_or_default())]
    });
    (slices, count)
}

fn addresses<S: Address>(
    mut clients: impl Iterator<Item = SocketAddr>,
) -> [Option<S>; DATAGRAM_BATCH] {
    std::array::from_fn(|_| clients.next().map(S::of))
}

thread_local! {
    static HEADERS: RefCell<Headers> = RefCell::default();
}

#[derive(Default)]
struct Headers {
    from_v4: ByScope<SockaddrIn>,
    from_v6: ByScope<SockaddrIn6>,
    to_v4: ByScope<SockaddrIn>,
    to_v6: ByScope<SockaddrIn6>,
    from_backend: Option<MultiHeaders<()>>,
    to_backend: Option<MultiHeaders<()>>,
}

struct ByScope<S> {
    one: Option<MultiHeaders<S>>,
    any: Option<MultiHeaders<S>>,
}

impl<S> Default for ByScope<S> {
    fn default() -> Self {
        Self {
            one: None,
            any: None,
        }
    }
}

impl<S: Address> ByScope<S> {
    /// Those for `scope`; where the kernel tells addresses, or is told them, it does in `space`.
    fn of(&mut self, scope: Scope, space: impl FnOnce() -> Vec<u8>) -> &mut MultiHeaders<S> {
        match scope {
            Scope::One => self.one.get_or_insert_with(|| new(None)),
            Scope::Any => self.any.get_or_insert_with(|| new(Some(space()))),
        }
    }
}

fn new<S: SockaddrLike + Copy>(space: Option<Vec<u8>>) -> MultiHeaders<S> {
    MultiHeaders::preallocate(DATAGRAM_BATCH, space)
}

/// An address of one version of IP.
trait Address: SockaddrLike + Copy {
    fn socket_address(self) -> SocketAddr;

    /// `address` is to be of that version: it was told by a socket of that version.
    fn of(address: SocketAddr) -> Self;
}

impl Address for SockaddrIn {
    fn socket_address(self) -> SocketAddr {
        SocketAddrV4::new(self.ip(), self.port()).into()
    }

    fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => v4.into(),
            SocketAddr::V6(v6) => {
                let ip = v6.ip().to_ipv4_mapped();
                let ip = ip.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
                SocketAddrV4::new(ip, v6.port()).into()
            }
        }
    }
}

impl Address for SockaddrIn6 {
    fn socket_address(self) -> SocketAddr {
        let (flow_info, scope) = (self.flowinfo(), self.scope_id());
        SocketAddrV6::new(self.ip(), self.port(), flow_info, scope).into()
    }

    fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            SocketAddr::V6(v6) => v6.into(),
        }
    }
}

/// The address that a datagram was sent to. What was sent to a group is answered from the address
/// that the route prefers.
fn addressed_to<S>(message: &RecvMsg<'_, '_, S>) -> io::Result<Option<IpAddr>> {
    let local = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(u32::from_be(info.ipi_spec_dst.s_addr).into()))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            (!address.is_multicast()).then_some(IpAddr::V6(address))
        }
        _ => None,
    });
    Ok(local)
}
