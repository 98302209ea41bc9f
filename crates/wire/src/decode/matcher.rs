//! Matches.

use http::{HeaderName, HeaderValue, Method};
use portcullis_ir::matcher::{
    CallMatcher, HeaderMatcher, HeaderValueMatcher, HttpMatch, NameMatcher, PathMatcher,
    QueryMatcher, QueryValueMatcher,
};

use super::{each, optional, present, required};
use crate::error::{At, Cause, InvalidField};
use crate::messages::{self, header_matcher, name_matcher, path_matcher, query_matcher};

pub(super) fn http_match(message: messages::HttpMatch) -> Result<HttpMatch, InvalidField> {
    let messages::HttpMatch {
        path,
        method: text,
        headers,
        query,
    } = message;
    Ok(HttpMatch {
        path: required(path, "path", path_matcher)?,
        method: optional(text, "method", method)?,
        headers: each(headers, "headers", header_matcher)?,
        query: each(query, "query", query_matcher)?,
    })
}

fn path_matcher(message: messages::PathMatcher) -> Result<PathMatcher, InvalidField> {
    let messages::PathMatcher { kind } = message;
    Ok(match present(kind, "kind")? {
        path_matcher::Kind::Exact(path) => PathMatcher::Exact(path),
        path_matcher::Kind::Prefix(prefix) => PathMatcher::Prefix(prefix),
        path_matcher::Kind::Regex(pattern) => PathMatcher::Regex(pattern),
        path_matcher::Kind::Call(call) => PathMatcher::Call(call_matcher(call).at("call")?),
    })
}

fn call_matcher(message: messages::CallMatcher) -> Result<CallMatcher, InvalidField> {
    let messages::CallMatcher { service, method } = message;
    Ok(CallMatcher {
        service: optional(service, "service", name_matcher)?,
        method: optional(method, "method", name_matcher)?,
    })
}

fn name_matcher(message: messages::NameMatcher) -> Result<NameMatcher, InvalidField> {
    let messages::NameMatcher { kind } = message;
    Ok(match present(kind, "kind")? {
        name_matcher::Kind::Exact(name) => NameMatcher::Exact(name),
        name_matcher::Kind::Regex(pattern) => NameMatcher::Regex(pattern),
    })
}

fn header_matcher(message: messages::HeaderMatcher) -> Result<HeaderMatcher, InvalidField> {
    let messages::HeaderMatcher { name, value } = message;
    let value = match present(value, "value")? {
        header_matcher::Value::Exact(bytes) => {
            HeaderValueMatcher::Exact(header_value(bytes).at("exact")?)
        }
        header_matcher::Value::Regex(pattern) => HeaderValueMatcher::Regex(pattern),
    };
    let name = header_name(name).at("name")?;
    Ok(HeaderMatcher { name, value })
}

fn query_matcher(message: messages::QueryMatcher) -> Result<QueryMatcher, InvalidField> {
    let messages::QueryMatcher { name, value } = message;
    let value = match present(value, "value")? {
        query_matcher::Value::Exact(value) => QueryValueMatcher::Exact(value),
        query_matcher::Value::Regex(pattern) => QueryValueMatcher::Regex(pattern),
    };
    Ok(QueryMatcher { name, value })
}

pub(super) fn method(text: String) -> Result<Method, InvalidField> {
    Method::from_bytes(text.as_bytes()).map_err(|_| Cause::Method(text).into())
}

pub(super) fn header_name(text: String) -> Result<HeaderName, InvalidField> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| Cause::HeaderName(text).into())
}

pub(super) fn header_value(bytes: Vec<u8>) -> Result<HeaderValue, InvalidField> {
    HeaderValue::try_from(bytes).map_err(|_| Cause::HeaderValue.into())
}
