//! Times lookups and builds: `cargo run --release -p portcullis-table --example lookup`.
//!
//! With the name of a case and a count it makes that many lookups and nothing else. With `build N
//! TIMES` or `rebuild N TIMES` it builds tables of N routes, or with one route more each time. What
//! callgrind has to count is in [`counted`]: `valgrind --tool=callgrind --toggle-collect='*counted*'
//! target/release/examples/lookup hosts-5000 1000`.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::disallowed_types, reason = "a clock is what it is for")]

use std::hint::black_box;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Version};
use portcullis_ir::backend::BackendTarget;
use portcullis_ir::filter::Filter;
use portcullis_ir::matcher::{HttpMatch, PathMatcher};
use portcullis_ir::route::{RouteKind, Timeouts};
use portcullis_ir::{
    Attachment, BackendId, HostPattern, HttpRoute, HttpRule, Listener, ListenerId,
    ListenerProtocol, ObjectKey, PortKey, RouteHost, RouteId, RouteOrigin, Snapshot, Transport,
    WeightedBackend,
};
use portcullis_table::{Attach, ForwardSite, Host, Parts, RequestParts, RuleSite, Table};

/// A configuration with the request that is looked up in it.
struct Case {
    name: &'static str,
    snapshot: Snapshot,
    host: &'static str,
    path: &'static str,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let (Some(name), Some(count)) = (arguments.next(), arguments.next()) {
        let count = count.parse().unwrap_or(1);
        if let Some(times) = arguments.next() {
            build(&name, count as usize, times.parse().unwrap_or(1));
        }
        for case in cases().into_iter().filter(|case| case.name == name) {
            let table = Table::build(&case.snapshot, None, &mut Nothing);
            counted(|| look_up(&table, &case, count));
        }
        return;
    }
    for case in cases() {
        time_lookup(&case);
    }
    for count in [5_000, 10_000] {
        time_build("prefix", count, |n| {
            PathMatcher::Prefix(format!("/route/{n}"))
        });
        time_build("regex", count, |n| {
            PathMatcher::Regex(format!("/route/{n}/[a-z]+"))
        });
    }
}

fn cases() -> Vec<Case> {
    let hosts = |pattern: fn(usize) -> String| {
        let all = (0..5_000).map(|n| route(n, &pattern(n), PathMatcher::Prefix("/".to_owned())));
        snapshot(all)
    };
    let paths = |path: fn(usize) -> PathMatcher| {
        snapshot((0..5_000).map(|n| route(n, "example.com", path(n))))
    };
    let case = |name, snapshot, host, path| Case {
        name,
        snapshot,
        host,
        path,
    };
    let one = snapshot([route(0, "", PathMatcher::Prefix("/".to_owned()))].into_iter());
    vec![
        case("one", one, "example.com", "/api/v1/users/42"),
        case(
            "prefixes-5000",
            paths(|n| PathMatcher::Prefix(format!("/route/{n}"))),
            "example.com",
            "/route/4321/users/42",
        ),
        case(
            "exacts-5000",
            paths(|n| PathMatcher::Exact(format!("/route/{n}"))),
            "example.com",
            "/route/4321",
        ),
        case(
            "hosts-5000",
            hosts(|n| format!("host-{n}.example.com")),
            "host-4321.example.com",
            "/api/v1/users/42",
        ),
        case(
            "hosts-5000-upper",
            hosts(|n| format!("host-{n}.example.com")),
            "HOST-4321.example.com:8443",
            "/api/v1/users/42",
        ),
        case(
            "wildcards-5000",
            hosts(|n| format!("*.host-{n}.example.com")),
            "a.b.host-4321.example.com",
            "/api/v1/users/42",
        ),
        case(
            "regexes-5000",
            paths(|n| PathMatcher::Regex(format!("/route/{n}/[a-z]+"))),
            "example.com",
            "/route/4321/users",
        ),
        case(
            "nothing-5000",
            paths(|n| PathMatcher::Prefix(format!("/route/{n}"))),
            "example.com",
            "/a/b/c/d/e/f/g/h/i/j/k/l/m/n",
        ),
    ]
}

fn time_lookup(case: &Case) {
    let table = Table::build(&case.snapshot, None, &mut Nothing);
    let mut count = 1;
    loop {
        let start = Instant::now();
        look_up(&table, case, count);
        let spent = start.elapsed();
        if spent > Duration::from_millis(200) {
            let nanoseconds = spent.as_secs_f64() * 1e9 / f64::from(count);
            println!("lookup {:<20} {nanoseconds:>12.1} ns", case.name);
            return;
        }
        count *= 4;
    }
}

