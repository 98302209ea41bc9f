//! What one table takes over from the one before, besides the rules themselves.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use portcullis_ir::backend::WeightedBackend;
use portcullis_ir::matcher::{
    CallMatcher, HeaderValueMatcher, HttpMatch, NameMatcher, PathMatcher, QueryValueMatcher,
};
use portcullis_ir::{HttpRoute, RouteId, SharedMap};

use crate::pattern::Pattern;
use crate::text_map::TextMap;

/// The compiled patterns of a table: each text is compiled once, and kept while a route has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns(TextMap<Known>);

#[derive(Clone, Debug)]
struct Known {
    compiled: Result<Pattern, Box<str>>,
    /// How often routes have it.
    count: usize,
}

impl Patterns {
    /// A route is there.
    pub(crate) fn learn(&mut self, route: &HttpRoute) {
        for text in texts(route) {
            if let Some(known) = self.0.get_mut(text) {
                known.count += 1;
            } else {
                let known = Known {
                    compiled: Pattern::compile(text).map_err(Box::from),
                    count: 1,
                };
                self.0.insert_new(text.into(), known);
            }
        }
    }

    /// A route that was there is there no more.
    pub(crate) fn unlearn(&mut self, route: &HttpRoute) {
        for text in texts(route) {
            let Some(known) = self.0.get_mut(text) else {
                continue;
            };
            known.count = known.count.saturating_sub(1);
            if known.count == 0 {
                self.0.remove(text);
            }
        }
    }

    /// A pattern of a route that is there, or why it does not compile.
    pub(crate) fn find(&self, text: &str) -> Result<Pattern, Box<str>> {
        match self.0.get(text) {
            Some(known) => known.compiled.clone(),
            None => Pattern::compile(text).map_err(Box::from),
        }
    }
}

/// The regular expressions of a route.
fn texts(route: &HttpRoute) -> impl Iterator<Item = &str> {
    let matches = route.rules.iter().flat_map(|rule| &rule.matches);
    matches.flat_map(|matched| {
        let HttpMatch {
            path,
            method: _,
            headers,
            query,
        } = matched;
        let of_path = match path {
            PathMatcher::Exact(_) | PathMatcher::Prefix(_) => [None, None],
            PathMatcher::Regex(text) => [Some(text), None],
            PathMatcher::Call(CallMatcher { service, method }) => {
                [of_name(service.as_ref()), of_name(method.as_ref())]
            }
        };
        let of_headers = headers.iter().filter_map(|header| match &header.value {
            HeaderValueMatcher::Exact(_) => None,
            HeaderValueMatcher::Regex(text) => Some(text),
        });
        let of_query = query.iter().filter_map(|param| match &param.value {
            QueryValueMatcher::Exact(_) => None,
            QueryValueMatcher::Regex(text) => Some(text),
        });
        let all = of_path.into_iter().flatten().chain(of_headers);
        all.chain(of_query).map(String::as_str)
    })
}

fn of_name(name: Option<&NameMatcher>) -> Option<&String> {
    match name {
        Some(NameMatcher::Regex(text)) => Some(text),
        Some(NameMatcher::Exact(_)) | None => None,
    }
}

/// How often backends were picked, of the rules that need to know. A rule keeps its counter from
/// one table to the next, so that a new table does not begin every rule's turns anew and so favour
/// the first backend while tables come quickly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters(SharedMap<(RouteId, usize), Arc<AtomicU64>>);

impl Counters {
    /// The counter of a rule, by its place in its route; `None` for one that needs no turns.
    pub(crate) fn of(
        &mut self,
        route: &RouteId,
        rule: usize,
        backends: &[WeightedBackend],
    ) -> Option<Arc<AtomicU64>> {
        if backends.len() < 2 {
            return None;
        }
        let key = (route.clone(), rule);
        if let Some(known) = self.0.get(&key) {
            return Some(Arc::clone(known));
        }
        let counter = Arc::<AtomicU64>::default();
        self.0.insert(key, Arc::clone(&counter));
        Some(counter)
    }

    /// Keeps of a route's counters those for rules that need one, of `rules` that it had.
    pub(crate) fn keep(&mut self, route: &RouteId, rules: usize, needs: impl Fn(usize) -> bool) {
        if self.0.is_empty() {
            return;
        }
        for rule in (0..rules).filter(|rule| !needs(*rule)) {
            self.0.remove(&(route.clone(), rule));
        }
    }
}
