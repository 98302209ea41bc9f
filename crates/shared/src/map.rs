//! An ordered map whose copies share what they have in common.
//!
//! A controller keeps the snapshot before beside the new one, compares them, sends what differs,
//! and has done all that again a moment later, with thousands of routes of which one changed. So a
//! map is a list of chunks behind `Arc`s: a copy is one pointer, a change copies one chunk (and the
//! list of chunks), and what two maps share is neither compared nor hashed twice.

mod changes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;
use std::slice;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use siphasher::sip::SipHasher13;

pub use self::changes::{Change, Changes};

/// How many entries a chunk has at most.
const MOST: usize = 64;
/// How many entries chunks have that are made together: room is left for what comes later.
const FILL: usize = 48;
/// A chunk of fewer is joined with its neighbours.
const LEAST: usize = 16;

/// An ordered map whose copies share what they have in common.
///
/// Equality and hash are those of the entries; which copy a map was made from cannot be told.
pub struct SharedMap<K, V> {
    /// None is empty, and keys ascend from first to last.
    chunks: Arc<Vec<Arc<Chunk<K, V>>>>,
    len: usize,
}

#[derive(Debug)]
struct Chunk<K, V> {
    entries: Vec<(K, V)>,
    /// The hash of each entry, once somebody has asked.
    digests: OnceLock<Box<[u64]>>,
}

impl<K, V> Chunk<K, V> {
    fn new(entries: Vec<(K, V)>) -> Self {
        Self {
            entries,
            digests: OnceLock::new(),
        }
    }

    fn first(&self) -> Option<&K> {
        self.entries.first().map(|(key, _)| key)
    }
}

impl<K: Clone, V: Clone> Clone for Chunk<K, V> {
    fn clone(&self) -> Self {
        // Room for the entry that it is most often copied for.
        let mut entries = Vec::with_capacity(self.entries.len() + 1);
        entries.extend(self.entries.iter().cloned());
        Self::new(entries)
    }
}

/// Where a key is, or belongs: the number of the chunk, and the place in it.
struct Place {
    chunk: usize,
    entry: Result<usize, usize>,
}

impl<K, V> SharedMap<K, V> {
    /// A map without entries.
    pub fn new() -> Self {
        Self {
            chunks: Arc::default(),
            len: 0,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entries, by key.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter {
            chunks: self.chunks.iter(),
            entries: [].iter(),
        }
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The values, by key.
    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The value under a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The value under a key, with the key as it is kept.
    pub fn get_key_value(&self, key: &K) -> Option<(&K, &V)> {
        let Place { chunk, entry } = self.locate(key);
        let (key, value) = self.chunks.get(chunk)?.entries.get(entry.ok()?)?;
        Some((key, value))
    }

    /// Whether there is a value under a key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// What has to be done to `before` to make it equal to this map, by key. What the two share is
    /// passed over without a look.
    pub fn changes_since<'a>(&'a self, before: &'a Self) -> Changes<'a, K, V>
    where
        V: PartialEq,
    {
        self.replacements_since(before, PartialEq::eq)
    }

    /// As [`SharedMap::changes_since`], where the caller says which values are the same: those at
    /// one place in memory, say, when looking inside takes long.
    pub fn replacements_since<'a>(
        &'a self,
        before: &'a Self,
        is_same: fn(&V, &V) -> bool,
    ) -> Changes<'a, K, V> {
        Changes::new(&before.chunks, &self.chunks, is_same)
    }

