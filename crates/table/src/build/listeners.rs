//! Ports and their listeners, before their routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_ir::{HostPattern, Listener, ListenerId, ListenerProtocol, PortKey, SharedMap};

use crate::host::HostMap;
use crate::l4::ForwardRules;
use crate::parts::{Attach, Parts};
use crate::port::{Family, ListenerTable, PortTable, Routes, Table};

/// What is served by which listener.
pub(super) struct Served<'r, P: Parts> {
    /// With the routes that listeners had before.
    pub(super) ports: BTreeMap<PortKey, PortTable<P>>,
    /// The listeners that had none.
    pub(super) fresh: BTreeSet<&'r ListenerId>,
}

/// The ports of `listeners`; the tables of `before` stay where nothing changed.
pub(super) fn served<'r, P: Parts>(
    listeners: &'r SharedMap<ListenerId, Listener>,
    before: &Table<P>,
    attach: &mut impl Attach<Parts = P>,
) -> Served<'r, P> {
    let mut served = Served {
        ports: BTreeMap::new(),
        fresh: BTreeSet::new(),
    };
    if *listeners == before.listeners {
        served.ports.clone_from(&before.ports);
        return served;
    }
    for (id, listener) in listeners {
        let family = family(&listener.protocol);
        let ports = &mut served.ports;
        let port = ports
            .entry(listener.port_key())
            .or_insert_with(|| PortTable {
                family,
                forwards_tls: false,
                listeners: HostMap::default(),
            });
        if port.family != family {
            continue;
        }
        port.forwards_tls |= family == Family::Tls && !takes_http(&listener.protocol);
        let name = name(listener);
        if port.listeners.get(name).is_some() {
            continue;
        }
        let known = before.listener(id);
        let known = known.filter(|it| takes_http(&it.protocol) == takes_http(&listener.protocol));
        if known.is_none() {
            served.fresh.insert(id);
        }
        let table = match known {
            Some(known) if is_like(known, listener) => Arc::clone(known),
            known => Arc::new(ListenerTable {
                id: id.clone(),
                hostname: listener.hostname.clone(),
                protocol: listener.protocol.clone(),
                attached: attach.listener(id),
                routes: known.map_or_else(|| no_routes(listener), |known| known.routes.clone()),
            }),
        };
        port.listeners.insert_new(name, table);
    }
    served
}

fn is_like<P: Parts>(table: &ListenerTable<P>, listener: &Listener) -> bool {
    table.hostname == listener.hostname && table.protocol == listener.protocol
}

fn no_routes<P: Parts>(listener: &Listener) -> Routes<P> {
    if takes_http(&listener.protocol) {
        Routes::Http(HostMap::default())
    } else {
        Routes::Forward(ForwardRules::default())
    }
}

impl<P: Parts> Table<P> {
    /// The table of a listener, if it is served.
    fn listener(&self, id: &ListenerId) -> Option<&Arc<ListenerTable<P>>> {
        let listener = self.listeners.get(id)?;
        let port = self.ports.get(&listener.port_key())?;
        let table = port.listeners.get(name(listener))?;
        (table.id == *id).then_some(table)
    }
}

/// The table of a listener of `listeners`, to be changed, if it is served.
pub(super) fn listener_mut<'p, P: Parts>(
    ports: &'p mut BTreeMap<PortKey, PortTable<P>>,
    id: &ListenerId,
    listeners: &SharedMap<ListenerId, Listener>,
) -> Option<&'p mut Arc<ListenerTable<P>>> {
    let listener = listeners.get(id)?;
    let port = ports.get_mut(&listener.port_key())?;
    let table = port.listeners.get_mut(name(listener))?;
    (table.id == *id).then_some(table)
}

/// The name by which it is found on its port.
fn name(listener: &Listener) -> &HostPattern {
    match family(&listener.protocol) {
        Family::Http | Family::Tls => &listener.hostname,
        Family::Tcp | Family::Udp => &HostPattern::Any,
    }
}

fn family(protocol: &ListenerProtocol) -> Family {
    match protocol {
        ListenerProtocol::Http => Family::Http,
        ListenerProtocol::Https(_)
        | ListenerProtocol::TlsTerminate(_)
        | ListenerProtocol::TlsPassthrough => Family::Tls,
        ListenerProtocol::Tcp => Family::Tcp,
        ListenerProtocol::Udp => Family::Udp,
    }
}

fn takes_http(protocol: &ListenerProtocol) -> bool {
    match protocol {
        ListenerProtocol::Http | ListenerProtocol::Https(_) => true,
        ListenerProtocol::TlsTerminate(_)
        | ListenerProtocol::TlsPassthrough
        | ListenerProtocol::Tcp
        | ListenerProtocol::Udp => false,
    }
}
