//! A small language for configurations and what requests find in them.
//!
//! ```text
//! listener <name> <port> <http|https|passthrough|terminate|tcp|udp> [hostname]
//! route <namespace>/<name> [created=<seconds>] on <listener>,... [for <hostname>,...]
//!   rule <match> [or <match>]...
//! forward <namespace>/<name> [created=<seconds>] on <listener>,... [for <hostname>,...]
//! ```
//!
//! A match is `[METHOD] exact|prefix|regex <path> [name=value] [name~regex] [?name=value]
//! [?name~regex]`, or `call [=<service>|~<service>] [/=<method>|/~<method>] [name=value]…` for gRPC
//! calls.

use std::sync::Arc;

use portcullis_ir::matcher::{
    CallMatcher, HeaderMatcher, HeaderValueMatcher, HttpMatch, NameMatcher, PathMatcher,
    QueryMatcher, QueryValueMatcher,
};
use portcullis_ir::route::{L4Rule, RouteKind, Timeouts};
use portcullis_ir::tls::TlsTermination;
use portcullis_ir::{
    Attachment, CertificateId, HostPattern, HttpRoute, HttpRule, L4Route, Listener, ListenerId,
    ListenerProtocol, ObjectKey, RouteHost, RouteId, RouteOrigin, Snapshot,
};

/// Reads a configuration.
pub(crate) fn snapshot(text: &str) -> Snapshot {
    let mut snapshot = Snapshot::empty(ObjectKey::new("test", "gateway"), 1);
    let mut last = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap();
        match word {
            "listener" => {
                let (id, listener) = listener(rest);
                snapshot.listeners.insert(id, listener);
            }
            "route" => {
                let (origin, attachments) = head(&snapshot, RouteKind::Http, rest);
                let id = RouteId::new(origin.key.to_string());
                let route = HttpRoute {
                    origin,
                    attachments,
                    rules: Vec::new(),
                };
                snapshot.http_routes.insert(id.clone(), Arc::new(route));
                last = Some(id);
            }
            "rule" => {
                let route = snapshot
                    .http_routes
                    .get_mut(last.as_ref().unwrap())
                    .unwrap();
                Arc::make_mut(route).rules.push(rule(rest));
            }
            "forward" => {
                let (origin, attachments) = head(&snapshot, RouteKind::Tls, rest);
                let id = RouteId::new(origin.key.to_string());
                let rules = vec![L4Rule {
                    name: None,
                    backends: Vec::new(),
                }];
                let route = L4Route {
                    origin,
                    attachments,
                    rules,
                };
                snapshot.l4_routes.insert(id, Arc::new(route));
            }
            _ => panic!("{line}"),
        }
    }
    snapshot
}

fn listener(text: &str) -> (ListenerId, Listener) {
    let words: Vec<_> = text.split(' ').collect();
    let tls = || TlsTermination {
        certificates: vec![CertificateId::new("certificate")],
        client_validation: None,
    };
    let listener = Listener {
        port: words[1].parse().unwrap(),
        hostname: HostPattern::parse(words.get(3).unwrap_or(&"")).unwrap(),
        protocol: match words[2] {
            "http" => ListenerProtocol::Http,
            "https" => ListenerProtocol::Https(tls()),
            "terminate" => ListenerProtocol::TlsTerminate(tls()),
            "passthrough" => ListenerProtocol::TlsPassthrough,
            "tcp" => ListenerProtocol::Tcp,
            "udp" => ListenerProtocol::Udp,
            other => panic!("{other}"),
        },
    };
    (ListenerId::new(words[0]), listener)
}

fn head(snapshot: &Snapshot, kind: RouteKind, text: &str) -> (RouteOrigin, Vec<Attachment>) {
    let mut words = text.split(' ');
    let (namespace, name) = words.next().unwrap().split_once('/').unwrap();
    let mut created = None;
    let mut listeners = "";
    let mut hosts = vec![HostPattern::Any];
    while let Some(word) = words.next() {
        match word {
            "on" => listeners = words.next().unwrap(),
            "for" => {
                let texts = words.next().unwrap().split(',');
                hosts = texts.map(|h| HostPattern::parse(h).unwrap()).collect();
            }
            _ => created = Some(word.strip_prefix("created=").unwrap().parse().unwrap()),
        }
    }
    let attach = |listener: &str| {
        let id = ListenerId::new(listener);
        let name = &snapshot.listeners.get(&id).unwrap().hostname;
        let common = hosts.iter().filter_map(|configured| {
            Some(RouteHost {
                effective: name.intersection(configured)?,
                configured: configured.clone(),
            })
        });
        Attachment {
            hosts: common.collect(),
            listener: id,
        }
    };
    let origin = RouteOrigin {
        kind,
        key: ObjectKey::new(namespace, name),
        created,
    };
    (origin, listeners.split(',').map(attach).collect())
}

fn rule(text: &str) -> HttpRule {
    HttpRule {
        name: None,
        matches: text.split(" or ").map(matched).collect(),
        filters: Vec::new(),
        backends: Vec::new(),
        timeouts: Timeouts::default(),
        retry: None,
    }
}

fn matched(text: &str) -> HttpMatch {
    let mut matched = HttpMatch::every_request();
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        let mut path = || words.next().unwrap().to_owned();
        match word {
            "exact" => matched.path = PathMatcher::Exact(path()),
            "prefix" => matched.path = PathMatcher::Prefix(path()),
            "regex" => matched.path = PathMatcher::Regex(path()),
            "call" => matched.path = PathMatcher::Call(CallMatcher::default()),
            name if name.starts_with(['=', '~', '/']) => name_into(name, &mut matched.path),
            condition if condition.contains(['=', '~']) => condition_into(condition, &mut matched),
            method => matched.method = Some(method.parse().unwrap()),
        }
    }
    matched
}

fn name_into(text: &str, path: &mut PathMatcher) {
    let PathMatcher::Call(CallMatcher { service, method }) = path else {
        panic!("{text}");
    };
    let (part, text) = match text.strip_prefix('/') {
        Some(text) => (method, text),
        None => (service, text),
    };
    *part = Some(match text.strip_prefix('=') {
        Some(name) => NameMatcher::Exact(name.to_owned()),
        None => NameMatcher::Regex(text[1..].to_owned()),
    });
}

fn condition_into(text: &str, matched: &mut HttpMatch) {
    let (name, value) = text.split_once(['=', '~']).unwrap();
    let is_regex = text.as_bytes()[name.len()] == b'~';
    let value = value.to_owned();
    match name.strip_prefix('?') {
        Some(name) => matched.query.push(QueryMatcher {
            name: name.to_owned(),
            value: if is_regex {
                QueryValueMatcher::Regex(value)
            } else {
                QueryValueMatcher::Exact(value)
            },
        }),
        None => matched.headers.push(HeaderMatcher {
            name: name.parse().unwrap(),
            value: if is_regex {
                HeaderValueMatcher::Regex(value)
            } else {
                HeaderValueMatcher::Exact(value.parse().unwrap())
            },
        }),
    }
}