    fn locate(&self, key: &K) -> Place {
        let begins_before = |chunk: &Arc<Chunk<K, V>>| chunk.first().is_some_and(|k| k <= key);
        let chunk = self.chunks.partition_point(begins_before).saturating_sub(1);
        let entries = self.chunks.get(chunk).map(|chunk| &chunk.entries);
        let entry = entries.map_or(Err(0), |entries| {
            entries.binary_search_by(|(other, _)| other.cmp(key))
        });
        Place { chunk, entry }
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// Puts a value under a key; returns the one it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Place { chunk, entry } = self.locate(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(entries) = chunks.get_mut(chunk).map(entries_mut) else {
            chunks.push(Arc::new(Chunk::new(vec![(key, value)])));
            self.len = 1;
            return None;
        };
        match entry {
            Ok(at) => entries
                .get_mut(at)
                .map(|(_, old)| std::mem::replace(old, value)),
            Err(at) => {
                entries.insert(at, (key, value));
                self.len += 1;
                if entries.len() > MOST {
                    // What is appended in order leaves full chunks behind.
                    let upper = entries.split_off(if at == MOST { FILL } else { MOST / 2 });
                    chunks.insert(chunk + 1, Arc::new(Chunk::new(upper)));
                }
                None
            }
        }
    }

    /// Takes out the value under a key, if there is one.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let Place { chunk, entry } = self.locate(key);
        let at = entry.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let entries = chunks.get_mut(chunk).map(entries_mut)?;
        let (_, value) = entries.remove(at);
        self.len -= 1;
        if entries.is_empty() {
            chunks.remove(chunk);
        } else if entries.len() < LEAST {
            join_with_next(chunks, chunk);
            if let Some(before) = chunk.checked_sub(1) {
                join_with_next(chunks, before);
            }
        }
        Some(value)
    }

    /// A place to change the value under a key, if there is one.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let Place { chunk, entry } = self.locate(key);
        let at = entry.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let (_, value) = chunks.get_mut(chunk).map(entries_mut)?.get_mut(at)?;
        Some(value)
    }
}

/// A chunk's entries, to be changed in a copy if anyone else has the chunk.
fn entries_mut<K: Clone, V: Clone>(chunk: &mut Arc<Chunk<K, V>>) -> &mut Vec<(K, V)> {
    let chunk = Arc::make_mut(chunk);
    chunk.digests.take();
    &mut chunk.entries
}

/// Joins a small chunk with the next, if one has room for both.
fn join_with_next<K: Clone, V: Clone>(chunks: &mut Vec<Arc<Chunk<K, V>>>, chunk: usize) {
    let size = |chunk: Option<&Arc<Chunk<K, V>>>| chunk.map_or(MOST, |c| c.entries.len());
    if size(chunks.get(chunk)) + size(chunks.get(chunk + 1)) > FILL {
        return;
    }
    let next = chunks.remove(chunk + 1);
    if let Some(entries) = chunks.get_mut(chunk).map(entries_mut) {
        entries.extend(next.entries.iter().cloned());
    }
}

/// The entries of a [`SharedMap`], by key.
#[derive(Debug)]
pub struct Iter<'a, K, V> {
    chunks: slice::Iter<'a, Arc<Chunk<K, V>>>,
    entries: slice::Iter<'a, (K, V)>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        let Self { chunks, entries } = self;
        Self {
            chunks: chunks.clone(),
            entries: entries.clone(),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.entries.next() {
                return Some((key, value));
            }
            self.entries = self.chunks.next()?.entries.iter();
        }
    }
}

impl<'a, K, V> IntoIterator for &'a SharedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Ord, V> From<BTreeMap<K, V>> for SharedMap<K, V> {
    fn from(map: BTreeMap<K, V>) -> Self {
        let len = map.len();
        let mut entries = map.into_iter();
        let chunks = std::iter::from_fn(|| {
            let chunk: Vec<_> = entries.by_ref().take(FILL).collect();
            (!chunk.is_empty()).then(|| Arc::new(Chunk::new(chunk)))
        });
        Self {
            chunks: Arc::new(chunks.collect()),
            len,
        }
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SharedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        BTreeMap::from(entries).into()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        BTreeMap::from_iter(entries).into()
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> Index<&K> for SharedMap<K, V> {
    type Output = V;

    #[expect(
        clippy::expect_used,
        reason = "what indexing does; `get` is for who does not know"
    )]
    fn index(&self, key: &K) -> &V {
        self.get(key).expect("no entry for the key")
    }
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self {
            chunks: Arc::clone(&self.chunks),
            len: self.len,
        }
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.changes_since(other).next().is_none()
    }
}

impl<K: Ord, V: Eq> Eq for SharedMap<K, V> {}

impl<K: Hash, V: Hash> Hash for SharedMap<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len);
        for chunk in &*self.chunks {
            let digests = chunk.digests.get_or_init(|| {
                let digests = chunk.entries.iter().map(digest);
                digests.collect()
            });
            for digest in digests {
                state.write_u64(*digest);
            }
        }
    }
}

fn digest<T: Hash>(entry: &T) -> u64 {
    let mut hasher = SipHasher13::new();
    entry.hash(&mut hasher);
    hasher.finish()
}

impl<K: Serialize, V: Serialize> Serialize for SharedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}
