//! The gRPC calls of one host by service and method.

use std::sync::Arc;

use http::header::{self, HeaderMap};
use http::{Method, Version};
use portcullis_ir::RouteId;
use portcullis_ir::matcher::{CallMatcher, NameMatcher};

use crate::parts::Parts;
use crate::path::join;
use crate::pattern::Pattern;
use crate::predicate::RequestParts;
use crate::rule::{Bucket, Match, PathMatched, Selected, insert_ranked, leave};
use crate::text_map::TextMap;

/// Whether a request is a gRPC call, by what the protocol says of its head: "Method → ":method
/// POST"", "Content-Type → "content-type" "application/grpc" [("+proto" / "+json" / {custom})]",
/// over HTTP/2. gRPC-Web is another protocol.
///
/// `te: trailers`, which "MUST" be there, is for servers to miss: who forgets it still wants an
/// answer that a gRPC client can read.
pub fn is_call(version: Version, method: &Method, headers: &HeaderMap) -> bool {
    version == Version::HTTP_2
        && method == Method::POST
        && (headers.get(header::CONTENT_TYPE))
            .is_some_and(|content| is_grpc_type(content.as_bytes()))
}

fn is_grpc_type(content: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    content
        .split_at_checked(GRPC.len())
        .is_some_and(|(media, rest)| {
            media.eq_ignore_ascii_case(GRPC)
                && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
        })
}

/// The condition on what a call calls, compiled.
#[derive(Clone, Debug)]
pub(crate) struct CallCondition {
    service: Option<Name>,
    method: Option<Name>,
}

/// The condition on the name of a service or method.
#[derive(Clone, Debug)]
enum Name {
    Exact(Arc<str>),
    Regex(Pattern),
}

impl CallCondition {
    /// `None` if a pattern of it does not compile, which `pattern` has noted.
    pub(crate) fn compile(
        matcher: &CallMatcher,
        mut pattern: impl FnMut(&str) -> Option<Pattern>,
    ) -> Option<Self> {
        let CallMatcher { service, method } = matcher;
        let mut name = |name: &NameMatcher| match name {
            NameMatcher::Exact(name) => Some(Name::Exact(name.as_str().into())),
            NameMatcher::Regex(text) => pattern(text).map(Name::Regex),
        };
        let mut condition = |matcher: &Option<NameMatcher>| match matcher {
            Some(matcher) => name(matcher).map(Some),
            None => Some(None),
        };
        Some(Self {
            service: condition(service)?,
            method: condition(method)?,
        })
    }

    fn holds(&self, call: &Call<'_>) -> bool {
        Name::holds(self.service.as_ref(), call.service)
            && Name::holds(self.method.as_ref(), call.method)
    }
}

impl Name {
    fn holds(condition: Option<&Self>, name: &str) -> bool {
        match condition {
            None => true,
            Some(Self::Exact(exact)) => **exact == *name,
            Some(Self::Regex(pattern)) => pattern.matches(name.as_bytes()),
        }
    }
}

fn path_of(service: &str, method: &str) -> String {
    format!("/{service}/{method}")
}

/// What a call calls.
struct Call<'a> {
    service: &'a str,
    method: &'a str,
}

impl<'a> Call<'a> {
    /// "Path → ":path" "/" Service-Name "/" {method name}". A path that is none of this form is
    /// taken as a method without service, as gRPC servers take it.
    fn of_path(path: &'a str) -> Self {
        let names = path.strip_prefix('/').unwrap_or_default().rsplit_once('/');
        let (service, method) = names.unwrap_or(("", path.trim_start_matches('/')));
        Self { service, method }
    }
}

/// The matches of one host for gRPC calls.
///
/// Sorted by rank, like [`crate::path::Paths`]. Service and method by name come first, then the
/// service by name, then all others in that order.
#[derive(Clone, Debug)]
pub(crate) struct Calls<P: Parts> {
    /// By path.
    methods: TextMap<Bucket<P>>,
    /// By service.
    services: TextMap<Vec<OfService<P>>>,
    others: Vec<(CallCondition, Match<P>)>,
}

/// A match for a service, with the condition on the method.
type OfService<P> = (Option<Name>, Match<P>);

impl<P: Parts> Default for Calls<P> {
    fn default() -> Self {
        Self {
            methods: TextMap::default(),
            services: TextMap::default(),
            others: Vec::new(),
        }
    }
}

impl<P: Parts> Calls<P> {
    /// Adds a match.
    pub(crate) fn insert(&mut self, condition: CallCondition, matched: Match<P>) {
        match condition {
            CallCondition {
                service: Some(Name::Exact(service)),
                method: Some(Name::Exact(method)),
            } => join(&mut self.methods, &path_of(&service, &method), matched),
            CallCondition {
                service: Some(Name::Exact(service)),
                method,
            } => {
                if let Some(of_service) = self.services.get_mut(&service) {
                    insert_ranked(of_service, (method, matched), |(_, it)| it);
                } else {
                    self.services.insert_new(service, vec![(method, matched)]);
                }
            }
            condition => insert_ranked(&mut self.others, (condition, matched), |(_, it)| it),
        }
    }

    /// Takes out what a route has under a condition.
    pub(crate) fn remove(&mut self, route: &RouteId, condition: &CallMatcher) {
        let CallMatcher { service, method } = condition;
        match (service, method) {
            (Some(NameMatcher::Exact(service)), Some(NameMatcher::Exact(method))) => {
                leave(&mut self.methods, &path_of(service, method), route);
            }
            (Some(NameMatcher::Exact(service)), _) => {
                if let Some(of_service) = self.services.get_mut(service) {
                    of_service.retain(|(_, matched)| !matched.is_of(route));
                    if of_service.is_empty() {
                        self.services.remove(service);
                    }
                }
            }
            _ => self.others.retain(|(_, matched)| !matched.is_of(route)),
        }
    }

    /// The first match, by rank, that holds for `request`; `None` if it is no call.
    pub(crate) fn select(&self, request: &RequestParts<'_>) -> Option<Selected<'_, P>> {
        if !is_call(request.version, request.method, request.headers) {
            return None;
        }
        let call = Call::of_path(request.path);
        let matched = self
            .of_method(request)
            .or_else(|| self.of_service(&call, request))
            .or_else(|| self.other(&call, request))?;
        Some(matched.selected(PathMatched::Call))
    }

    /// Whether nothing matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.services.is_empty() && self.others.is_empty()
    }

    fn of_method(&self, request: &RequestParts<'_>) -> Option<&Match<P>> {
        let mut candidates = self.methods.get(request.path)?.iter();
        candidates.find(|matched| matched.holds(request))
    }

    fn of_service(&self, call: &Call<'_>, request: &RequestParts<'_>) -> Option<&Match<P>> {
        let candidates = self.services.get(call.service)?.iter();
        candidates
            .filter(|(method, _)| Name::holds(method.as_ref(), call.method))
            .map(|(_, matched)| matched)
            .find(|matched| matched.holds(request))
    }

    fn other(&self, call: &Call<'_>, request: &RequestParts<'_>) -> Option<&Match<P>> {
        let candidates = self.others.iter();
        candidates
            .filter(|(condition, _)| condition.holds(call))
            .map(|(_, matched)| matched)
            .find(|matched| matched.holds(request))
    }
}
