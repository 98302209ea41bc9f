//! The listening sockets themselves.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use portcullis_ir::Transport;
use socket2::{Domain, Protocol, Socket, Type};

use crate::datagram::tell_addresses;
use crate::limits;

/// One worker's sockets of a port.
#[derive(Debug)]
pub(crate) enum Sockets {
    /// They accept connections.
    Tcp(Vec<TcpListener>),
    /// They receive datagrams.
    Udp(Vec<UdpSocket>),
}

impl Sockets {
    pub(super) fn none(transport: Transport) -> Self {
        match transport {
            Transport::Tcp => Self::Tcp(Vec::new()),
            Transport::Udp => Self::Udp(Vec::new()),
        }
    }

    fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) => Transport::Tcp,
            Self::Udp(_) => Transport::Udp,
        }
    }

    fn push_bound(&mut self, address: SocketAddr) -> io::Result<()> {
        let socket = open(address, self.transport(), Sharing::Workers)?;
        if self.transport() == Transport::Udp {
            tell_addresses(&socket, address.ip())?;
        }
        socket.bind(&address.into())?;
        match self {
            Self::Tcp(listeners) => {
                // Connections take them over from it.
                socket.set_tcp_nodelay(true)?;
                socket.set_tcp_keepalive(&limits::tcp_keep_alive())?;
                socket.listen(limits::ACCEPT_BACKLOG)?;
                listeners.push(socket.into());
            }
            Self::Udp(sockets) => {
                // The system gives what it allows of it.
                socket.set_recv_buffer_size(limits::DATAGRAM_RECEIVE_BUFFER)?;
                sockets.push(socket.into());
            }
        }
        Ok(())
    }
}

/// One socket per worker on the same address; the kernel spreads connections over them, and the
/// datagrams of one client over one of them.
pub(super) fn bind_shared(address: SocketAddr, workers: &mut [Sockets]) -> io::Result<SocketAddr> {
    let Some(transport) = workers.first().map(Sockets::transport) else {
        return Ok(address);
    };
    // A socket with SO_REUSEPORT joins another process's if both have it and the user is the
    // same. Asking without it first finds any other holder.
    let probe = open(address, transport, Sharing::Exclusive)?;
    probe.bind(&address.into())?;
    let actual = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    for worker in workers {
        worker.push_bound(actual)?;
    }
    Ok(actual)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Exclusive,
    Workers,
}

fn open(address: SocketAddr, transport: Transport, sharing: Sharing) -> io::Result<Socket> {
    let (kind, protocol) = match transport {
        Transport::Tcp => (Type::STREAM, Protocol::TCP),
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        let only_v6 = !address.ip().is_unspecified();
        socket.set_only_v6(only_v6)?;
    }
    // For TCP it is about connections that are still closing; for UDP it would share the port.
    socket.set_reuse_address(transport == Transport::Tcp)?;
    socket.set_reuse_port(sharing == Sharing::Workers)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_have_the_options_of_the_socket_that_accepts_them() {
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let mut workers = [Sockets::none(Transport::Tcp)];
            let bound = bind_shared(address.parse().unwrap(), &mut workers).unwrap();
            let [Sockets::Tcp(listeners)] = &workers else {
                panic!("{workers:?}");
            };
            let _client = std::net::TcpStream::connect(bound).unwrap();
            let (accepted, _) = loop {
                match listeners[0].accept() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    accepted => break accepted.unwrap(),
                }
            };
            let accepted = socket2::SockRef::from(&accepted);
            assert!(accepted.tcp_nodelay().unwrap(), "{address}");
            assert!(accepted.keepalive().unwrap(), "{address}");
            let probes = (
                accepted.tcp_keepalive_time().unwrap(),
                accepted.tcp_keepalive_interval().unwrap(),
            );
            assert_eq!(probes, (limits::TCP_KEEP_ALIVE, limits::TCP_KEEP_ALIVE));
        }
    }
}
