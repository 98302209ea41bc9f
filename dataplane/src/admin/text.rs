//! Matches, filters and targets in words.

use std::net::SocketAddr;

use portcullis_ir::Endpoint;
use portcullis_ir::backend::{BackendTarget, EndpointHost, WeightedBackend};
use portcullis_ir::filter::{
    Allowed, Cors, Filter, HeaderEdits, Mirror, PathRewrite, Redirect, Rewrite,
};
use portcullis_ir::matcher::{
    CallMatcher, HeaderMatcher, HeaderValueMatcher, HttpMatch, NameMatcher, PathMatcher,
    QueryMatcher, QueryValueMatcher,
};

use super::loaded::LoadedTarget;

/// `PathPrefix /status, method GET, header x-a: b, query q=1`
pub(super) fn http_match(matched: &HttpMatch) -> String {
    let HttpMatch {
        path,
        method,
        headers,
        query,
    } = matched;
    let path = match path {
        PathMatcher::Exact(path) => format!("Exact {path}"),
        PathMatcher::Prefix(path) => format!("PathPrefix {path}"),
        PathMatcher::Regex(pattern) => format!("RegularExpression {pattern}"),
        PathMatcher::Call(call) => call_match(call),
    };
    let method = method.iter().map(|method| format!("method {method}"));
    let headers = headers.iter().map(header_match);
    let query = query.iter().map(query_match);
    let parts: Vec<String> = std::iter::once(path)
        .chain(method)
        .chain(headers)
        .chain(query)
        .collect();
    parts.join(", ")
}

/// `gRPC service a.B, method ~ Get.*`
fn call_match(matcher: &CallMatcher) -> String {
    let CallMatcher { service, method } = matcher;
    let name = |what: &str, matcher: &NameMatcher| match matcher {
        NameMatcher::Exact(name) => format!("{what} {name}"),
        NameMatcher::Regex(pattern) => format!("{what} ~ {pattern}"),
    };
    let service = service.iter().map(|matcher| name("service", matcher));
    let method = method.iter().map(|matcher| name("method", matcher));
    let parts: Vec<String> = service.chain(method).collect();
    if parts.is_empty() {
        "gRPC".to_owned()
    } else {
        format!("gRPC {}", parts.join(", "))
    }
}

fn header_match(matcher: &HeaderMatcher) -> String {
    let HeaderMatcher { name, value } = matcher;
    match value {
        HeaderValueMatcher::Exact(value) => {
            format!(
                "header {name}: {}",
                String::from_utf8_lossy(value.as_bytes())
            )
        }
        HeaderValueMatcher::Regex(pattern) => format!("header {name} ~ {pattern}"),
    }
}

fn query_match(matcher: &QueryMatcher) -> String {
    let QueryMatcher { name, value } = matcher;
    match value {
        QueryValueMatcher::Exact(value) => format!("query {name}={value}"),
        QueryValueMatcher::Regex(pattern) => format!("query {name} ~ {pattern}"),
    }
}

/// `redirect to https://h:8443, path /x, 301`
pub(super) fn filter(filter: &Filter) -> String {
    match filter {
        Filter::RequestHeaders(edits) => format!("request headers: {}", header_edits(edits)),
        Filter::ResponseHeaders(edits) => format!("response headers: {}", header_edits(edits)),
        Filter::Redirect(to) => redirect(to),
        Filter::Rewrite(to) => rewrite(to),
        Filter::Mirror(Mirror { backend, share }) => format!("mirror: {backend}, {share}"),
        Filter::Cors(allowed) => cors(allowed),
    }
}

/// Names only: values may be credentials.
fn header_edits(edits: &HeaderEdits) -> String {
    let HeaderEdits { set, add, remove } = edits;
    let set = set.iter().map(|header| format!("set {}", header.name));
    let add = add.iter().map(|header| format!("add {}", header.name));
    let remove = remove.iter().map(|name| format!("remove {name}"));
    set.chain(add).chain(remove).collect::<Vec<_>>().join(", ")
}

fn redirect(redirect: &Redirect) -> String {
    let Redirect {
        scheme,
        hostname,
        port,
        path,
        status,
    } = redirect;
    let scheme = scheme.map(|scheme| format!("scheme {}", scheme.as_str()));
    let hostname = hostname.as_ref().map(|hostname| format!("host {hostname}"));
    let port = port.map(|port| format!("port {port}"));
    let path = path.as_ref().map(path_rewrite);
    let changes = [scheme, hostname, port, path, Some(status.to_string())];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    format!("redirect: {}", changes.join(", "))
}

fn rewrite(rewrite: &Rewrite) -> String {
    let Rewrite { hostname, path } = rewrite;
    let hostname = hostname
        .as_ref()
        .map(|hostname| format!("host {}", String::from_utf8_lossy(hostname.as_bytes())));
    let path = path.as_ref().map(path_rewrite);
    let changes: Vec<String> = [hostname, path].into_iter().flatten().collect();
    format!("rewrite: {}", changes.join(", "))
}

fn cors(cors: &Cors) -> String {
    let Cors {
        origins,
        credentials,
        methods,
        request_headers,
        exposed_headers,
        max_age,
    } = cors;
    let parts = [
        ("origins", allowed(origins)),
        ("methods", allowed(methods)),
        ("headers", allowed(request_headers)),
        ("exposed", allowed(exposed_headers)),
    ];
    let parts = parts.into_iter().filter(|(_, some)| !some.is_empty());
    let mut text: Vec<String> = parts.map(|(of, some)| format!("{of} {some}")).collect();
    text.extend(credentials.then(|| "credentials".to_owned()));
    text.push(format!("max age {max_age} s"));
    format!("cors: {}", text.join(", "))
}

fn allowed<T: ToString>(allowed: &Allowed<T>) -> String {
    match allowed {
        Allowed::All => "*".to_owned(),
        Allowed::These(these) => {
            let these: Vec<String> = these.iter().map(ToString::to_string).collect();
            these.join(" ")
        }
    }
}

fn path_rewrite(path: &PathRewrite) -> String {
    match path {
        PathRewrite::Full(path) => format!("path {path}"),
        PathRewrite::Prefix(prefix) => format!("prefix {prefix}"),
    }
}

pub(super) fn target(backend: &WeightedBackend) -> LoadedTarget {
    let WeightedBackend {
        weight,
        target,
        filters,
    } = backend;
    let (backend, problem) = match target {
        BackendTarget::Backend(id) => (Some(id.clone()), None),
        BackendTarget::Invalid { reason } => (None, Some(reason.clone())),
    };
    LoadedTarget {
        backend,
        weight: *weight,
        filters: filters.iter().map(filter).collect(),
        problem,
    }
}

/// `10.0.0.1:80`, `[::1]:80` or `name.example:80`
pub(super) fn endpoint(endpoint: &Endpoint) -> String {
    let Endpoint { host, port } = endpoint;
    match host {
        EndpointHost::Ip(ip) => SocketAddr::new(*ip, *port).to_string(),
        EndpointHost::Dns(name) => format!("{name}:{port}"),
    }
}
