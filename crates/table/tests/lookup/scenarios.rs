//! Configurations with requests and the rules they find, written by hand.

use std::num::NonZeroU16;
use std::sync::Arc;

use portcullis_ir::{ListenerId, PortKey, Transport};
use portcullis_table::{Authority, Family, Host, PathMatched, PortTable, Rule};

use crate::config::snapshot;
use crate::names::{Names, Table, build};
use crate::request::Request;

fn port_key(port: u16) -> PortKey {
    PortKey {
        port: NonZeroU16::new(port).unwrap(),
        transport: Transport::Tcp,
    }
}

pub(crate) fn port(table: &Table, port: u16) -> &PortTable<Names> {
    table.port(port_key(port)).unwrap()
}

pub(crate) fn table(text: &str) -> Table {
    build(&snapshot(text), None)
}

pub(crate) fn rule_for<'t>(
    table: &'t Table,
    request: &Request,
) -> Option<(&'t Arc<Rule<Names>>, PathMatched)> {
    let host = Host::new(&request.host);
    let listener = port(table, 80).listener(&host)?;
    let selected = listener.select(&host, &request.parts())?;
    Some((selected.rule, selected.path))
}

/// `route/rule`, or `404`.
pub(crate) fn found(table: &Table, request: &Request) -> String {
    match rule_for(table, request) {
        Some((rule, _)) => format!("{} {}", rule.route, rule.index),
        None => "404".to_owned(),
    }
}

/// Each line of `requests` is `METHOD host/path?query [name=value]... -> route rule`.
fn check(config: &str, requests: &str) {
    let table = table(config);
    for line in requests
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (request, expected) = line.split_once(" -> ").unwrap();
        let mut words = request.split(' ');
        let (method, url) = (words.next().unwrap(), words.next().unwrap());
        let request = words.map(|word| word.split_once('=').unwrap()).fold(
            Request::parse(&format!("{method} {url}")),
            |request, (name, value)| request.with_header(name, value),
        );
        assert_eq!(found(&table, &request), expected, "{line}");
    }
}

#[test]
fn a_prefix_matches_whole_elements() {
    check(
        "listener web 80 http
         route d/r on web
           rule prefix /foo
           rule prefix /foo/bar/
           rule exact /foo/",
        "GET a/foo -> d/r 0
         GET a/foo/ -> d/r 2
         GET a/foo/ba -> d/r 0
         GET a/foo/bar -> d/r 1
         GET a/foo/bar/baz -> d/r 1
         GET a/foo/barn -> d/r 0
         GET a/foo// -> d/r 0
         GET a/foobar -> 404
         GET a/Foo -> 404
         GET a/ -> 404",
    );
}

#[test]
fn exact_comes_before_regex_before_longer_prefix() {
    check(
        "listener web 80 http
         route d/r on web
           rule prefix /
           rule prefix /a/b
           rule regex /a/[a-z]
           rule exact /a/b
           rule regex /a/[a-z]+x?",
        "GET h/a/b -> d/r 3
         GET h/a/c -> d/r 4
         GET h/a/b/c -> d/r 1
         GET h/a/1 -> d/r 0",
    );
}

#[test]
fn method_then_headers_then_query_break_ties_of_the_path() {
    check(
        "listener web 80 http
         route d/r on web
           rule prefix /a
           rule prefix /a ?q=1 ?p=1
           rule prefix /a x=1
           rule prefix /a x=1 y=1
           rule GET prefix /a",
        "GET h/a?q=1&p=1 x=1 y=1 -> d/r 4
         PUT h/a?q=1&p=1 x=1 y=1 -> d/r 3
         PUT h/a?q=1&p=1 x=1 -> d/r 2
         PUT h/a?q=1&p=1 -> d/r 1
         PUT h/a?q=1&p=2 -> d/r 0",
    );
}

