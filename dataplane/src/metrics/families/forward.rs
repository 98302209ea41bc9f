//! The families of TLSRoutes and TCPRoutes.

use portcullis_metrics::{Counter, Exposition, Kind};

use super::{View, per_variant};
use crate::metrics::ForwardMetrics;

impl View {
    /// Of TLSRoutes and TCPRoutes that have taken a connection.
    pub(super) fn forwards(&self, out: &mut Exposition) {
        type Read = fn(&ForwardMetrics) -> &Counter;
        let mut family = out.family(
            "portcullis_tcp_connections_active",
            Kind::Gauge,
            "Connections of layer 4 routes that are connected to a backend now.",
        );
        self.each_forward(|labels, metrics| family.sample(&labels, metrics.active.value()));
        let counters: [(_, _, Read); 3] = [
            (
                "portcullis_tcp_connections_total",
                "Connections that layer 4 routes took.",
                |metrics| &metrics.connections,
            ),
            (
                "portcullis_tcp_received_bytes_total",
                "Bytes forwarded from clients to backends by layer 4 routes.",
                |metrics| &metrics.received,
            ),
            (
                "portcullis_tcp_sent_bytes_total",
                "Bytes forwarded from backends to clients by layer 4 routes.",
                |metrics| &metrics.sent,
            ),
        ];
        for (name, help, counter) in counters {
            let mut family = out.family(name, Kind::Counter, help);
            self.each_forward(|labels, metrics| family.sample(&labels, counter(metrics).value()));
        }
        let mut family = out.family(
            "portcullis_tcp_connect_failures_total",
            Kind::Counter,
            "Attempts to connect to an endpoint for a layer 4 route that failed, by reason.",
        );
        self.each_forward(|labels, metrics| {
            per_variant(&mut family, labels, metrics.connect_failures.iter());
        });
    }

    fn each_forward(&self, mut f: impl FnMut([(&'static str, &str); 3], &ForwardMetrics)) {
        for gateway in &self.gateways {
            let used = gateway.forwards.iter();
            for (listener, route, metrics) in used.filter(|(.., m)| m.connections.value() > 0) {
                let labels = [
                    ("gateway", gateway.name.as_str()),
                    ("listener", listener),
                    ("route", route.as_str()),
                ];
                f(labels, metrics);
            }
        }
    }
}
