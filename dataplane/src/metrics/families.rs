//! Which families there are and how their samples are labelled.

mod datagrams;
mod forward;

use std::sync::Arc;

use portcullis_ir::{ListenerId, ObjectKey, PortKey, RouteId, Transport};

use super::{
    ForwardMetrics, GatewayMetrics, Metrics, PortMetrics, RouteCounts, RouteMetrics, StreamMetrics,
    live,
};
use portcullis_metrics::{Counter, Exposition, Family, Kind, Variants};

/// Every live handle, with the labels as text.
struct View {
    gateways: Vec<GatewayView>,
}

struct GatewayView {
    name: String,
    metrics: Arc<GatewayMetrics>,
    tcp_ports: Vec<(String, Arc<PortMetrics>)>,
    udp_ports: Vec<(String, Arc<PortMetrics>)>,
    routes: Vec<(String, RouteId, Arc<RouteMetrics>)>,
    forwards: Vec<(String, RouteId, Arc<ForwardMetrics>)>,
}

pub(super) fn exposition(metrics: &Metrics) -> String {
    let gateways = live(&metrics.gateways).into_iter();
    let view = View {
        gateways: gateways
            .map(|(key, metrics)| GatewayView::of(&key, metrics))
            .collect(),
    };
    let mut out = Exposition::default();
    process(&mut out, metrics);
    view.configuration(&mut out);
    view.ports(&mut out);
    view.requests(&mut out);
    view.upstream(&mut out);
    view.mirrors(&mut out);
    view.forwards(&mut out);
    view.datagrams(&mut out);
    out.finish()
}

fn process(out: &mut Exposition, metrics: &Metrics) {
    out.family(
        "portcullis_build_info",
        Kind::Gauge,
        "The running version; always 1.",
    )
    .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.family(
        "portcullis_access_log_dropped_total",
        Kind::Counter,
        "Access log records lost because the writer did not keep up or failed.",
    )
    .sample(&[], metrics.access_log_dropped.value());
    if let Some(stream) = metrics.stream.get() {
        self::stream(out, stream);
    }
}

fn stream(out: &mut Exposition, metrics: &StreamMetrics) {
    out.family(
        "portcullis_stream_connected",
        Kind::Gauge,
        "Whether the controller's stream is open.",
    )
    .sample(&[], metrics.connected.value());
    let counters = [
        (
            "portcullis_stream_connects_total",
            "Streams that the controller accepted.",
            &metrics.connects,
        ),
        (
            "portcullis_stream_failures_total",
            "Attempts to get a stream that failed.",
            &metrics.failures,
        ),
        (
            "portcullis_updates_applied_total",
            "Updates from the controller that were applied.",
            &metrics.updates_applied,
        ),
        (
            "portcullis_updates_refused_total",
            "Updates from the controller that were refused whole.",
            &metrics.updates_refused,
        ),
    ];
    for (name, help, counter) in counters {
        out.family(name, Kind::Counter, help)
            .sample(&[], counter.value());
    }
    out.family(
        "portcullis_resources_refused",
        Kind::Gauge,
        "Resources of the configuration in force that could not be read.",
    )
    .sample(&[], metrics.resources_refused.value());
}