#[test]
fn age_then_alphabet_then_place_break_ties_between_rules() {
    check(
        "listener web 80 http
         route z/old created=1 on web
           rule prefix /a
           rule prefix /a
         route a/new created=2 on web
           rule prefix /a
           rule prefix /b
         route a-b/c created=2 on web
           rule prefix /b
         route a/ageless on web
           rule prefix /c
         route b/new created=3 on web
           rule prefix /c",
        "GET h/a -> z/old 0
         GET h/b -> a-b/c 0
         GET h/c -> b/new 0",
    );
}

#[test]
fn what_a_specific_host_does_not_match_falls_to_the_less_specific() {
    check(
        "listener web 80 http
         route d/exact on web for a.example.com
           rule prefix /exact
         route d/wild on web for *.example.com
           rule exact /wild
         route d/wider on web for *.com
           rule prefix /exact
         route d/any on web
           rule prefix /",
        "GET a.example.com/exact/1 -> d/exact 0
         GET a.example.com/wild -> d/wild 0
         GET a.example.com/else -> d/any 0
         GET b.example.com/exact -> d/wider 0
         GET A.EXAMPLE.COM:8080/exact -> d/exact 0
         GET a.example.com./exact -> d/exact 0
         GET example.net/exact -> d/any 0",
    );
}

#[test]
fn precedence_comes_from_the_configured_hostname() {
    check(
        "listener web 80 http a.example.com
         route d/any created=1 on web
           rule exact /x
         route d/wild created=2 on web for *.example.com
           rule prefix /
         route d/exact created=3 on web for a.example.com
           rule prefix /exact",
        "GET a.example.com/exact -> d/exact 0
         GET a.example.com/x -> d/wild 0",
    );
}

#[test]
fn a_request_never_falls_to_the_routes_of_another_listener() {
    check(
        "listener any 80 http
         listener wild 80 http *.example.com
         listener exact 80 http a.example.com
         route d/any on any
           rule prefix /
         route d/wild on wild
           rule prefix /wild
         route d/exact on exact
           rule prefix /exact",
        "GET a.example.com/exact -> d/exact 0
         GET a.example.com/wild -> 404
         GET b.example.com/wild -> d/wild 0
         GET b.example.com/ -> 404
         GET example.net/ -> d/any 0",
    );
}

#[test]
fn repeated_headers_and_encoded_queries_are_compared_whole_and_decoded() {
    check(
        "listener web 80 http
         route d/r on web
           rule prefix / x~1,.*
           rule prefix / ?q~[0-9]+
           rule prefix / ?a=é",
        "GET h/ x=1 x=2 -> d/r 0
         GET h/ x=1 -> 404
         GET h/?q=12 -> d/r 1
         GET h/?q=12a -> 404
         GET h/?q=%31 -> d/r 1
         GET h/?q=a&q=1 -> 404
         GET h/?a=%C3%A9 -> d/r 2",
    );
}

#[test]
fn the_prefix_of_a_match_is_measured_without_its_last_slash() {
    let table = table(
        "listener web 80 http
         route d/r on web
           rule prefix /
           rule prefix /foo/
           rule exact /foo/x
           rule regex /foo/[0-9]",
    );
    for (path, matched) in [
        ("/", PathMatched::Prefix { length: 0 }),
        ("/foo", PathMatched::Prefix { length: 4 }),
        ("/foo/bar", PathMatched::Prefix { length: 4 }),
        ("/foo/x", PathMatched::Exact),
        ("/foo/1", PathMatched::Regex),
    ] {
        let request = Request::parse(&format!("GET h{path}"));
        assert_eq!(rule_for(&table, &request).unwrap().1, matched, "{path}");
    }
}

