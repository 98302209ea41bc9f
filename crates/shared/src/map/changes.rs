//! What differs between two maps.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Chunk;

/// One step from a map to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a, K, V> {
    /// Under which key.
    pub key: &'a K,
    /// What was there; `None` if nothing was.
    pub before: Option<&'a V>,
    /// What is there; `None` if nothing is. Differs from `before`.
    pub after: Option<&'a V>,
}

/// The steps from a map to another, by key.
#[derive(Debug)]
pub struct Changes<'a, K, V> {
    before: Cursor<'a, K, V>,
    after: Cursor<'a, K, V>,
    is_same: fn(&V, &V) -> bool,
}

impl<'a, K, V> Changes<'a, K, V> {
    pub(super) fn new(
        before: &'a Arc<Vec<Arc<Chunk<K, V>>>>,
        after: &'a Arc<Vec<Arc<Chunk<K, V>>>>,
        is_same: fn(&V, &V) -> bool,
    ) -> Self {
        let is_copy = Arc::ptr_eq(before, after);
        let cursor = |chunks: &'a [Arc<Chunk<K, V>>]| Cursor {
            chunks: if is_copy { &[] } else { chunks },
            entry: 0,
        };
        Self {
            before: cursor(before),
            after: cursor(after),
            is_same,
        }
    }

    /// Passes over chunks that both maps have.
    ///
    /// Both cursors come to the start of each such chunk at the same time: what is less than its
    /// first key is then behind either of them.
    fn pass_over_shared(&mut self) {
        while let (Some(before), Some(after)) = (self.before.at_start(), self.after.at_start()) {
            if !Arc::ptr_eq(before, after) {
                return;
            }
            self.before.next_chunk();
            self.after.next_chunk();
        }
    }
}

impl<'a, K: Ord, V> Iterator for Changes<'a, K, V> {
    type Item = Change<'a, K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.pass_over_shared();
            let (before, after) = (self.before.peek(), self.after.peek());
            let order = match (before, after) {
                (Some((before, _)), Some((after, _))) => before.cmp(after),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            if order.is_le() {
                self.before.advance();
            }
            if order.is_ge() {
                self.after.advance();
            }
            let before = before.filter(|_| order.is_le());
            let after = after.filter(|_| order.is_ge());
            let key = before.or(after).map(|(key, _)| key)?;
            let (before, after) = (before.map(|(_, v)| v), after.map(|(_, v)| v));
            let is_same = match (before, after) {
                (Some(before), Some(after)) => (self.is_same)(before, after),
                _ => false,
            };
            if !is_same {
                return Some(Change { key, before, after });
            }
        }
    }
}

#[derive(Debug)]
struct Cursor<'a, K, V> {
    /// Those that are not behind it, the present one first.
    chunks: &'a [Arc<Chunk<K, V>>],
    /// The place in the present one.
    entry: usize,
}

impl<'a, K, V> Cursor<'a, K, V> {
    fn peek(&self) -> Option<&'a (K, V)> {
        self.chunks.first()?.entries.get(self.entry)
    }

    fn advance(&mut self) {
        self.entry += 1;
        if self.peek().is_none() {
            self.next_chunk();
        }
    }

    fn next_chunk(&mut self) {
        self.chunks = self.chunks.get(1..).unwrap_or_default();
        self.entry = 0;
    }

    /// The present chunk, if nothing of it is behind.
    fn at_start(&self) -> Option<&'a Arc<Chunk<K, V>>> {
        self.chunks.first().filter(|_| self.entry == 0)
    }
}
