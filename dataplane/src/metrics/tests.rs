use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use portcullis_ir::{CertificateId, ListenerId, ObjectKey, PortKey, RouteId, Transport, Version};

use super::{CertificateExpiry, HandshakeFailure, Metrics};
use crate::access_log::ResponseFlag;

fn key() -> ObjectKey {
    ObjectKey::new("default", "mygateway")
}

fn https() -> ListenerId {
    ListenerId::new("Gateway/default/mygateway/https")
}

fn route(name: &str) -> RouteId {
    RouteId::new(format!("HTTPRoute/default/{name}"))
}

const PORT: PortKey = PortKey {
    port: NonZeroU16::new(443).unwrap(),
    transport: Transport::Tcp,
};

/// The samples whose line starts with `name`.
fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = metrics.exposition();
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.map(str::to_owned).collect()
}

#[test]
fn requests_are_counted_by_route_and_class() {
    let metrics = Metrics::new();
    let gateway = metrics.gateway(&key());
    let handle = gateway.route(&https(), &route("httpbin"));
    handle.request(Some(StatusCode::IM_A_TEAPOT), Duration::from_millis(3));
    handle.request(Some(StatusCode::OK), Duration::from_micros(500));
    handle.request(Some(StatusCode::OK), Duration::from_secs(11));
    handle.request(None, Duration::from_millis(1));
    gateway
        .unrouted
        .request(Some(StatusCode::NOT_FOUND), Duration::ZERO);
    let labels =
        r#"gateway="default/mygateway",listener="https",route="HTTPRoute/default/httpbin""#;
    assert_eq!(
        samples(&metrics, "portcullis_requests_total"),
        [
            r#"portcullis_requests_total{gateway="default/mygateway",listener="",route="",code="4xx"} 1"#.to_owned(),
            format!(r#"portcullis_requests_total{{{labels},code="2xx"}} 2"#),
            format!(r#"portcullis_requests_total{{{labels},code="4xx"}} 1"#),
            format!(r#"portcullis_requests_total{{{labels},code="none"}} 1"#),
        ]
    );
    let histogram = samples(
        &metrics,
        &format!("portcullis_request_duration_seconds_bucket{{{labels}"),
    );
    let counts: Vec<&str> = histogram
        .iter()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(
        counts,
        [
            "1", "2", "2", "3", "3", "3", "3", "3", "3", "3", "3", "3", "4"
        ],
        "a duration equal to a bound falls into its bucket"
    );
    assert!(histogram.last().unwrap().contains(r#"le="+Inf""#));
    assert_eq!(
        samples(
            &metrics,
            &format!("portcullis_request_duration_seconds_sum{{{labels}")
        ),
        [format!(
            "portcullis_request_duration_seconds_sum{{{labels}}} 11.0045"
        )]
    );
}

#[test]
fn handles_are_shared_and_vanish_with_their_last_holder() {
    let metrics = Metrics::new();
    let gateway = metrics.gateway(&key());
    let old = gateway.route(&https(), &route("httpbin"));
    old.retries[super::RetryReason::Status].increment();
    let new = gateway.route(&https(), &route("httpbin"));
    assert!(Arc::ptr_eq(&old, &new));
    drop(old);
    assert_eq!(
        samples(&metrics, "portcullis_upstream_retries_total").len(),
        1
    );
    drop(new);
    assert_eq!(
        samples(&metrics, "portcullis_upstream_retries_total").len(),
        0
    );
    assert!(gateway.routes.lock().is_empty());
    drop(gateway);
    assert!(!metrics.exposition().contains("mygateway"));
}

#[test]
fn routes_that_served_nothing_show_nothing() {
    let metrics = Metrics::new();
    let gateway = metrics.gateway(&key());
    let _idle = gateway.route(&https(), &route("idle"));
    assert!(!metrics.exposition().contains("idle"));
}

#[test]
fn connections_are_active_while_they_live() {
    let metrics = Metrics::new();
    let port = metrics.gateway(&key());
    let port = (Arc::clone(&port), port.port(PORT));
    let (first, second) = (port.1.connection(), port.1.connection());
    drop(first);
    let labels = r#"{gateway="default/mygateway",port="443"}"#;
    assert_eq!(
        samples(&metrics, "portcullis_connections_active"),
        [format!("portcullis_connections_active{labels} 1")]
    );
    assert_eq!(
        samples(&metrics, "portcullis_connections_total"),
        [format!("portcullis_connections_total{labels} 2")]
    );
    drop(second);
    assert_eq!(port.1.active.value(), 0);
}

#[test]
fn handshakes_and_rejections_tell_why() {
    let metrics = Metrics::new();
    let gateway = metrics.gateway(&key());
    let port = gateway.port(PORT);
    port.handshakes.increment();
    port.handshake_failures[HandshakeFailure::UnrecognizedName].add(2);
    gateway.rejected[ResponseFlag::NoRoute].increment();
    let labels = r#"gateway="default/mygateway",port="443""#;
    assert_eq!(
        samples(&metrics, "portcullis_tls_"),
        [
            format!(r#"portcullis_tls_handshakes_total{{{labels},result="success"}} 1"#),
            format!(r#"portcullis_tls_handshakes_total{{{labels},result="failure"}} 2"#),
            format!(
                r#"portcullis_tls_handshake_failures_total{{{labels},reason="unrecognized_name"}} 2"#
            ),
        ]
    );
    assert_eq!(
        samples(&metrics, "portcullis_rejected_total"),
        [r#"portcullis_rejected_total{gateway="default/mygateway",reason="no_route"} 1"#]
    );
}

#[test]
fn the_configuration_in_force_is_shown() {
    let metrics = Metrics::new();
    let gateway = metrics.gateway(&key());
    assert!(samples(&metrics, "portcullis_config_info").is_empty());
    gateway.applied(Version(0xab), 7);
    gateway.serves(vec![CertificateExpiry {
        listener: ListenerId::new("ListenerSet/team/extra/https"),
        certificate: CertificateId::new("Secret/default/\"odd\"\\name"),
        not_after: 1_795_000_000,
    }]);
    assert_eq!(
        samples(&metrics, "portcullis_config_"),
        [
            r#"portcullis_config_info{gateway="default/mygateway",version="00000000000000ab"} 1"#,
            r#"portcullis_config_generation_applied{gateway="default/mygateway"} 7"#,
            r#"portcullis_config_apply_errors_total{gateway="default/mygateway"} 0"#,
        ]
    );
    assert_eq!(
        samples(&metrics, "portcullis_certificate_not_after_seconds"),
        [
            r#"portcullis_certificate_not_after_seconds{gateway="default/mygateway",listener="ListenerSet/team/extra/https",certificate="Secret/default/\"odd\"\\name"} 1795000000"#
        ]
    );
}

#[test]
fn every_line_is_a_comment_or_a_sample() {
    let metrics = Metrics::new();
    let gateway = metrics.gateway(&key());
    let _port = gateway.port(PORT);
    gateway.unrouted.request(None, Duration::ZERO);
    for line in metrics.exposition().lines() {
        let is_sample = line.starts_with("portcullis_")
            && line
                .rsplit_once(' ')
                .is_some_and(|(_, value)| value.parse::<f64>().is_ok());
        assert!(line.starts_with("# ") || is_sample, "{line}");
    }
}

/// Nobody may ever ask for the text, which forgets them as well.
#[test]
fn handles_of_routes_that_are_gone_are_given_back() {
    let metrics = Metrics::new();
    let gateway = metrics.gateway(&key());
    let listener = ListenerId::new("web");
    let route = |number: usize| gateway.route(&listener, &RouteId::new(number.to_string()));
    let handles: Vec<_> = (0..1_000).map(route).collect();
    gateway.forget_gone(1_000);
    drop(handles);
    gateway.forget_gone(0);
    assert_eq!(gateway.routes.lock().len(), 0);
    for number in 0..1_000 {
        drop(route(number));
        gateway.forget_gone(1);
    }
    assert!(gateway.routes.lock().len() < 100);
}
