//! Matches of HTTP and gRPC rules.

pub(crate) mod grpc;

use std::collections::BTreeSet;

use http::Method;
use portcullis_api::http_route::{
    HttpMethod, HttpPathMatch, HttpQueryParamMatch, HttpRouteMatch, PathMatchType,
};
use portcullis_api::route::{HeaderMatch, HeaderMatchType};
use portcullis_ir::matcher::{
    HeaderMatcher, HeaderValueMatcher, HttpMatch, PathMatcher, QueryMatcher, QueryValueMatcher,
};

use crate::patterns::{BadPattern, Patterns, header_name, header_value};

/// What cannot be served of a match; completes "rules\[0\].matches\[1\].…".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadMatch {
    #[error("path: {0}")]
    Path(#[from] BadPath),
    #[error("path: {0}")]
    PathPattern(BadPattern),
    #[error("headers: {0}")]
    Header(BadPattern),
    #[error("queryParams: {0}")]
    Query(BadPattern),
    #[error("{field}: type {value:?} is unknown")]
    Type { field: &'static str, value: String },
    #[error("method: {0:?} is not a method that a route may match")]
    Method(String),
    #[error("method.{part}: {name:?} is not the name of a gRPC {part}")]
    CallName { part: &'static str, name: String },
    #[error("method.{part}: {bad}")]
    CallPattern { part: &'static str, bad: BadPattern },
}

/// What is no path; "PathPrefix and Exact paths must be syntactically valid: Must begin with the
/// `/` character. Must not contain consecutive `/` characters" (`PathMatchType`), and what the
/// CRD's validation adds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPath {
    #[error("{0:?} does not begin with /")]
    NoSlash(String),
    #[error("{path:?} contains {part:?}")]
    Contains { path: String, part: &'static str },
    #[error("{path:?} ends in {part:?}")]
    Ends { path: String, part: &'static str },
}

/// Lowers one match.
pub(crate) fn lower(
    matched: &HttpRouteMatch,
    patterns: &mut Patterns,
) -> Result<HttpMatch, BadMatch> {
    let HttpRouteMatch {
        path,
        headers,
        query_params,
        method,
    } = matched;
    Ok(HttpMatch {
        path: match path {
            Some(path) => lower_path(path, patterns)?,
            None => HttpMatch::every_request().path,
        },
        method: method.as_ref().map(lower_method).transpose()?,
        headers: lower_headers(headers, patterns)?,
        query: lower_query(query_params, patterns)?,
    })
}

fn lower_path(path: &HttpPathMatch, patterns: &mut Patterns) -> Result<PathMatcher, BadMatch> {
    let value = path.value();
    match path.match_type() {
        PathMatchType::Exact => {
            check_path(value)?;
            Ok(PathMatcher::Exact(value.to_owned()))
        }
        PathMatchType::PathPrefix => {
            check_path(value)?;
            Ok(PathMatcher::Prefix(prefix(value).to_owned()))
        }
        PathMatchType::RegularExpression => {
            let pattern = patterns.regex(value).map_err(BadMatch::PathPattern)?;
            Ok(PathMatcher::Regex(pattern))
        }
        PathMatchType::Other(value) => Err(BadMatch::Type {
            field: "path",
            value: value.clone(),
        }),
    }
}

/// "When specified, a trailing `/` is ignored." (`PathMatchPathPrefix`)
fn prefix(value: &str) -> &str {
    match value.strip_suffix('/') {
        None | Some("") => value,
        Some(shorter) => shorter,
    }
}

fn check_path(path: &str) -> Result<(), BadPath> {
    const PARTS: [&str; 6] = ["//", "/./", "/../", "%2f", "%2F", "#"];
    const ENDS: [&str; 2] = ["/..", "/."];
    let owned = || path.to_owned();
    if !path.starts_with('/') {
        return Err(BadPath::NoSlash(owned()));
    }
    if let Some(part) = PARTS.into_iter().find(|part| path.contains(part)) {
        return Err(BadPath::Contains {
            path: owned(),
            part,
        });
    }
    match ENDS.into_iter().find(|part| path.ends_with(part)) {
        Some(part) => Err(BadPath::Ends {
            path: owned(),
            part,
        }),
        None => Ok(()),
    }
}

fn lower_method(method: &HttpMethod) -> Result<Method, BadMatch> {
    Ok(match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Connect => Method::CONNECT,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Trace => Method::TRACE,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Other(value) => return Err(BadMatch::Method(value.clone())),
    })
}

/// "If multiple entries specify equivalent header names, only the first entry with an equivalent
/// name MUST be considered for a match." (`HTTPHeaderMatch.Name`)
fn lower_headers(
    headers: &[HeaderMatch],
    patterns: &mut Patterns,
) -> Result<Vec<HeaderMatcher>, BadMatch> {
    let mut seen = BTreeSet::new();
    let mut lowered = Vec::with_capacity(headers.len());
    for header in headers {
        let name = header_name(&header.name).map_err(BadMatch::Header)?;
        if !seen.insert(name.as_str().to_owned()) {
            continue;
        }
        let value = match header.match_type() {
            HeaderMatchType::Exact => header_value(&header.value).map(HeaderValueMatcher::Exact),
            HeaderMatchType::RegularExpression => {
                patterns.regex(&header.value).map(HeaderValueMatcher::Regex)
            }
            HeaderMatchType::Other(value) => {
                return Err(BadMatch::Type {
                    field: "headers",
                    value: value.clone(),
                });
            }
        };
        let value = value.map_err(BadMatch::Header)?;
        lowered.push(HeaderMatcher { name, value });
    }
    Ok(lowered)
}

/// "If multiple entries specify equivalent query param names, only the first entry with an
/// equivalent name MUST be considered for a match." (`HTTPQueryParamMatch.Name`)
fn lower_query(
    params: &[HttpQueryParamMatch],
    patterns: &mut Patterns,
) -> Result<Vec<QueryMatcher>, BadMatch> {
    let mut seen = BTreeSet::new();
    let mut lowered = Vec::with_capacity(params.len());
    for param in params {
        if !seen.insert(&param.name) {
            continue;
        }
        let value = match param.match_type() {
            HeaderMatchType::Exact => QueryValueMatcher::Exact(param.value.clone()),
            HeaderMatchType::RegularExpression => {
                let pattern = patterns.regex(&param.value).map_err(BadMatch::Query)?;
                QueryValueMatcher::Regex(pattern)
            }
            HeaderMatchType::Other(value) => {
                return Err(BadMatch::Type {
                    field: "queryParams",
                    value: value.clone(),
                });
            }
        };
        lowered.push(QueryMatcher {
            name: param.name.clone(),
            value,
        });
    }
    Ok(lowered)
}