impl View {
    fn configuration(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_config_info",
            Kind::Gauge,
            "The snapshot in force, by its content version; always 1.",
        );
        for gateway in &self.gateways {
            let applied = gateway.metrics.configuration.lock().applied;
            if let Some((version, _)) = applied {
                let version = version.to_string();
                family.sample(&[("gateway", &gateway.name), ("version", &version)], 1);
            }
        }
        let mut family = out.family(
            "portcullis_config_generation_applied",
            Kind::Gauge,
            "metadata.generation of the Gateway whose snapshot is in force.",
        );
        for gateway in &self.gateways {
            let applied = gateway.metrics.configuration.lock().applied;
            if let Some((_, generation)) = applied {
                family.sample(&[("gateway", &gateway.name)], generation);
            }
        }
        let mut family = out.family(
            "portcullis_config_apply_errors_total",
            Kind::Counter,
            "Snapshots of which a part could not be applied.",
        );
        for gateway in &self.gateways {
            family.sample(
                &[("gateway", &gateway.name)],
                gateway.metrics.apply_errors.value(),
            );
        }
        self.certificates(out);
    }

    fn certificates(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_certificate_not_after_seconds",
            Kind::Gauge,
            "End of validity of a served certificate, seconds since the Unix epoch.",
        );
        for gateway in &self.gateways {
            for expiry in &gateway.metrics.configuration.lock().certificates {
                let listener = listener_label(&gateway.metrics.key, &expiry.listener);
                let labels = [
                    ("gateway", gateway.name.as_str()),
                    ("listener", listener),
                    ("certificate", expiry.certificate.as_str()),
                ];
                family.sample(&labels, expiry.not_after);
            }
        }
    }

    fn ports(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_connections_active",
            Kind::Gauge,
            "Client connections open now.",
        );
        self.each_port(|labels, port| family.sample(&labels, port.active.value()));
        let mut family = out.family(
            "portcullis_connections_total",
            Kind::Counter,
            "Client connections accepted.",
        );
        self.each_port(|labels, port| family.sample(&labels, port.accepted.value()));
        let mut family = out.family(
            "portcullis_tls_handshakes_total",
            Kind::Counter,
            "TLS handshakes with clients.",
        );
        self.each_port(|[gateway, port], metrics| {
            let failures = metrics.handshake_failures.iter();
            let failed: u64 = failures.map(|(_, counter)| counter.value()).sum();
            let succeeded = metrics.handshakes.value();
            if failed + succeeded > 0 {
                family.sample(&[gateway, port, ("result", "success")], succeeded);
                family.sample(&[gateway, port, ("result", "failure")], failed);
            }
        });
        let mut family = out.family(
            "portcullis_tls_handshake_failures_total",
            Kind::Counter,
            "TLS handshakes with clients that failed, by reason.",
        );
        self.each_port(|[gateway, port], metrics| {
            per_variant(
                &mut family,
                [gateway, port],
                metrics.handshake_failures.iter(),
            );
        });
        let mut family = out.family(
            "portcullis_rejected_total",
            Kind::Counter,
            "Requests and connections that got no backend's answer, by reason.",
        );
        for gateway in &self.gateways {
            let labels = [("gateway", gateway.name.as_str())];
            per_variant(&mut family, labels, gateway.metrics.rejected.iter());
        }
    }

    fn requests(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_requests_total",
            Kind::Counter,
            "Requests answered, by the class of the status code.",
        );
        self.each_route(|[gateway, listener, route], metrics| {
            for (class, counter) in metrics.requests.iter() {
                if counter.value() > 0 {
                    let labels = [gateway, listener, route, ("code", class.as_str())];
                    family.sample(&labels, counter.value());
                }
            }
        });
        let mut family = out.family(
            "portcullis_request_duration_seconds",
            Kind::Histogram,
            "From a request's head to the end of its answer.",
        );
        self.each_route(|labels, metrics| {
            if metrics
                .requests
                .iter()
                .any(|(_, counter)| counter.value() > 0)
            {
                family.histogram(&labels, &metrics.durations);
            }
        });
    }

    fn upstream(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_upstream_connect_failures_total",
            Kind::Counter,
            "Attempts to connect to an endpoint that failed.",
        );
        self.each_route(|labels, metrics| {
            unless_zero(&mut family, &labels, &metrics.connect_failures);
        });
        let mut family = out.family(
            "portcullis_upstream_retries_total",
            Kind::Counter,
            "Attempts after the first of a request, by what failed before.",
        );
        self.each_route(|labels, metrics| {
            per_variant(&mut family, labels, metrics.retries.iter());
        });
        let mut family = out.family(
            "portcullis_upstream_retry_budget_exhausted_total",
            Kind::Counter,
            "Retries that were not made, their backend having had its share of them.",
        );
        self.each_route(|labels, metrics| {
            unless_zero(&mut family, &labels, &metrics.retry_budget_exhausted);
        });
        self.backend_tls(out);
    }

    fn backend_tls(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_upstream_tls_handshakes_total",
            Kind::Counter,
            "TLS handshakes with backends; resumed ones went on with an earlier session.",
        );
        for gateway in &self.gateways {
            let metrics = &gateway.metrics.backend_tls;
            for (kind, counter) in [("full", &metrics.full), ("resumed", &metrics.resumed)] {
                let labels = [("gateway", gateway.name.as_str()), ("kind", kind)];
                unless_zero(&mut family, &labels, counter);
            }
        }
        let mut family = out.family(
            "portcullis_upstream_tls_failures_total",
            Kind::Counter,
            "TLS handshakes with backends that failed, by reason.",
        );
        for gateway in &self.gateways {
            let labels = [("gateway", gateway.name.as_str())];
            per_variant(
                &mut family,
                labels,
                gateway.metrics.backend_tls.failures.iter(),
            );
        }
    }

    fn mirrors(&self, out: &mut Exposition) {
        let mut family = out.family(
            "portcullis_mirrored_requests_total",
            Kind::Counter,
            "Copies of requests that a mirror took and began to answer.",
        );
        self.each_route(|labels, metrics| unless_zero(&mut family, &labels, &metrics.mirrored));
        let mut family = out.family(
            "portcullis_mirrored_requests_lost_total",
            Kind::Counter,
            "Copies of requests that no mirror answered, by reason.",
        );
        self.each_route(|labels, metrics| {
            per_variant(&mut family, labels, metrics.mirrors_lost.iter());
        });
    }

    fn each_port(&self, mut f: impl FnMut([(&'static str, &str); 2], &PortMetrics)) {
        for gateway in &self.gateways {
            for (port, metrics) in &gateway.tcp_ports {
                f([("gateway", &gateway.name), ("port", port)], metrics);
            }
        }
    }

    /// Every route on every listener, and as a route without a name what no route took.
    /// Every route that something was counted of.
    fn each_route(&self, mut f: impl FnMut([(&'static str, &str); 3], &RouteCounts)) {
        for gateway in &self.gateways {
            let name = ("gateway", gateway.name.as_str());
            if let Some(counts) = gateway.metrics.unrouted.counts() {
                f([name, ("listener", ""), ("route", "")], counts);
            }
            for (listener, route, metrics) in &gateway.routes {
                if let Some(counts) = metrics.counts() {
                    let labels = [name, ("listener", listener), ("route", route.as_str())];
                    f(labels, counts);
                }
            }
        }
    }
}

impl GatewayView {
    fn of(key: &ObjectKey, metrics: Arc<GatewayMetrics>) -> Self {
        let ports = live(&metrics.ports).into_iter();
        let (tcp_ports, udp_ports): (Vec<_>, Vec<_>) =
            ports.partition(|(key, _)| key.transport == Transport::Tcp);
        let named = |ports: Vec<(PortKey, _)>| {
            let named = ports.into_iter().map(|(key, port)| (key.to_string(), port));
            named.collect()
        };
        let routes = live(&metrics.routes).into_iter();
        let forwards = live(&metrics.forwards).into_iter();
        Self {
            name: key.to_string(),
            tcp_ports: named(tcp_ports),
            udp_ports: named(udp_ports),
            routes: routes
                .map(|((listener, route), metrics)| {
                    (listener_label(key, &listener).to_owned(), route, metrics)
                })
                .collect(),
            forwards: forwards
                .map(|((listener, route), metrics)| {
                    (listener_label(key, &listener).to_owned(), route, metrics)
                })
                .collect(),
            metrics,
        }
    }
}

/// A Gateway's own listener by its section name, one of a ListenerSet by its whole id.
fn listener_label<'a>(gateway: &ObjectKey, listener: &'a ListenerId) -> &'a str {
    let ObjectKey { namespace, name } = gateway;
    let id = listener.as_str();
    id.strip_prefix("Gateway/")
        .and_then(|rest| rest.strip_prefix(&**namespace)?.strip_prefix('/'))
        .and_then(|rest| rest.strip_prefix(&**name)?.strip_prefix('/'))
        .unwrap_or(id)
}

/// The variants that have been counted, as label `reason`.
fn per_variant<'a, const N: usize, V: Variants>(
    family: &mut Family<'_>,
    labels: [(&'static str, &str); N],
    counters: impl Iterator<Item = (V, &'a Counter)>,
) {
    for (variant, counter) in counters.filter(|(_, counter)| counter.value() > 0) {
        let mut labels = labels.to_vec();
        labels.push(("reason", variant.as_str()));
        family.sample(&labels, counter.value());
    }
}

fn unless_zero(family: &mut Family<'_>, labels: &[(&'static str, &str)], counter: &Counter) {
    if counter.value() > 0 {
        family.sample(labels, counter.value());
    }
}
