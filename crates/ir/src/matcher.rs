//! What a request must look like for a rule to apply.

use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;

use crate::text;

/// How many bytes a compiled regular expression may take. `translate` refuses what is bigger, and
/// whoever compiles allows this much.
pub const REGEX_SIZE_LIMIT: usize = 1 << 20;

/// One match of a rule: all conditions hold together ("ANDed"); a rule's matches are alternatives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HttpMatch {
    /// The condition on the path.
    pub path: PathMatcher,
    /// The method, if it matters.
    #[serde(serialize_with = "text::method")]
    pub method: Option<Method>,
    /// Conditions on headers, each name at most once.
    ///
    /// "If multiple entries specify equivalent header names, only the first entry with an
    /// equivalent name MUST be considered for a match." (`HTTPHeaderMatch.Name`)
    pub headers: Vec<HeaderMatcher>,
    /// Conditions on query parameters, each name at most once.
    pub query: Vec<QueryMatcher>,
}

impl HttpMatch {
    /// The match of a rule that gives none: "a prefix path match on "/", which has the effect of
    /// matching every HTTP request" (`HTTPRouteRule.Matches`).
    pub fn every_request() -> Self {
        Self {
            path: PathMatcher::Prefix("/".to_owned()),
            method: None,
            headers: Vec::new(),
            query: Vec::new(),
        }
    }
}

/// The condition on the path. Paths compare case-sensitively, as sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PathMatcher {
    /// The whole path.
    Exact(String),
    /// "Matches based on a URL path prefix split by `/`": whole elements only. Starts with `/`
    /// and has no trailing `/` unless it is `/` itself.
    Prefix(String),
    /// A regular expression that must match the whole path. Compiles (checked by `translate`).
    Regex(String),
    /// gRPC calls alone, by what they call. The only condition of this sort that GRPCRoutes have,
    /// and HTTPRoutes never.
    Call(CallMatcher),
}

/// The condition on what a gRPC call calls: the path is "/" service "/" method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct CallMatcher {
    /// The condition on the service, with its package; `None` for every one.
    pub service: Option<NameMatcher>,
    /// The condition on the method; `None` for every one.
    pub method: Option<NameMatcher>,
}

/// The condition on the name of a gRPC service or method, which compares case-sensitively.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NameMatcher {
    /// The whole name.
    Exact(String),
    /// A regular expression that must match the whole name. Compiles (checked by `translate`).
    Regex(String),
}

/// The condition on one header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HeaderMatcher {
    /// The header's name, lower case.
    #[serde(serialize_with = "text::header_name")]
    pub name: HeaderName,
    /// The condition on its value. Several headers of the name count as one, joined by `,`
    /// (RFC 9110 section 5.3).
    pub value: HeaderValueMatcher,
}

/// The condition on a header's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HeaderValueMatcher {
    /// The whole value.
    Exact(#[serde(serialize_with = "text::header_value")] HeaderValue),
    /// A regular expression that must match the whole value.
    Regex(String),
}

/// The condition on one query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct QueryMatcher {
    /// The parameter's name, compared exactly and case-sensitively after percent-decoding.
    pub name: String,
    /// The condition on its (first) value.
    pub value: QueryValueMatcher,
}

/// The condition on a query parameter's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum QueryValueMatcher {
    /// The whole value.
    Exact(String),
    /// A regular expression that must match the whole value.
    Regex(String),
}
