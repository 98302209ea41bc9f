//! The rules of one host by path.

use portcullis_ir::RouteId;
use portcullis_ir::matcher::PathMatcher;

use crate::call::{CallCondition, Calls};
use crate::parts::Parts;
use crate::pattern::Pattern;
use crate::predicate::RequestParts;
use crate::rule::{Bucket, Match, PathMatched, Selected, insert_ranked, leave};
use crate::text_map::TextMap;

/// The condition of a match on the path, compiled.
#[derive(Clone, Debug)]
pub(crate) enum PathCondition<'r> {
    Exact(&'r str),
    Prefix(&'r str),
    Regex(Pattern),
    Call(CallCondition),
    /// It has a regular expression that does not compile. There is no telling which paths it
    /// meant, so it matches none.
    Unreadable,
}

/// The matches of one host, by path.
///
/// Whatever shares a path is tried in the order of its rank. Between paths the order is the one of
/// `ir::order`: gRPC calls, then exact, then regular expressions, then prefixes from the longest.
/// Copies share what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct Paths<P: Parts> {
    calls: Option<Box<Calls<P>>>,
    exact: TextMap<Bucket<P>>,
    regex: Vec<(Pattern, Match<P>)>,
    prefixes: Prefixes<P>,
}

impl<P: Parts> Default for Paths<P> {
    fn default() -> Self {
        Self {
            calls: None,
            exact: TextMap::default(),
            regex: Vec::new(),
            prefixes: Prefixes::default(),
        }
    }
}

impl<P: Parts> Paths<P> {
    /// Adds a match.
    pub(crate) fn insert(&mut self, path: PathCondition<'_>, matched: Match<P>) {
        match path {
            PathCondition::Exact(path) => join(&mut self.exact, path, matched),
            PathCondition::Prefix(prefix) => self.prefixes.insert(prefix, matched),
            PathCondition::Regex(pattern) => {
                insert_ranked(&mut self.regex, (pattern, matched), |(_, it)| it);
            }
            PathCondition::Call(call) => self
                .calls
                .get_or_insert_with(Box::default)
                .insert(call, matched),
            PathCondition::Unreadable => {}
        }
    }

