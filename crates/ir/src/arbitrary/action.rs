//! What rules do, and the backends they name.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{backend_id, tls};
use crate::backend::{
    Backend, BackendProtocol, BackendTarget, Endpoint, EndpointHost, WeightedBackend,
};
use crate::filter::{
    Allowed, Cors, Filter, Header, HeaderEdits, HttpScheme, Mirror, PathRewrite, Redirect, Rewrite,
    Share,
};
use crate::route::{Retry, Timeouts};

/// Lists of backends, with zero weights and invalid ones among them.
pub fn weighted_backends() -> impl Strategy<Value = Vec<WeightedBackend>> {
    let target = prop_oneof![
        3 => backend_id().prop_map(BackendTarget::Backend),
        1 => text().prop_map(|reason| BackendTarget::Invalid { reason }),
    ];
    let weight = prop_oneof![0..4_u32, Just(1_000_000)];
    let one = (weight, target, filters()).prop_map(|(weight, target, filters)| WeightedBackend {
        weight,
        target,
        filters,
    });
    vec(one, 0..4)
}

pub(super) fn filters() -> impl Strategy<Value = Vec<Filter>> {
    let filter = prop_oneof![
        edits().prop_map(Filter::RequestHeaders),
        edits().prop_map(Filter::ResponseHeaders),
        redirect().prop_map(Filter::Redirect),
        (option::of(header_value()), option::of(path_rewrite()))
            .prop_map(|(hostname, path)| Filter::Rewrite(Rewrite { hostname, path })),
        mirror().prop_map(Filter::Mirror),
        cors().prop_map(Filter::Cors),
    ];
    prop_oneof![2 => Just(Vec::new()), 1 => vec(filter, 1..3)]
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u32>(), 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| Duration::new(seconds.into(), nanos))
}

pub(super) fn retry() -> impl Strategy<Value = Retry> {
    let codes = btree_set(400..=599_u16, 0..4);
    (codes, any::<u32>(), option::of(duration())).prop_map(|(codes, attempts, backoff)| Retry {
        codes,
        attempts,
        backoff,
    })
}

pub(super) fn timeouts() -> impl Strategy<Value = Timeouts> {
    let some = || option::weighted(0.2, duration());
    (some(), some()).prop_map(|(request, backend_request)| Timeouts {
        request,
        backend_request,
    })
}

pub(super) fn backend() -> impl Strategy<Value = Backend> {
    let protocol = select(vec![
        BackendProtocol::Http1,
        BackendProtocol::H2c,
        BackendProtocol::Opaque,
    ]);
    let host = prop_oneof![
        any::<std::net::IpAddr>().prop_map(EndpointHost::Ip),
        select(vec!["one.example", "two.example"])
            .prop_map(|name| EndpointHost::Dns(Arc::from(name))),
    ];
    let endpoint = (host, 1..=u16::MAX).prop_map(|(host, port)| Endpoint { host, port });
    let tls = option::weighted(0.3, tls::backend_tls().prop_map(Arc::new));
    (protocol, tls, btree_set(endpoint, 0..4)).prop_map(|(protocol, tls, endpoints)| Backend {
        protocol,
        tls,
        endpoints: endpoints.into_iter().collect(),
    })
}

/// Text for people.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,8}", any::<String>()]
}

fn edits() -> impl Strategy<Value = HeaderEdits> {
    let header = || {
        let header = (header_name(), header_value());
        vec(
            header.prop_map(|(name, value)| Header { name, value }),
            0..2,
        )
    };
    (header(), header(), vec(header_name(), 0..2)).prop_map(|(set, add, remove)| HeaderEdits {
        set,
        add,
        remove,
    })
}

fn redirect() -> impl Strategy<Value = Redirect> {
    let scheme = select(vec![HttpScheme::Http, HttpScheme::Https]);
    let hostname = select(vec!["a.com", "b.com"]).prop_map(str::to_owned);
    (
        option::of(scheme),
        option::of(hostname),
        option::of(any::<u16>()),
        option::of(path_rewrite()),
        select(vec![301, 302, 303, 307, 308]),
    )
        .prop_map(|(scheme, hostname, port, path, status)| Redirect {
            scheme,
            hostname,
            port,
            path,
            status,
        })
}

fn mirror() -> impl Strategy<Value = Mirror> {
    let share = (0..=100_u32, 1..=u32::MAX).prop_map(|(percent, denominator)| {
        Share::new(percent.min(denominator), denominator).unwrap_or(Share::ALL)
    });
    (backend_id(), share).prop_map(|(backend, share)| Mirror { backend, share })
}

fn cors() -> impl Strategy<Value = Cors> {
    let origin = select(vec!["https://a.com", "http://*.b.com:8080", "https://*"])
        .prop_filter_map("not an origin", |text| text.parse().ok());
    let method = select(vec![Method::PUT, Method::DELETE]);
    (
        allowed(origin),
        any::<bool>(),
        allowed(method),
        allowed(header_name()),
        allowed(header_name()),
        any::<u32>(),
    )
        .prop_map(
            |(origins, credentials, methods, request_headers, exposed_headers, max_age)| Cors {
                origins,
                credentials,
                methods,
                request_headers,
                exposed_headers,
                max_age,
            },
        )
}

fn allowed<T: Clone + std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Allowed<T>> {
    prop_oneof![
        1 => Just(Allowed::All),
        2 => vec(one, 0..3).prop_map(Allowed::These),
    ]
}

fn path_rewrite() -> impl Strategy<Value = PathRewrite> {
    let path = || select(vec!["", "/", "/x", "/x/"]).prop_map(str::to_owned);
    prop_oneof![
        path().prop_map(PathRewrite::Full),
        path().prop_map(PathRewrite::Prefix),
    ]
}

fn header_name() -> impl Strategy<Value = HeaderName> {
    select(vec!["x", "y", "set-cookie"]).prop_map(HeaderName::from_static)
}

/// Also values that are no text (obs-text of RFC 9110 section 5.5).
fn header_value() -> impl Strategy<Value = HeaderValue> {
    let bytes = vec(prop_oneof![0x20..=0x7e_u8, 0x80..=0xff_u8], 0..6);
    bytes.prop_filter_map("not a header value", |bytes| {
        HeaderValue::from_bytes(&bytes).ok()
    })
}
