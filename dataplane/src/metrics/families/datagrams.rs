//! The families of UDP ports.

use portcullis_metrics::{Counter, Exposition, Kind};

use super::{View, per_variant};
use crate::metrics::DatagramMetrics;

/// One counter of a port.
type Pick = fn(&DatagramMetrics) -> &Counter;

impl View {
    pub(super) fn datagrams(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_udp_sessions_active",
            Kind::Gauge,
            "Clients whose datagrams are forwarded now.",
        );
        self.each_udp_port(|labels, port| family.sample(&labels, port.active.value()));
        let counters: [(_, _, Pick); 6] = [
            (
                "portcullis_udp_sessions_total",
                "Sessions with clients that began.",
                |port| &port.opened,
            ),
            (
                "portcullis_udp_sessions_evicted_total",
                "Sessions that ended for want of room.",
                |port| &port.evicted,
            ),
            (
                "portcullis_udp_received_datagrams_total",
                "Datagrams forwarded from clients to backends.",
                |port| &port.received.datagrams,
            ),
            (
                "portcullis_udp_received_bytes_total",
                "Bytes forwarded from clients to backends.",
                |port| &port.received.bytes,
            ),
            (
                "portcullis_udp_sent_datagrams_total",
                "Datagrams forwarded from backends to clients.",
                |port| &port.sent.datagrams,
            ),
            (
                "portcullis_udp_sent_bytes_total",
                "Bytes forwarded from backends to clients.",
                |port| &port.sent.bytes,
            ),
        ];
        for (name, help, counter) in counters {
            let mut family = out.family(name, Kind::Counter, help);
            self.each_udp_port(|labels, port| family.sample(&labels, counter(port).value()));
        }
        let mut family = out.family(
            "portcullis_udp_dropped_datagrams_total",
            Kind::Counter,
            "Datagrams that went nowhere, by reason.",
        );
        self.each_udp_port(|labels, port| per_variant(&mut family, labels, port.dropped.iter()));
    }

    fn each_udp_port(&self, mut f: impl FnMut([(&'static str, &str); 2], &DatagramMetrics)) {
        for gateway in &self.gateways {
            for (port, metrics) in &gateway.udp_ports {
                let labels = [("gateway", gateway.name.as_str()), ("port", port)];
                f(labels, &metrics.datagrams);
            }
        }
    }
}
