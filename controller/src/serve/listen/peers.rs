//! How many connections each address has, so that one cannot take the room of all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Connections at a time from one address: some networks show all pods of a node as the node.
const MAX_FROM_ONE: usize = 256;

/// The addresses that are connected.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    counts: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// One connection of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    peers: Peers,
    address: IpAddr,
}

impl Peers {
    /// One more connection of `address`; `None` if it has too many.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Guest> {
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_default();
        if *count == MAX_FROM_ONE {
            return None;
        }
        *count += 1;
        Some(Guest {
            peers: self.clone(),
            address,
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.peers.counts.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_has_room_of_its_own() {
        let peers = Peers::default();
        let (one, other) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let mut guests: Vec<_> = (0..MAX_FROM_ONE)
            .map(|_| peers.enter(one.into()).unwrap())
            .collect();
        assert!(peers.enter(one.into()).is_none());
        drop(peers.enter(other.into()).unwrap());
        guests.pop();
        guests.push(peers.enter(one.into()).unwrap());
        assert!(peers.enter(one.into()).is_none());
        drop(guests);
        assert!(peers.counts.lock().is_empty());
    }
}
