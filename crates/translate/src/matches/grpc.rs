//! Matches of gRPC rules.

use portcullis_api::grpc_route::{GrpcMethodMatch, GrpcRouteMatch};
use portcullis_api::route::HeaderMatchType;
use portcullis_ir::matcher::{CallMatcher, HttpMatch, NameMatcher, PathMatcher};

use super::{BadMatch, lower_headers};
use crate::patterns::Patterns;

/// The match of a rule that gives none: "If no matches are specified, the implementation MUST
/// match every gRPC request." (`GRPCRouteRule.Matches`)
pub(crate) fn every_call() -> HttpMatch {
    HttpMatch {
        path: PathMatcher::Call(CallMatcher::default()),
        ..HttpMatch::every_request()
    }
}

/// Lowers one match.
pub(crate) fn lower(
    matched: &GrpcRouteMatch,
    patterns: &mut Patterns,
) -> Result<HttpMatch, BadMatch> {
    let GrpcRouteMatch { method, headers } = matched;
    let call = match method {
        Some(method) => lower_method(method, patterns)?,
        None => CallMatcher::default(),
    };
    Ok(HttpMatch {
        path: PathMatcher::Call(call),
        method: None,
        headers: lower_headers(headers, patterns)?,
        query: Vec::new(),
    })
}

/// "If left empty or omitted, will match any service." (`GRPCMethodMatch.Service`, and likewise
/// `Method`)
fn lower_method(
    method: &GrpcMethodMatch,
    patterns: &mut Patterns,
) -> Result<CallMatcher, BadMatch> {
    let GrpcMethodMatch {
        match_type: _,
        service,
        method: name,
    } = method;
    let mut lower = |part, name: Option<&str>| {
        let name = name.filter(|name| !name.is_empty());
        name.map(|name| lower_name(part, name, method.match_type(), patterns))
            .transpose()
    };
    Ok(CallMatcher {
        service: lower("service", service.as_deref())?,
        method: lower("method", name.as_deref())?,
    })
}

fn lower_name(
    part: &'static str,
    name: &str,
    match_type: &HeaderMatchType,
    patterns: &mut Patterns,
) -> Result<NameMatcher, BadMatch> {
    match match_type {
        HeaderMatchType::Exact if is_name(name) => Ok(NameMatcher::Exact(name.to_owned())),
        HeaderMatchType::Exact => Err(BadMatch::CallName {
            part,
            name: name.to_owned(),
        }),
        HeaderMatchType::RegularExpression => {
            let pattern = patterns.regex(name);
            let pattern = pattern.map_err(|bad| BadMatch::CallPattern { part, bad })?;
            Ok(NameMatcher::Regex(pattern))
        }
        HeaderMatchType::Other(value) => Err(BadMatch::Type {
            field: "method",
            value: value.clone(),
        }),
    }
}

/// "Exact methods MUST be syntactically valid: Must not contain `/` character"
/// (`GRPCMethodMatchType`), nor anything else that the CRD's validation does not take.
fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
    name.bytes().all(is_allowed)
}