/// What the data plane asks per request: listener, rule, backend.
fn look_up(table: &Table<Nothing>, case: &Case, count: u32) {
    let headers = HeaderMap::new();
    for _ in 0..count {
        let host = Host::new(black_box(case.host));
        let request = RequestParts {
            version: Version::HTTP_11,
            method: &Method::GET,
            path: black_box(case.path),
            query: None,
            headers: &headers,
        };
        let target = table
            .port(PORT)
            .and_then(|port| port.listener(&host))
            .and_then(|listener| listener.select(&host, &request))
            .map(|selected| selected.rule.backends.pick());
        black_box(target);
    }
}

/// Builds the table of `count` routes `times` times: from nothing, or each time with one route more.
fn build(name: &str, count: usize, times: usize) {
    let nth = |n| route(n, "example.com", PathMatcher::Prefix(format!("/route/{n}")));
    let mut snapshot = snapshot((0..count).map(nth));
    if name == "build" {
        for _ in 0..times {
            counted(|| Table::build(&snapshot, None, &mut Nothing));
        }
        return;
    }
    let mut table = Table::build(&snapshot, None, &mut Nothing);
    for n in count..count + times {
        snapshot.http_routes.extend([nth(n)]);
        table = counted(|| Table::build(&snapshot, Some(&table), &mut Nothing));
    }
}

/// Never a part of its caller, so that a profiler finds it by its name.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// A first build, one with nothing changed, and one with one route changed.
fn time_build(name: &str, count: usize, path: impl Fn(usize) -> PathMatcher) {
    let mut snapshot = snapshot((0..count).map(|n| route(n, "example.com", path(n))));
    let build = |what, snapshot: &Snapshot, previous: Option<&Table<Nothing>>| {
        let start = Instant::now();
        let table = Table::build(snapshot, previous, &mut Nothing);
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        println!("build {count:>6} {name:<7} {what:<10} {milliseconds:>9.2} ms");
        table
    };
    let first = build("first", &snapshot, None);
    let second = build("unchanged", &snapshot, Some(&first));
    let (id, changed) = route(0, "example.com", path(count));
    snapshot.http_routes.insert(id, changed);
    build("one changed", &snapshot, Some(&second));
}

/// Tables that carry nothing.
#[derive(Clone, Debug)]
struct Nothing;

impl Parts for Nothing {
    type Listener = ();
    type Rule = ();
    type Forward = ();
    type Backend = ();
}

impl Attach for Nothing {
    type Parts = Self;

    fn listener(&mut self, _: &ListenerId) {}

    fn rule(&mut self, _: &RuleSite<'_>) {}

    fn forward(&mut self, _: &ForwardSite<'_>) {}

    fn backend(&mut self, _: &BackendId, _: &[Filter], _: &[Filter]) {}
}

const PORT: PortKey = PortKey {
    port: NonZeroU16::MIN,
    transport: Transport::Tcp,
};

fn snapshot(routes: impl Iterator<Item = (RouteId, Arc<HttpRoute>)>) -> Snapshot {
    let mut snapshot = Snapshot::empty(ObjectKey::new("bench", "gateway"), 1);
    let listener = Listener {
        port: PORT.port,
        hostname: HostPattern::Any,
        protocol: ListenerProtocol::Http,
    };
    snapshot.listeners.insert(ListenerId::new("web"), listener);
    snapshot.http_routes.extend(routes);
    snapshot
}

fn route(number: usize, hostname: &str, path: PathMatcher) -> (RouteId, Arc<HttpRoute>) {
    let key = ObjectKey::new("bench", format!("route-{number}"));
    let host = HostPattern::parse(hostname).unwrap_or(HostPattern::Any);
    let matched = HttpMatch {
        path,
        ..HttpMatch::every_request()
    };
    let backend = WeightedBackend {
        weight: 1,
        target: BackendTarget::Backend(BackendId::new(format!("Service/bench/{number}/80"))),
        filters: Vec::new(),
    };
    let route = HttpRoute {
        attachments: vec![Attachment {
            listener: ListenerId::new("web"),
            hosts: vec![RouteHost {
                effective: host.clone(),
                configured: host,
            }],
        }],
        rules: vec![HttpRule {
            name: None,
            matches: vec![matched],
            filters: Vec::new(),
            backends: vec![backend],
            timeouts: Timeouts::default(),
            retry: None,
        }],
        origin: RouteOrigin {
            kind: RouteKind::Http,
            key,
            created: Some(0),
        },
    };
    (
        RouteId::new(format!("HTTPRoute/bench/route-{number}")),
        Arc::new(route),
    )
}
