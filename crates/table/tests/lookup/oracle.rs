//! The spec read word for word: loops over everything, remembers nothing, decides nothing twice.

use http::{HeaderMap, Method, Version};
use portcullis_ir::matcher::{
    CallMatcher, HeaderMatcher, HeaderValueMatcher, HttpMatch, NameMatcher, PathMatcher,
    QueryMatcher, QueryValueMatcher,
};
use portcullis_ir::order::{OriginRank, Rank};
use portcullis_ir::{
    HostPattern, Listener, ListenerId, ListenerProtocol, PortKey, RouteId, Snapshot,
};
use regex::bytes::Regex;

use crate::request::Request;

/// The rule that answers: its route, its number there, the number of the match, and the path
/// that match names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) route: RouteId,
    pub(crate) rule: usize,
    pub(crate) path: PathMatcher,
}

/// "Implementations MUST ignore any port value specified in the HTTP Host header while performing
/// a match" (`HTTPRouteSpec.Hostnames`); names of DNS have no case.
pub(crate) fn name_of(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// "Exact matches MUST be processed before wildcard matches, and wildcard matches MUST be
/// processed before fallback (empty Hostname value) matches. ... the higher the number of dots in
/// the hostname to the right of the wildcard character, the higher the precedence."
/// (`GatewaySpec.Listeners`)
pub(crate) fn listener<'s>(
    snapshot: &'s Snapshot,
    port: PortKey,
    name: &str,
) -> Option<(&'s ListenerId, &'s Listener)> {
    matching_listeners(snapshot, port, name)
        .into_iter()
        .next_back()
}

/// From the least specific to the most.
fn matching_listeners<'s>(
    snapshot: &'s Snapshot,
    port: PortKey,
    name: &str,
) -> Vec<(&'s ListenerId, &'s Listener)> {
    let mut found: Vec<_> = snapshot
        .listeners
        .iter()
        .filter(|(_, listener)| listener.port_key() == port)
        .filter(|(_, listener)| match listener.protocol {
            // "This field is ignored for protocols that don't require hostname based matching."
            ListenerProtocol::Tcp | ListenerProtocol::Udp => true,
            _ => is_for(&listener.hostname, name),
        })
        .collect();
    found.sort_by_key(|(_, listener)| match &listener.hostname {
        HostPattern::Any => (0, 0),
        HostPattern::Wildcard(suffix) => (1, suffix.matches('.').count()),
        HostPattern::Exact(_) => (2, 0),
    });
    found
}

/// "Hostnames that are prefixed with a wildcard label (`*.`) are interpreted as a suffix match.
/// That means that a match for `*.example.com` would match both `test.example.com`, and
/// `foo.test.example.com`, but not `example.com`."
fn is_for(pattern: &HostPattern, name: &str) -> bool {
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(exact) => **exact == *name,
        HostPattern::Wildcard(suffix) => {
            name.ends_with(&format!(".{suffix}")) && name.len() > suffix.len() + 1
        }
    }
}

/// The status by the spec's words on misdirected requests, or `None` if `own` may serve it.
pub(crate) fn refusal(
    snapshot: &Snapshot,
    port: PortKey,
    own: &ListenerId,
    name: &str,
) -> Option<u16> {
    // "across all the Gateway Listeners on the same port and protocol"
    let mut matching = matching_listeners(snapshot, port, name);
    matching.retain(|(_, listener)| matches!(listener.protocol, ListenerProtocol::Https(_)));
    let position = matching.iter().position(|(id, _)| *id == own);
    match position {
        // "If another Listener has an exact match or more specific wildcard entry, the Gateway
        // SHOULD return a 421."
        Some(position) => (position + 1 < matching.len()).then_some(421),
        // "If the current Listener ... does not match the Host: If another Listener does match the
        // Host, the Gateway SHOULD return a 421. If no other Listener matches the Host, the
        // Gateway MUST return a 404."
        None if matching.is_empty() => Some(404),
        None => Some(421),
    }
}

/// "Across all rules specified on applicable Routes, precedence must be given to the match having"
/// the least [`Rank`]; "a HTTP 404 status code MUST be returned" if there is none.
pub(crate) fn select(
    snapshot: &Snapshot,
    listener: &ListenerId,
    request: &Request,
) -> Option<Answer> {
    let name = name_of(&request.host);
    let mut best: Option<(Rank, Answer)> = None;
    for (id, route) in &snapshot.http_routes {
        for attachment in &route.attachments {
            for host in &attachment.hosts {
                for (rule_index, rule) in route.rules.iter().enumerate() {
                    for (index, matched) in rule.matches.iter().enumerate() {
                        if attachment.listener != *listener
                            || !is_for(&host.effective, &name)
                            || !satisfied(matched, request)
                        {
                            continue;
                        }
                        let rank =
                            Rank::new(&host.configured, &route.origin, rule_index, index, matched);
                        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                            let answer = Answer {
                                route: id.clone(),
                                rule: rule_index,
                                path: matched.path.clone(),
                            };
                            best = Some((rank, answer));
                        }
                    }
                }
            }
        }
    }
    best.map(|(_, answer)| answer)
}

/// The route of a connection or datagram.
pub(crate) fn forward(snapshot: &Snapshot, listener: &ListenerId, name: &str) -> Option<RouteId> {
    let mut found = Vec::new();
    for (id, route) in &snapshot.l4_routes {
        for attachment in &route.attachments {
            for host in &attachment.hosts {
                if attachment.listener == *listener
                    && is_for(&host.effective, name)
                    && !route.rules.is_empty()
                {
                    let origin = OriginRank::new(&route.origin);
                    found.push((host.configured.clone(), origin, id.clone()));
                }
            }
        }
    }
    found.sort();
    found.into_iter().next().map(|(_, _, id)| id)
}

