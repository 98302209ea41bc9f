//! HTTPRoute.

use serde::{Deserialize, Serialize};

use crate::keyword::keyword;
use crate::meta::{Object, namespaced};
use crate::route::{
    BackendRef, GatewayDefaultScope, GatewayDuration, HeaderMatch, HeaderMatchType,
    ParentReference, RouteFilter, SessionPersistence,
};
use crate::status::RouteStatus;

/// An `HTTPRoute`.
pub type HttpRoute = Object<HttpRouteSpec>;

namespaced!(HttpRouteSpec, HttpRoute, RouteStatus);

/// What an HTTPRoute wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// Where it wants to attach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Whether it attaches to default Gateways too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<GatewayDefaultScope>,
    /// The hosts it serves; those of its listeners if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// What it does. Absent is one rule that matches everything and has no backend.
    #[serde(default = "one_rule")]
    pub rules: Vec<HttpRouteRule>,
}

/// `+kubebuilder:default={{matches: {{path: {type: "PathPrefix", value: "/"}}}}}`
fn one_rule() -> Vec<HttpRouteRule> {
    vec![HttpRouteRule::default()]
}

/// One rule: requests that match it are filtered and sent on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteRule {
    /// The user's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Alternatives; every request if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<HttpRouteMatch>,
    /// What is done to requests and answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<RouteFilter>,
    /// Where requests go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backend_refs: Vec<BackendRef>,
    /// How long it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Box<HttpRouteTimeouts>>,
    /// What is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<HttpRouteRetry>>,
    /// Sessions that stay with one backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_persistence: Option<Box<SessionPersistence>>,
}

/// Conditions that hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteMatch {
    /// On the path; every path if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathMatch>,
    /// On headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatch>,
    /// On query parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_params: Vec<HttpQueryParamMatch>,
    /// On the method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
}

/// A condition on the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpPathMatch {
    /// How it is compared.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub match_type: Option<PathMatchType>,
    /// What it is compared to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl HttpPathMatch {
    /// How it is compared; `PathPrefix` by default.
    pub fn match_type(&self) -> &PathMatchType {
        let default = &PathMatchType::PathPrefix;
        self.match_type.as_ref().unwrap_or(default)
    }

    /// What it is compared to; `/` by default.
    pub fn value(&self) -> &str {
        self.value.as_deref().unwrap_or("/")
    }
}

keyword! {
    /// How a path is compared.
    PathMatchType {
        Exact = "Exact",
        PathPrefix = "PathPrefix",
        RegularExpression = "RegularExpression",
    }
}

/// A condition on a query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpQueryParamMatch {
    /// How it is compared.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub match_type: Option<HeaderMatchType>,
    /// The parameter's name, compared exactly.
    pub name: String,
    /// What its value is compared to.
    pub value: String,
}

impl HttpQueryParamMatch {
    /// How it is compared; `Exact` by default.
    pub fn match_type(&self) -> &HeaderMatchType {
        self.match_type.as_ref().unwrap_or(&HeaderMatchType::Exact)
    }
}

keyword! {
    /// The methods a route may match.
    HttpMethod {
        Get = "GET",
        Head = "HEAD",
        Post = "POST",
        Put = "PUT",
        Delete = "DELETE",
        Connect = "CONNECT",
        Options = "OPTIONS",
        Trace = "TRACE",
        Patch = "PATCH",
    }
}

/// How long a request may take (GEP-1742).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteTimeouts {
    /// From the whole request's arrival to the answer's end. Zero is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<GatewayDuration>,
    /// One attempt at one backend. Zero is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<GatewayDuration>,
}

/// What is tried again (GEP-1731).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRouteRetry {
    /// Status codes of the backend that are tried again, beside connection errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<u16>,
    /// How often; 0 turns retries off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long to wait before the next attempt, at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<GatewayDuration>,
}

impl HttpRouteRetry {
    /// How often; 1 by default.
    pub fn attempts(&self) -> u32 {
        self.attempts.unwrap_or(1)
    }
}
