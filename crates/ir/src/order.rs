//! The spec's precedence between matches, as one total order.
//!
//! Routes arrive separately, so the order is not a property of the snapshot: whoever compiles it
//! sorts with [`Rank`]. What sorts first wins.

use std::cmp::{Ordering, Reverse};

use crate::hostname::HostPattern;
use crate::ident::ObjectKey;
use crate::matcher::{CallMatcher, HttpMatch, NameMatcher, PathMatcher};
use crate::route::{RouteKind, RouteOrigin};

/// The rank of one match of one rule of one route under one of its hostnames.
///
/// Two ranks are equal only if they are of the same match (same route, rule and match index, same
/// configured hostname).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// "precedence must be given to rules from the HTTPRoute with the largest number of:
    /// characters in a matching non-wildcard hostname, characters in a matching hostname"
    /// (`HTTPRouteSpec.Hostnames`), by the names as configured on the route.
    host: HostPattern,
    path: PathRank,
    /// "Method match."
    without_method: bool,
    /// "Largest number of header matches."
    headers: Reverse<usize>,
    /// "Largest number of query param matches."
    query: Reverse<usize>,
    origin: OriginRank,
    /// "precedence MUST be granted to the FIRST matching rule (in list order)"
    rule: usize,
    /// A rule's matches are alternatives that lead to the same place: list order serves.
    index: usize,
}

impl Rank {
    /// The rank of match number `index` of rule number `rule`.
    pub fn new(
        host: &HostPattern,
        origin: &RouteOrigin,
        rule: usize,
        index: usize,
        matched: &HttpMatch,
    ) -> Self {
        let HttpMatch {
            path,
            method,
            headers,
            query,
        } = matched;
        Self {
            host: host.clone(),
            path: PathRank::new(path),
            without_method: method.is_none(),
            headers: Reverse(headers.len()),
            query: Reverse(query.len()),
            origin: OriginRank::new(origin),
            rule,
            index,
        }
    }
}

/// "Exact" path match, then "Prefix" path match with largest number of characters.
///
/// Matches of GRPCRoutes come before those of HTTPRoutes for the same hostname. "Merging MUST not
/// be done between GRPCRoutes and HTTPRoutes" (`GRPCRouteRule.Matches`): rules of the two are never
/// weighed against each other.
///
/// "Note: The precedence of RegularExpression path matches are implementation-specific." Here a
/// regular expression comes after exact paths and before prefixes, the longer pattern first: who
/// writes one wants an exception from the prefix around it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PathRank {
    /// "Characters in a matching service. Characters in a matching method."
    Call {
        service: NameRank,
        method: NameRank,
    },
    Exact,
    Regex {
        length: Reverse<usize>,
    },
    Prefix {
        length: Reverse<usize>,
    },
}

impl PathRank {
    fn new(path: &PathMatcher) -> Self {
        match path {
            PathMatcher::Exact(_) => Self::Exact,
            PathMatcher::Regex(pattern) => Self::Regex {
                length: Reverse(pattern.len()),
            },
            PathMatcher::Prefix(prefix) => Self::Prefix {
                length: Reverse(prefix.len()),
            },
            PathMatcher::Call(CallMatcher { service, method }) => Self::Call {
                service: NameRank::new(service.as_ref()),
                method: NameRank::new(method.as_ref()),
            },
        }
    }
}

/// The rank of a condition on a gRPC service or method. Names that match the same call have the
/// same number of characters; with a regular expression it is implementation-specific what
/// "characters in a matching service" counts: here those of the pattern, after exact names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NameRank {
    Exact,
    Regex { length: Reverse<usize> },
    Every,
}

impl NameRank {
    fn new(name: Option<&NameMatcher>) -> Self {
        match name {
            Some(NameMatcher::Exact(_)) => Self::Exact,
            Some(NameMatcher::Regex(pattern)) => Self::Regex {
                length: Reverse(pattern.len()),
            },
            None => Self::Every,
        }
    }
}

/// "The oldest Route based on creation timestamp", then "the Route appearing first in alphabetical
/// order by "{namespace}/{name}"".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OriginRank {
    created: (bool, i64),
    key: ByText,
    kind: RouteKind,
}

impl OriginRank {
    /// The rank of a route among routes.
    pub fn new(origin: &RouteOrigin) -> Self {
        let RouteOrigin { kind, key, created } = origin;
        Self {
            created: created.map_or((true, 0), |seconds| (false, seconds)),
            key: ByText(key.clone()),
            kind: *kind,
        }
    }
}

/// An [`ObjectKey`] in the alphabetical order of its text, `{namespace}/{name}`: `a-b/c` comes
/// before `a/c`, since `-` comes before `/`, where comparing part by part says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ByText(ObjectKey);

impl ByText {
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let Self(ObjectKey { namespace, name }) = self;
        namespace.bytes().chain([b'/']).chain(name.bytes())
    }
}

impl Ord for ByText {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.0.namespace == other.0.namespace {
            return self.0.name.cmp(&other.0.name); // the same, in a fraction of the time
        }
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for ByText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
