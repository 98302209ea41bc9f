//! Where Gateways listen, and where they are reached.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portcullis_api::gateway::{AddressType, Gateway, GatewayAddress};

/// What is known of this machine and wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    /// Where Gateways that ask for no address listen.
    pub(crate) bind: Vec<IpAddr>,
    /// This machine's own addresses, best first: what `0.0.0.0` and `::` come to for a client.
    pub(crate) own: Vec<IpAddr>,
}

/// "Addresses requested for this Gateway" (`GatewaySpec.Addresses`).
pub(super) enum Asked {
    /// None in particular.
    Any,
    These(Vec<IpAddr>),
    /// One of them is no address of a kind that can be bound.
    Refused,
}

impl Asked {
    pub(super) fn by(gateway: &Gateway) -> Self {
        let mut addresses = Vec::new();
        for asked in &gateway.spec.addresses {
            let value = asked.value.as_deref().unwrap_or_default();
            match (asked.address_type(), value.parse()) {
                (AddressType::IpAddress, Ok(address)) => addresses.push(address),
                // "When a value is unspecified, an implementation SHOULD automatically assign an
                // address" (`GatewaySpecAddress.Value`)
                (AddressType::IpAddress, Err(_)) if value.is_empty() => {}
                _ => return Self::Refused,
            }
        }
        if addresses.is_empty() {
            Self::Any
        } else {
            Self::These(addresses)
        }
    }
}

impl Network {
    /// The addresses at which clients reach what is bound to `bound`.
    pub(super) fn reached_at(&self, bound: &BTreeSet<IpAddr>) -> Vec<GatewayAddress> {
        let mut reached: Vec<IpAddr> = Vec::new();
        for ip in bound {
            let own = self.own.iter().filter(|own| overlap(*ip, **own)).copied();
            let meant: Vec<IpAddr> = if ip.is_unspecified() {
                own.collect()
            } else {
                vec![*ip]
            };
            reached.extend(meant);
        }
        reached.dedup();
        let address = |ip: IpAddr| GatewayAddress {
            address_type: Some(AddressType::IpAddress),
            value: Some(ip.to_string()),
            routability: None,
        };
        reached.into_iter().map(address).collect()
    }
}

/// Whether sockets bound to both would meet. `::` takes IPv4 too.
pub(crate) fn overlap(a: IpAddr, b: IpAddr) -> bool {
    let takes = |all: IpAddr, ip: IpAddr| match all {
        IpAddr::V4(all) => all.is_unspecified() && ip.is_ipv4(),
        IpAddr::V6(all) => all.is_unspecified(),
    };
    a == b || takes(a, b) || takes(b, a)
}