/// The cases of the upstream test `HTTPRouteHTTPSListenerDetectMisdirectedRequests`.
#[test]
fn a_host_of_another_listener_is_misdirected() {
    let table = table(
        "listener https 443 https
         listener second 443 https second-example.org
         listener wild 443 https *.wildcard.org
         listener fourth 443 https fourth-example.wildcard.org
         route d/one on https for example.org
           rule prefix /
         route d/two on second
           rule prefix /
         route d/three on wild
           rule prefix /
         route d/four on fourth
           rule prefix /",
    );
    let port = port(&table, 443);
    assert_eq!(port.family(), Family::Tls);
    for (sni, host, expected) in [
        ("example.org", "example.org", "d/one"),
        ("example.org", "second-example.org", "421"),
        ("example.org", "unknown-example.org", "404"),
        ("second-example.org", "second-example.org", "d/two"),
        ("second-example.org", "example.org", "421"),
        ("second-example.org", "unknown-example.org", "421"),
        (
            "third-example.wildcard.org",
            "third-example.wildcard.org",
            "d/three",
        ),
        (
            "third-example.wildcard.org",
            "fith-example.wildcard.org",
            "d/three",
        ),
        (
            "third-example.wildcard.org",
            "fourth-example.wildcard.org",
            "421",
        ),
        ("third-example.wildcard.org", "second-example.org", "421"),
        ("third-example.wildcard.org", "unknown-example.org", "421"),
        (
            "fourth-example.wildcard.org",
            "fourth-example.wildcard.org",
            "d/four",
        ),
        (
            "fourth-example.wildcard.org",
            "fith-example.wildcard.org",
            "421",
        ),
        ("unknown-example.org", "example.org", "d/one"),
        ("unknown-example.org", "unknown-example.org", "404"),
    ] {
        let request = Request::parse(&format!("GET {host}/x"));
        let listener = port.listener(&Host::new(sni)).unwrap();
        let name = Host::new(host);
        let answer = match port.authority(&listener.id, &name) {
            Authority::Misdirected => "421".to_owned(),
            Authority::Unknown => "404".to_owned(),
            Authority::Own(listener) => (listener.select(&name, &request.parts()))
                .map_or("404".to_owned(), |selected| selected.rule.route.to_string()),
        };
        assert_eq!(answer, expected, "SNI {sni}, Host {host}");
    }
}

#[test]
fn without_a_listener_for_the_sni_there_is_none() {
    let table = table(
        "listener one 443 https a.example.com
         listener two 443 passthrough *.example.net",
    );
    let found = |sni: &str| {
        port(&table, 443)
            .listener(&Host::new(sni))
            .map(|l| l.id.as_str())
    };
    assert_eq!(found("a.example.com"), Some("one"));
    assert_eq!(found("x.example.net"), Some("two"));
    assert_eq!(found("b.example.com"), None);
    assert_eq!(found(""), None);
    let authority = |host| port(&table, 443).authority(&ListenerId::new("one"), &Host::new(host));
    for host in ["x.example.net", "unheard.of"] {
        assert!(matches!(authority(host), Authority::Unknown), "{host}");
    }
}

#[test]
fn a_host_does_not_lead_from_https_to_a_tls_listener_of_the_port() {
    let table = table(
        "listener wild 443 https *.example.com
         listener pass 443 passthrough a.example.com
         route d/wild on wild
           rule prefix /",
    );
    let port = port(&table, 443);
    let host = Host::new("a.example.com");
    assert_eq!(port.listener(&host).unwrap().id.as_str(), "pass");
    let Authority::Own(listener) = port.authority(&ListenerId::new("wild"), &host) else {
        panic!("not its own");
    };
    let request = Request::parse("GET a.example.com/");
    assert!(listener.select(&host, &request.parts()).is_some());
}

#[test]
fn connections_are_forwarded_by_name_or_by_port() {
    let table = table(
        "listener pass 443 passthrough *.example.com
         listener plain 9000 tcp
         forward d/wild on pass
         forward d/named created=2 on pass for a.example.com
         forward d/later created=3 on pass for a.example.com
         forward d/tcp on plain",
    );
    let found = |port_number, name: &str| {
        let name = Host::new(name);
        let listener = port(&table, port_number).listener(&name)?;
        Some(listener.forward(&name)?.route.to_string())
    };
    assert_eq!(found(443, "a.example.com").as_deref(), Some("d/named"));
    assert_eq!(found(443, "b.example.com").as_deref(), Some("d/wild"));
    assert_eq!(found(443, "example.com"), None);
    assert_eq!(found(9000, "").as_deref(), Some("d/tcp"));
}
