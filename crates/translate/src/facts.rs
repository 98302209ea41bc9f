//! What pieces of a translation have looked at, so that it is known which to work out again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::BackendId;

use crate::grants::Passage;
use crate::listeners::Owner;

/// Something that an answer may depend on, be it there or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// An object that is looked up by its key.
    Object(Kind, ObjectKey),
    /// What ReferenceGrants say of references from one namespace to another.
    Passage(Passage),
    /// The EndpointSlices of a Service.
    Slices(ObjectKey),
    /// The ListenerSets that name a Gateway.
    Sets(ObjectKey),
    /// The BackendTLSPolicies about a Service.
    Policies(ObjectKey),
    /// The Gateways whose routes name a Service.
    Users(ObjectKey),
    /// What routes see of a Gateway or ListenerSet.
    Parent(Owner),
    /// Whether a backend can be had; not its endpoints.
    Backend(BackendId),
}

/// Which pieces have looked at what.
#[derive(Debug)]
pub(crate) struct Readers<P> {
    facts: BTreeMap<P, Box<[Arc<Fact>]>>,
    pieces: BTreeMap<Arc<Fact>, Pieces<P>>,
}

/// A set of pieces. Most facts are looked at by one, and there are many facts: a few are a list in
/// order.
#[derive(Debug)]
struct Pieces<P> {
    few: Vec<P>,
    /// All of them, if they are more than a few.
    many: BTreeSet<P>,
}

impl<P> Default for Pieces<P> {
    fn default() -> Self {
        Self {
            few: Vec::new(),
            many: BTreeSet::new(),
        }
    }
}

impl<P: Ord> Pieces<P> {
    const FEW: usize = 8;

    fn insert(&mut self, piece: P) {
        if !self.many.is_empty() {
            self.many.insert(piece);
            return;
        }
        let Err(at) = self.few.binary_search(&piece) else {
            return;
        };
        if self.few.is_empty() {
            self.few.reserve_exact(1);
        }
        self.few.insert(at, piece);
        if self.few.len() > Self::FEW {
            self.many.extend(std::mem::take(&mut self.few));
        }
    }

    fn remove(&mut self, piece: &P) {
        self.many.remove(piece);
        if let Ok(at) = self.few.binary_search(piece) {
            self.few.remove(at);
        }
    }

    fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// In order.
    fn iter(&self) -> impl Iterator<Item = &P> {
        self.few.iter().chain(&self.many)
    }
}

impl<P> Default for Readers<P> {
    fn default() -> Self {
        Self {
            facts: BTreeMap::new(),
            pieces: BTreeMap::new(),
        }
    }
}

impl<P: Clone + Ord> Readers<P> {
    /// A piece has looked at these facts, and at nothing else any more. Answers the facts that no
    /// piece looks at since.
    pub(crate) fn record(&mut self, piece: &P, asked: BTreeSet<Fact>) -> Vec<Arc<Fact>> {
        if self
            .facts
            .get(piece)
            .is_some_and(|facts| facts.iter().map(|fact| &**fact).eq(&asked))
        {
            return Vec::new();
        }
        let before = self.facts.remove(piece).unwrap_or_default();
        let facts = asked.into_iter().map(|fact| self.add(fact, piece));
        let facts: Box<[Arc<Fact>]> = facts.collect();
        let orphans = before
            .into_iter()
            .filter(|fact| facts.binary_search(fact).is_err() && self.take(fact, piece))
            .collect();
        if !facts.is_empty() {
            self.facts.insert(piece.clone(), facts);
        }
        orphans
    }

    /// The pieces that have looked at one of these.
    pub(crate) fn of<'a>(&'a self, facts: &'a BTreeSet<Fact>) -> impl Iterator<Item = &'a P> {
        let pieces = facts.iter().filter_map(|fact| self.pieces.get(fact));
        pieces.flat_map(Pieces::iter)
    }

    /// Whether a piece has looked at this.
    pub(crate) fn look_at(&self, fact: &Fact) -> bool {
        self.pieces.contains_key(fact)
    }

    /// Answers the fact as it is kept, so that all who look at it share it.
    fn add(&mut self, fact: Fact, piece: &P) -> Arc<Fact> {
        let fact = match self.pieces.get_key_value(&fact) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(fact),
        };
        let pieces = self.pieces.entry(Arc::clone(&fact)).or_default();
        pieces.insert(piece.clone());
        fact
    }

    /// Answers whether the piece was the last to look at the fact.
    fn take(&mut self, fact: &Fact, piece: &P) -> bool {
        let Some(pieces) = self.pieces.get_mut(fact) else {
            return false;
        };
        pieces.remove(piece);
        let is_last = pieces.is_empty();
        if is_last {
            self.pieces.remove(fact);
        }
        is_last
    }
}
