//! What one table takes over from the one before.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use foldhash::fast::RandomState;
use portcullis_ir::RouteId;
use portcullis_ir::backend::WeightedBackend;

use crate::pattern::Pattern;

type ByText = HashMap<Box<str>, Result<Pattern, Box<str>>, RandomState>;

/// The compiled patterns of a table: each text is compiled once, and not again by the next table.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    compiled: ByText,
    /// Those of the table before; what is not asked for is dropped with it.
    before: Arc<ByText>,
}

impl Patterns {
    pub(crate) fn after(before: Arc<ByText>) -> Self {
        Self {
            compiled: ByText::default(),
            before,
        }
    }

    pub(crate) fn compile(&mut self, text: &str) -> Result<Pattern, Box<str>> {
        if let Some(known) = self.compiled.get(text) {
            return known.clone();
        }
        let compiled = match self.before.get(text) {
            Some(known) => known.clone(),
            None => Pattern::compile(text).map_err(Box::from),
        };
        self.compiled.insert(text.into(), compiled.clone());
        compiled
    }

    pub(crate) fn into_shared(self) -> Arc<ByText> {
        Arc::new(self.compiled)
    }
}

/// What the next table takes over.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    patterns: Arc<ByText>,
    counters: BTreeMap<CounterKey, Arc<AtomicU64>>,
}

/// The rule a counter is of: its route and its place there.
type CounterKey = (RouteId, usize);

/// Collects what the next table takes over while this one is built.
#[derive(Debug)]
pub(crate) struct Inheritance<'p> {
    pub(crate) patterns: Patterns,
    counters: BTreeMap<CounterKey, Arc<AtomicU64>>,
    before: Option<&'p Shared>,
    /// For rules that need no turns.
    unused: Arc<AtomicU64>,
}

impl<'p> Inheritance<'p> {
    pub(crate) fn from(before: Option<&'p Shared>) -> Self {
        let known = before.map(|shared| Arc::clone(&shared.patterns));
        Self {
            patterns: Patterns::after(known.unwrap_or_default()),
            counters: BTreeMap::new(),
            before,
            unused: Arc::default(),
        }
    }

    /// The counter of a rule; the one it had, so that a new table does not begin every rule's
    /// turns anew and so favour the first backend while tables come quickly.
    pub(crate) fn counter(
        &mut self,
        route: &RouteId,
        rule: usize,
        backends: &[WeightedBackend],
    ) -> Arc<AtomicU64> {
        if backends.len() < 2 {
            return Arc::clone(&self.unused);
        }
        let key = (route.clone(), rule);
        // A rule on several listeners is asked for several times.
        let known = self.counters.get(&key);
        let had = known.or_else(|| self.before.and_then(|shared| shared.counters.get(&key)));
        let counter = had.cloned().unwrap_or_default();
        self.counters.insert(key, Arc::clone(&counter));
        counter
    }

    pub(crate) fn into_shared(self) -> Shared {
        Shared {
            patterns: self.patterns.into_shared(),
            counters: self.counters,
        }
    }
}
