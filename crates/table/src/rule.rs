//! Rules as they are served.

use std::sync::Arc;

use portcullis_ir::{RouteId, matcher};

use crate::backends::Backends;
use crate::parts::Parts;
use crate::pattern::Pattern;
use crate::predicate::{
    HeaderCondition, HeaderPredicate, Predicates, QueryCondition, QueryPredicate, RequestParts,
};
use crate::share::Patterns;

/// What is done with the requests of one rule of an HTTP route on one listener.
#[derive(Debug)]
pub struct Rule<P: Parts> {
    /// The route it is of.
    pub route: RouteId,
    /// Its place in the route's list, from 0.
    pub index: usize,
    /// What the data plane attached to it: what is done to its requests, how they are counted.
    pub attached: P::Rule,
    /// Where its requests go. Of no importance if a filter answers (redirect).
    pub backends: Backends<P::Backend>,
}

/// The rule for a request.
#[derive(Debug)]
pub struct Selected<'t, P: Parts> {
    /// The rule; cloned by who needs it longer than the table.
    pub rule: &'t Arc<Rule<P>>,
    /// What of the request's path the match named.
    pub path: PathMatched,
}

/// What of a request's path a match named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMatched {
    /// All of it.
    Exact,
    /// A regular expression matched it.
    Regex,
    /// The service and method of a gRPC call, or no part of them.
    Call,
    /// Its first elements.
    Prefix {
        /// How many bytes they take, without a trailing `/`: 4 for `/foo`, 0 for `/`. What
        /// follows is empty or starts with `/`, save that `/` matches a path without `/` too
        /// (`OPTIONS *`).
        length: usize,
    },
}

/// One match of a rule, without its host and its exact path or prefix.
#[derive(Debug)]
pub(crate) struct Match<P: Parts> {
    pub(crate) rule: Arc<Rule<P>>,
    predicates: Predicates,
}

impl<P: Parts> Match<P> {
    pub(crate) fn new(rule: Arc<Rule<P>>, predicates: Predicates) -> Self {
        Self { rule, predicates }
    }

    pub(crate) fn holds(&self, request: &RequestParts<'_>) -> bool {
        self.predicates.hold(request)
    }

    pub(crate) fn selected(&self, path: PathMatched) -> Selected<'_, P> {
        let rule = &self.rule;
        Selected { rule, path }
    }
}

/// The conditions of a match, compiled as far as they compile.
///
/// A condition that does not compile is named in `unreadable` and left out: the rule answers 500,
/// and where it does so is decided by the conditions that can be read.
pub(crate) struct Conditions {
    pub(crate) predicates: Predicates,
    pub(crate) unreadable: Vec<String>,
}

impl Conditions {
    pub(crate) fn compile(matched: &matcher::HttpMatch, patterns: &mut Patterns) -> Self {
        let matcher::HttpMatch {
            path: _,
            method,
            headers,
            query,
        } = matched;
        let mut unreadable = Vec::new();
        let mut pattern = |text: &str, of: &dyn Fn() -> String| -> Option<Pattern> {
            let compiled = patterns.compile(text);
            compiled
                .map_err(|error| unreadable.push(format!("{} {text:?}: {error}", of())))
                .ok()
        };
        let headers = headers
            .iter()
            .filter_map(|matcher::HeaderMatcher { name, value }| {
                let value = match value {
                    matcher::HeaderValueMatcher::Exact(v) => HeaderCondition::Exact(v.clone()),
                    matcher::HeaderValueMatcher::Regex(text) => {
                        HeaderCondition::Regex(pattern(text, &|| format!("header {name}"))?)
                    }
                };
                let name = name.clone();
                Some(HeaderPredicate { name, value })
            })
            .collect();
        let query = query
            .iter()
            .filter_map(|matcher::QueryMatcher { name, value }| {
                let value = match value {
                    matcher::QueryValueMatcher::Exact(v) => {
                        QueryCondition::Exact(v.as_str().into())
                    }
                    matcher::QueryValueMatcher::Regex(text) => {
                        QueryCondition::Regex(pattern(text, &|| format!("query parameter {name}"))?)
                    }
                };
                let name = name.as_str().into();
                Some(QueryPredicate { name, value })
            })
            .collect();
        Self {
            predicates: Predicates {
                method: method.clone(),
                headers,
                query,
            },
            unreadable,
        }
    }
}