    /// Takes out what a route has under these paths.
    pub(crate) fn remove<'r>(
        &mut self,
        route: &RouteId,
        paths: impl Iterator<Item = &'r PathMatcher>,
    ) {
        let mut has_regex = false;
        for path in paths {
            match path {
                PathMatcher::Exact(path) => leave(&mut self.exact, path, route),
                PathMatcher::Prefix(prefix) => self.prefixes.remove(prefix, route),
                PathMatcher::Regex(_) => has_regex = true,
                PathMatcher::Call(call) => {
                    if let Some(calls) = &mut self.calls {
                        calls.remove(route, call);
                    }
                }
            }
        }
        if has_regex {
            self.regex.retain(|(_, matched)| !matched.is_of(route));
        }
        self.calls.take_if(|calls| calls.is_empty());
    }

    /// Whether nothing matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_none()
            && self.exact.is_empty()
            && self.regex.is_empty()
            && self.prefixes.is_empty()
    }

    /// The first match, by rank, that holds for `request`.
    pub(crate) fn select(&self, request: &RequestParts<'_>) -> Option<Selected<'_, P>> {
        (self.calls.as_ref())
            .and_then(|calls| calls.select(request))
            .or_else(|| self.select_exact(request))
            .or_else(|| self.select_regex(request))
            .or_else(|| self.prefixes.select(request))
    }

    fn select_exact(&self, request: &RequestParts<'_>) -> Option<Selected<'_, P>> {
        if self.exact.is_empty() {
            return None;
        }
        let bucket = self.exact.get(request.path)?;
        Some(first(bucket, request)?.selected(PathMatched::Exact))
    }

    fn select_regex(&self, request: &RequestParts<'_>) -> Option<Selected<'_, P>> {
        let path = request.path.as_bytes();
        let (_, matched) = (self.regex.iter())
            .find(|(pattern, matched)| pattern.matches(path) && matched.holds(request))?;
        Some(matched.selected(PathMatched::Regex))
    }
}

/// Adds a match under a text.
pub(crate) fn join<P: Parts>(buckets: &mut TextMap<Bucket<P>>, key: &str, matched: Match<P>) {
    if let Some(bucket) = buckets.get_mut(key) {
        insert_ranked(bucket, matched, |it| it);
    } else {
        buckets.insert_new(key.into(), vec![matched]);
    }
}

/// The matches with a prefix, by prefix.
#[derive(Clone, Debug)]
struct Prefixes<P: Parts> {
    /// Without the `/` at the end, and without `/` itself.
    by_prefix: TextMap<Bucket<P>>,
    /// Those of `/`, which match every path.
    every_path: Bucket<P>,
    /// No key is longer, in bytes.
    longest: usize,
    /// No key has more `/`.
    deepest: usize,
    /// Bit `n` is set if a key has length `n` modulo 64: most lengths need not be looked up.
    lengths: u64,
}

impl<P: Parts> Default for Prefixes<P> {
    fn default() -> Self {
        Self {
            by_prefix: TextMap::default(),
            every_path: Vec::new(),
            longest: 0,
            deepest: 0,
            lengths: 0,
        }
    }
}

impl<P: Parts> Prefixes<P> {
    fn insert(&mut self, prefix: &str, matched: Match<P>) {
        let key = key_of(prefix);
        if key.is_empty() {
            insert_ranked(&mut self.every_path, matched, |it| it);
            return;
        }
        self.longest = self.longest.max(key.len());
        let depth = memchr::memchr_iter(b'/', key.as_bytes()).count();
        self.deepest = self.deepest.max(depth);
        self.lengths |= length_bit(key.len());
        join(&mut self.by_prefix, key, matched);
    }

    /// What is known of the keys' lengths stays, as long as there are any: it may only be too much.
    fn remove(&mut self, prefix: &str, route: &RouteId) {
        let key = key_of(prefix);
        if key.is_empty() {
            self.every_path.retain(|matched| !matched.is_of(route));
            return;
        }
        leave(&mut self.by_prefix, key, route);
        if self.by_prefix.is_empty() {
            (self.longest, self.deepest, self.lengths) = (0, 0, 0);
        }
    }

    fn is_empty(&self) -> bool {
        self.by_prefix.is_empty() && self.every_path.is_empty()
    }

    /// "Matching is case-sensitive and done on a path element by element basis."
    /// (`PathMatchPathPrefix`)
    fn select(&self, request: &RequestParts<'_>) -> Option<Selected<'_, P>> {
        let mut rest = self.longest_candidate(request.path);
        while !rest.is_empty() {
            let length = rest.len();
            let bucket = (self.lengths & length_bit(length) != 0)
                .then(|| self.by_prefix.get(rest))
                .flatten();
            if let Some(matched) = bucket.and_then(|bucket| first(bucket, request)) {
                return Some(matched.selected(PathMatched::Prefix { length }));
            }
            rest = without_last_element(rest);
        }
        Some(first(&self.every_path, request)?.selected(PathMatched::Prefix { length: 0 }))
    }

    /// The longest run of `path`'s first elements that may be a key, by length and depth. Keeps
    /// the work for a path of a thousand elements as small as the keys are.
    fn longest_candidate<'p>(&self, path: &'p str) -> &'p str {
        let mut candidate = "";
        if self.longest == 0 {
            return candidate;
        }
        let ends = memchr::memchr_iter(b'/', path.as_bytes()).skip_while(|&end| end == 0);
        for end in ends.chain([path.len()]).take(self.deepest.max(1)) {
            match path.get(..end) {
                Some(longer) if longer.len() <= self.longest => candidate = longer,
                _ => break,
            }
        }
        candidate
    }
}

/// "When specified, a trailing `/` is ignored." (`PathMatchPathPrefix`)
fn key_of(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}

fn length_bit(length: usize) -> u64 {
    1 << (length % 64)
}

fn without_last_element(path: &str) -> &str {
    memchr::memrchr(b'/', path.as_bytes())
        .and_then(|end| path.get(..end))
        .unwrap_or_default()
}

fn first<'b, P: Parts>(bucket: &'b [Match<P>], request: &RequestParts<'_>) -> Option<&'b Match<P>> {
    bucket.iter().find(|matched| matched.holds(request))
}
