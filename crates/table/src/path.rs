//! The rules of one host by path.

use std::collections::HashMap;
use std::sync::Arc;

use crate::call::{CallCondition, Calls};
use crate::parts::Parts;
use crate::pattern::Pattern;
use crate::predicate::RequestParts;
use crate::rule::{Match, PathMatched, Selected};
use foldhash::fast::RandomState;

/// Matches with the same path, in the order of their rank.
type Bucket<P> = Vec<Arc<Match<P>>>;

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
/// Filled in the order of rank, so that whatever shares a path is tried in that order. Between
/// paths the order is the one of `ir::order`: gRPC calls, then exact, then regular expressions,
/// then prefixes from the longest.
#[derive(Debug)]
pub(crate) struct Paths<P: Parts> {
    calls: Calls<P>,
    exact: HashMap<Box<str>, Bucket<P>, RandomState>,
    regex: Vec<(Pattern, Arc<Match<P>>)>,
    prefixes: Prefixes<P>,
}

impl<P: Parts> Default for Paths<P> {
    fn default() -> Self {
        Self {
            calls: Calls::default(),
            exact: HashMap::default(),
            regex: Vec::new(),
            prefixes: Prefixes::default(),
        }
    }
}

impl<P: Parts> Paths<P> {
    /// Adds what ranks below all that was added before.
    pub(crate) fn push(&mut self, path: PathCondition<'_>, matched: Arc<Match<P>>) {
        match path {
            PathCondition::Exact(path) => {
                self.exact.entry(path.into()).or_default().push(matched);
            }
            PathCondition::Prefix(prefix) => self.prefixes.push(prefix, matched),
            PathCondition::Regex(pattern) => self.regex.push((pattern, matched)),
            PathCondition::Call(call) => self.calls.push(call, matched),
            PathCondition::Unreadable => {}
        }
    }

    /// The first match, by rank, that holds for `request`.
    pub(crate) fn select(&self, request: &RequestParts<'_>) -> Option<Selected<'_, P>> {
        self.calls
            .select(request)
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

/// The matches with a prefix, by prefix.
#[derive(Debug)]
struct Prefixes<P: Parts> {
    /// Without the `/` at the end, and without `/` itself.
    by_prefix: HashMap<Box<str>, Bucket<P>, RandomState>,
    /// Those of `/`, which match every path.
    every_path: Bucket<P>,
    /// The longest key, in bytes.
    longest: usize,
    /// The most `/` in one key.
    deepest: usize,
    /// Bit `n` is set if a key has length `n` modulo 64: most lengths need not be looked up.
    lengths: u64,
}

impl<P: Parts> Default for Prefixes<P> {
    fn default() -> Self {
        Self {
            by_prefix: HashMap::default(),
            every_path: Vec::new(),
            longest: 0,
            deepest: 0,
            lengths: 0,
        }
    }
}

impl<P: Parts> Prefixes<P> {
    /// "When specified, a trailing `/` is ignored." (`PathMatchPathPrefix`)
    fn push(&mut self, prefix: &str, matched: Arc<Match<P>>) {
        let key = prefix.strip_suffix('/').unwrap_or(prefix);
        if key.is_empty() {
            self.every_path.push(matched);
            return;
        }
        self.longest = self.longest.max(key.len());
        let depth = memchr::memchr_iter(b'/', key.as_bytes()).count();
        self.deepest = self.deepest.max(depth);
        self.lengths |= length_bit(key.len());
        let bucket = self.by_prefix.entry(key.into());
        bucket.or_default().push(matched);
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

fn length_bit(length: usize) -> u64 {
    1 << (length % 64)
}

fn without_last_element(path: &str) -> &str {
    memchr::memrchr(b'/', path.as_bytes())
        .and_then(|end| path.get(..end))
        .unwrap_or_default()
}

fn first<'b, P: Parts>(
    bucket: &'b Bucket<P>,
    request: &RequestParts<'_>,
) -> Option<&'b Arc<Match<P>>> {
    bucket.iter().find(|matched| matched.holds(request))
}
