//! Routes.

use std::time::Duration;

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::matcher::{
    CallMatcher, HeaderMatcher, HeaderValueMatcher, HttpMatch, NameMatcher, PathMatcher,
    QueryMatcher, QueryValueMatcher,
};
use portcullis_ir::route::{L4Rule, Retry, RouteKind, Timeouts};
use portcullis_ir::{
    Attachment, HttpRoute, HttpRule, L4Route, RouteHost, RouteOrigin, WeightedBackend,
};

use super::all;
use crate::messages::{
    self, header_matcher, name_matcher, path_matcher, query_matcher, weighted_backend,
};

impl From<(&str, &HttpRoute)> for messages::HttpRoute {
    fn from((id, route): (&str, &HttpRoute)) -> Self {
        let HttpRoute {
            origin,
            attachments,
            rules,
        } = route;
        Self {
            id: id.to_owned(),
            origin: Some(origin.into()),
            attachments: all(attachments),
            rules: all(rules),
        }
    }
}

impl From<&RouteOrigin> for messages::RouteOrigin {
    fn from(origin: &RouteOrigin) -> Self {
        let RouteOrigin { kind, key, created } = origin;
        let kind = match kind {
            RouteKind::Http => messages::RouteKind::Http,
            RouteKind::Grpc => messages::RouteKind::Grpc,
            RouteKind::Tls => messages::RouteKind::Tls,
            RouteKind::Tcp => messages::RouteKind::Tcp,
            RouteKind::Udp => messages::RouteKind::Udp,
        };
        Self {
            kind: kind.into(),
            key: Some(key.into()),
            created: *created,
        }
    }
}

impl From<&Attachment> for messages::Attachment {
    fn from(attachment: &Attachment) -> Self {
        let Attachment { listener, hosts } = attachment;
        Self {
            listener: listener.to_string(),
            hosts: all(hosts),
        }
    }
}

impl From<&RouteHost> for messages::RouteHost {
    fn from(host: &RouteHost) -> Self {
        let RouteHost {
            effective,
            configured,
        } = host;
        Self {
            effective: Some(effective.into()),
            configured: Some(configured.into()),
        }
    }
}

impl From<&HttpRule> for messages::HttpRule {
    fn from(rule: &HttpRule) -> Self {
        let HttpRule {
            name,
            matches,
            filters,
            backends,
            timeouts:
                Timeouts {
                    request,
                    backend_request,
                },
            retry,
        } = rule;
        Self {
            name: name.clone(),
            matches: all(matches),
            filters: all(filters),
            backends: all(backends),
            request_timeout: request.map(Into::into),
            backend_request_timeout: backend_request.map(Into::into),
            retry: retry.as_ref().map(Into::into),
        }
    }
}

impl From<&Retry> for messages::Retry {
    fn from(retry: &Retry) -> Self {
        let Retry {
            codes,
            attempts,
            backoff,
        } = retry;
        Self {
            codes: codes.iter().copied().map(u32::from).collect(),
            attempts: *attempts,
            backoff: backoff.map(Into::into),
        }
    }
}

impl From<Duration> for messages::Duration {
    fn from(duration: Duration) -> Self {
        Self {
            seconds: duration.as_secs(),
            nanos: duration.subsec_nanos(),
        }
    }
}

impl From<(&str, &L4Route)> for messages::L4Route {
    fn from((id, route): (&str, &L4Route)) -> Self {
        let L4Route {
            origin,
            attachments,
            rules,
        } = route;
        Self {
            id: id.to_owned(),
            origin: Some(origin.into()),
            attachments: all(attachments),
            rules: all(rules),
        }
    }
}

impl From<&L4Rule> for messages::L4Rule {
    fn from(rule: &L4Rule) -> Self {
        let L4Rule { name, backends } = rule;
        Self {
            name: name.clone(),
            backends: all(backends),
        }
    }
}

impl From<&WeightedBackend> for messages::WeightedBackend {
    fn from(backend: &WeightedBackend) -> Self {
        let WeightedBackend {
            weight,
            target,
            filters,
        } = backend;
        let target = match target {
            BackendTarget::Backend(id) => weighted_backend::Target::Backend(id.to_string()),
            BackendTarget::Invalid { reason } => weighted_backend::Target::Invalid(reason.clone()),
        };
        Self {
            weight: *weight,
            target: Some(target),
            filters: all(filters),
        }
    }
}

impl From<&HttpMatch> for messages::HttpMatch {
    fn from(matched: &HttpMatch) -> Self {
        let HttpMatch {
            path,
            method,
            headers,
            query,
        } = matched;
        let kind = match path.clone() {
            PathMatcher::Exact(path) => path_matcher::Kind::Exact(path),
            PathMatcher::Prefix(prefix) => path_matcher::Kind::Prefix(prefix),
            PathMatcher::Regex(pattern) => path_matcher::Kind::Regex(pattern),
            PathMatcher::Call(call) => path_matcher::Kind::Call((&call).into()),
        };
        Self {
            path: Some(messages::PathMatcher { kind: Some(kind) }),
            method: method.as_ref().map(ToString::to_string),
            headers: all(headers),
            query: all(query),
        }
    }
}

impl From<&CallMatcher> for messages::CallMatcher {
    fn from(matcher: &CallMatcher) -> Self {
        let CallMatcher { service, method } = matcher;
        Self {
            service: service.as_ref().map(Into::into),
            method: method.as_ref().map(Into::into),
        }
    }
}

impl From<&NameMatcher> for messages::NameMatcher {
    fn from(matcher: &NameMatcher) -> Self {
        let kind = match matcher.clone() {
            NameMatcher::Exact(name) => name_matcher::Kind::Exact(name),
            NameMatcher::Regex(pattern) => name_matcher::Kind::Regex(pattern),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&HeaderMatcher> for messages::HeaderMatcher {
    fn from(matcher: &HeaderMatcher) -> Self {
        let HeaderMatcher { name, value } = matcher;
        let value = match value {
            HeaderValueMatcher::Exact(v) => header_matcher::Value::Exact(v.as_bytes().to_vec()),
            HeaderValueMatcher::Regex(pattern) => header_matcher::Value::Regex(pattern.clone()),
        };
        Self {
            name: name.to_string(),
            value: Some(value),
        }
    }
}

impl From<&QueryMatcher> for messages::QueryMatcher {
    fn from(matcher: &QueryMatcher) -> Self {
        let QueryMatcher { name, value } = matcher;
        let value = match value.clone() {
            QueryValueMatcher::Exact(value) => query_matcher::Value::Exact(value),
            QueryValueMatcher::Regex(pattern) => query_matcher::Value::Regex(pattern),
        };
        Self {
            name: name.clone(),
            value: Some(value),
        }
    }
}