/// "Multiple match types are ANDed together, i.e. the match will evaluate to true only if all
/// conditions are satisfied." (`HTTPRouteMatch`)
fn satisfied(matched: &HttpMatch, request: &Request) -> bool {
    let HttpMatch {
        path,
        method,
        headers,
        query,
    } = matched;
    path_satisfied(path, request)
        && method
            .as_ref()
            .is_none_or(|method| *method == request.method)
        && headers
            .iter()
            .all(|header| header_satisfied(header, &request.headers))
        && (query.iter()).all(|param| {
            query_satisfied(param, &parameters(request.query.as_deref().unwrap_or("")))
        })
}

fn path_satisfied(matcher: &PathMatcher, request: &Request) -> bool {
    let path = request.path.as_str();
    match matcher {
        // "an exact path match on `/abc` will only match requests to `/abc`, NOT `/abc/`, `/Abc`,
        // or `/abcd`."
        PathMatcher::Exact(exact) => exact == path,
        // "done on a path element by element basis. A path element refers to the list of labels in
        // the path split by the `/` separator. When specified, a trailing `/` is ignored."
        PathMatcher::Prefix(prefix) => {
            if prefix == "/" {
                return true;
            }
            let elements: Vec<_> = path.split('/').collect();
            let wanted: Vec<_> = prefix
                .strip_suffix('/')
                .unwrap_or(prefix)
                .split('/')
                .collect();
            elements.starts_with(&wanted)
        }
        // "Matches if the URL path matches the given regular expression with case sensitivity."
        PathMatcher::Regex(pattern) => whole(pattern, path.as_bytes()),
        // "Value of the service to match against. If left empty or omitted, will match any
        // service. … Value of the method to match against." (`GRPCMethodMatch`)
        PathMatcher::Call(CallMatcher { service, method }) => {
            let (service_called, method_called) = match path.rfind('/') {
                Some(last) if last > 0 && path.starts_with('/') => {
                    (&path[1..last], &path[last + 1..])
                }
                _ => ("", path.trim_start_matches('/')),
            };
            is_grpc(request)
                && name_satisfied(service.as_ref(), service_called)
                && name_satisfied(method.as_ref(), method_called)
        }
    }
}

/// "HTTP2 … "POST" … "content-type" "application/grpc" [("+proto" / "+json" / {custom})]"
/// (PROTOCOL-HTTP2 of gRPC)
fn is_grpc(request: &Request) -> bool {
    let content = request.headers.get("content-type");
    let content = content.map_or("", |value| value.to_str().unwrap());
    request.version == Version::HTTP_2
        && request.method == Method::POST
        && (content == "application/grpc"
            || content.starts_with("application/grpc+")
            || content.starts_with("application/grpc;"))
}

/// "Matches the method or service exactly and with case sensitivity", or "the given regular
/// expression with case sensitivity". (`GRPCMethodMatchType`)
fn name_satisfied(matcher: Option<&NameMatcher>, name: &str) -> bool {
    match matcher {
        None => true,
        Some(NameMatcher::Exact(exact)) => exact == name,
        Some(NameMatcher::Regex(pattern)) => whole(pattern, name.as_bytes()),
    }
}

fn whole(pattern: &str, value: &[u8]) -> bool {
    Regex::new(&format!("^(?:{pattern})$"))
        .unwrap()
        .is_match(value)
}

/// RFC 9110 section 5.3: several fields of a name may be combined "by appending each subsequent
/// field line value to the initial field line value in order, separated by a comma".
fn header_satisfied(matcher: &HeaderMatcher, headers: &HeaderMap) -> bool {
    let values: Vec<_> = headers.get_all(&matcher.name).iter().collect();
    if values.is_empty() {
        return false;
    }
    let value = values
        .iter()
        .map(|value| value.as_bytes())
        .collect::<Vec<_>>()
        .join(&b","[..]);
    match &matcher.value {
        HeaderValueMatcher::Exact(exact) => exact.as_bytes() == value,
        HeaderValueMatcher::Regex(pattern) => whole(pattern, &value),
    }
}

/// "match against the first value of the param" (`HTTPQueryParamMatch.Name`)
fn query_satisfied(matcher: &QueryMatcher, parameters: &[(Vec<u8>, Vec<u8>)]) -> bool {
    let first = parameters
        .iter()
        .find(|(name, _)| name == matcher.name.as_bytes());
    let Some((_, value)) = first else {
        return false;
    };
    match &matcher.value {
        QueryValueMatcher::Exact(exact) => exact.as_bytes() == value,
        QueryValueMatcher::Regex(pattern) => whole(pattern, value),
    }
}

/// `url.ParseQuery` of Go.
fn parameters(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut parameters = Vec::new();
    for pair in query.split('&') {
        if pair.contains(';') || pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (unescape(name), unescape(value)) {
            parameters.push((name, value));
        }
    }
    parameters
}

/// `url.QueryUnescape` of Go.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut unescaped = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => unescaped.push(b' '),
            b'%' => {
                let digits = text.get(at + 1..at + 3)?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                unescaped.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            other => unescaped.push(other),
        }
        at += 1;
    }
    Some(unescaped)
}
