//! The compiled table finds what the oracle finds.

use http::{Method, Version};
use portcullis_ir::matcher::PathMatcher;
use portcullis_ir::order::Rank;
use portcullis_ir::{ListenerProtocol, Snapshot, arbitrary};
use portcullis_table::{Authority, Host, PathMatched};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::names::{Table, build};
use crate::oracle::{self, Answer};
use crate::request::Request;

fn request() -> impl Strategy<Value = Request> {
    let hosts = vec![
        "a.com",
        "b.com",
        "B.a.com:80",
        "x.a.com",
        "c.b.a.com",
        "x.c.b.a.com.",
        "com",
        "a.net",
        "",
    ];
    let paths = vec![
        "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c/d", "/ab", "/ab/b", "/A", "/b", "*", "//a",
        "/a.b/c", "/b/c", "/a/B", "a/b", "//b", "",
    ];
    let queries = vec![
        "p=1",
        "p=2&p=1",
        "q=a+b&p=%31",
        "p=%zz&p=1",
        "p",
        "q=a%20b",
        "",
    ];
    let header = (select(vec!["x", "y"]), select(vec!["1", "2"]));
    let method = select(vec![Method::GET, Method::POST, Method::PUT]);
    let version = select(vec![Version::HTTP_11, Version::HTTP_2]);
    let content = prop_oneof![
        2 => Just("application/grpc"),
        1 => select(vec!["application/grpc+json", "application/grpc;x=y", "application/grpc-web"]),
        1 => Just("text/plain"),
    ];
    let calls = (
        Just(Version::HTTP_2),
        Just(Method::POST),
        content.prop_map(Some),
    );
    let any = (version, method, Just(None));
    (
        prop_oneof![1 => any, 1 => calls],
        (select(hosts), select(paths)),
        option::of(select(queries)),
        vec(header, 0..3),
    )
        .prop_map(
            |((version, method, content), (host, path), query, headers)| {
                let request = Request {
                    version,
                    method,
                    host: host.to_owned(),
                    path: path.to_owned(),
                    query: query.map(str::to_owned),
                    headers: http::HeaderMap::new(),
                };
                let content = content.map(|content| ("content-type", content));
                (headers.into_iter().chain(content)).fold(request, |request, (name, value)| {
                    request.with_header(name, value)
                })
            },
        )
}

fn named_path(path: &PathMatcher) -> PathMatched {
    match path {
        PathMatcher::Exact(_) => PathMatched::Exact,
        PathMatcher::Regex(_) => PathMatched::Regex,
        PathMatcher::Call(_) => PathMatched::Call,
        PathMatcher::Prefix(prefix) => PathMatched::Prefix {
            length: prefix.trim_end_matches('/').len(),
        },
    }
}

/// Everything the table says of `request`, beside everything the oracle says.
fn compare(snapshot: &Snapshot, table: &Table, request: &Request) {
    let host = Host::new(&request.host);
    let name = oracle::name_of(&request.host);
    for key in snapshot
        .listeners
        .values()
        .map(portcullis_ir::Listener::port_key)
    {
        let port = table.port(key).unwrap();
        let found = port.listener(&host);
        let expected = oracle::listener(snapshot, key, &name);
        assert_eq!(
            found.map(|l| &l.id),
            expected.map(|(id, _)| id),
            "listener of {key:?}"
        );
        for (own, listener) in &snapshot.listeners {
            if listener.port_key() == key && matches!(listener.protocol, ListenerProtocol::Https(_))
            {
                let expected = oracle::refusal(snapshot, key, own, &name);
                let status = match port.authority(own, &host) {
                    Authority::Own(_) => None,
                    Authority::Misdirected => Some(421),
                    Authority::Unknown => Some(404),
                };
                assert_eq!(status, expected, "{own} serving {name}");
            }
        }
        let Some(listener) = found else { continue };
        let found = listener.select(&host, &request.parts()).map(|selected| {
            (
                selected.rule.route.clone(),
                selected.rule.index,
                selected.path,
            )
        });
        let expected = oracle::select(snapshot, &listener.id, request)
            .map(|Answer { route, rule, path }| (route, rule, named_path(&path)));
        assert_eq!(found, expected, "rule on {}", listener.id);
        let found = listener.forward(&host).map(|rule| rule.route.clone());
        assert_eq!(
            found,
            oracle::forward(snapshot, &listener.id, &name),
            "{}",
            listener.id
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_table_agrees_with_the_oracle(
        (before, snapshot) in (arbitrary::snapshot(), arbitrary::snapshot()),
        requests in vec(request(), 30),
    ) {
        let before = build(&before, None);
        let table = build(&snapshot, Some(&before));
        for request in &requests {
            compare(&snapshot, &table, request);
        }
    }

    #[test]
    fn rank_is_a_strict_total_order(snapshot in arbitrary::snapshot()) {
        let mut ranks = Vec::new();
        for (id, route) in &snapshot.http_routes {
            for host in route.attachments.iter().flat_map(|a| &a.hosts) {
                for (r, rule) in route.rules.iter().enumerate() {
                    for (m, matched) in rule.matches.iter().enumerate() {
                        let rank = Rank::new(&host.configured, &route.origin, r, m, matched);
                        ranks.push(((id, &host.configured, r, m), rank));
                    }
                }
            }
        }
        ranks.truncate(25);
        for (a_is, a) in &ranks {
            for (b_is, b) in &ranks {
                prop_assert_eq!(a == b, a_is == b_is, "equal only if of the same match");
                prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
                prop_assert_eq!(a.cmp(b).is_eq(), a == b);
                for (_, c) in &ranks {
                    prop_assert!(!(a < b && b < c) || a < c, "transitive");
                }
            }
        }
    }
}
