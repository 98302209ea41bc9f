//! Rules as they are served.

use std::sync::Arc;

use portcullis_ir::order::Rank;
use portcullis_ir::{HostPattern, HttpRoute, RouteId, matcher};

use crate::backends::Backends;
use crate::parts::Parts;
use crate::pattern::Pattern;
use crate::predicate::{
    HeaderCondition, HeaderPredicate, Predicates, QueryCondition, QueryPredicate, RequestParts,
};
use crate::share::Patterns;
use crate::text_map::TextMap;

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
    pub backends: Arc<Backends<P::Backend>>,
    /// What it was compiled from.
    pub(crate) source: Arc<HttpRoute>,
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

/// Matches with the same path, in the order of their rank.
pub(crate) type Bucket<P> = Vec<Match<P>>;

/// One match of a rule, without its host and its exact path or prefix.
#[derive(Clone, Debug)]
pub(crate) struct Match<P: Parts> {
    rule: Arc<Rule<P>>,
    /// Its place in the rule's list, from 0.
    index: usize,
    /// `None` is no condition.
    predicates: Option<Arc<Predicates>>,
}

impl<P: Parts> Match<P> {
    pub(crate) fn new(
        rule: Arc<Rule<P>>,
        index: usize,
        predicates: Option<Arc<Predicates>>,
    ) -> Self {
        Self {
            rule,
            index,
            predicates,
        }
    }

    pub(crate) fn holds(&self, request: &RequestParts<'_>) -> bool {
        (self.predicates.as_ref()).is_none_or(|predicates| predicates.hold(request))
    }

    pub(crate) fn selected(&self, path: PathMatched) -> Selected<'_, P> {
        let rule = &self.rule;
        Selected { rule, path }
    }

    /// Whether its rule is of that route.
    pub(crate) fn is_of(&self, route: &RouteId) -> bool {
        self.rule.route == *route
    }

    /// Its rank among the matches of one name.
    fn rank(&self) -> Option<Rank> {
        let Rule { index, source, .. } = &*self.rule;
        let matched = source.rules.get(*index)?.matches.get(self.index)?;
        let name = &HostPattern::Any;
        Some(Rank::new(name, &source.origin, *index, self.index, matched))
    }
}

/// Puts a match where its rank says. It is quick with what ranks below all others.
pub(crate) fn insert_ranked<P: Parts, T>(
    list: &mut Vec<T>,
    item: T,
    matched: impl Fn(&T) -> &Match<P>,
) {
    // Most lists never have a second entry.
    if list.is_empty() {
        list.reserve_exact(1);
        list.push(item);
        return;
    }
    let rank = matched(&item).rank();
    let goes_before = |other: &T| matched(other).rank() < rank;
    let at = if list.last().is_some_and(goes_before) {
        list.len()
    } else {
        list.partition_point(goes_before)
    };
    list.insert(at, item);
}

/// Takes what a route has under a text out of buckets.
pub(crate) fn leave<P: Parts>(buckets: &mut TextMap<Bucket<P>>, key: &str, route: &RouteId) {
    let Some(bucket) = buckets.get_mut(key) else {
        return;
    };
    bucket.retain(|matched| !matched.is_of(route));
    if bucket.is_empty() {
        buckets.remove(key);
    }
}

/// The conditions of a match, compiled as far as they compile.
///
/// A condition that does not compile is named in `unreadable` and left out: the rule answers 500,
/// and where it does so is decided by the conditions that can be read.
pub(crate) struct Conditions {
    pub(crate) predicates: Option<Arc<Predicates>>,
    pub(crate) unreadable: Vec<String>,
}

impl Conditions {
    pub(crate) fn compile(matched: &matcher::HttpMatch, patterns: &Patterns) -> Self {
        let matcher::HttpMatch {
            path: _,
            method,
            headers,
            query,
        } = matched;
        let mut unreadable = Vec::new();
        let mut pattern = |text: &str, of: &dyn Fn() -> String| -> Option<Pattern> {
            let compiled = patterns.find(text);
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
        let predicates = Predicates {
            method: method.clone(),
            headers,
            query,
        };
        Self {
            predicates: (!predicates.is_empty()).then(|| Arc::new(predicates)),
            unreadable,
        }
    }
}
