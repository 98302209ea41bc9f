//! A hash map by text whose copies share what they have in common.
//!
//! A table is built from the one before: of thousands of hosts one is another. So a large map is a
//! list of shards behind `Arc`s: a copy is the list, a change copies one shard. A question is hashed
//! once, and costs one step more than in a map of one piece. A small map is a list, and nothing is
//! hashed.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Up to so many entries are compared one by one.
const FEW: usize = 6;
/// How many entries a shard has on average at most. A map of thousands has about as many shards.
const MOST: usize = 48;
/// Below this average, shards are joined.
const LEAST: usize = 8;

type Entry<V> = (Arc<str>, V);

/// A hash map by text; copies share what they have in common.
#[derive(Clone, Debug)]
pub(crate) struct TextMap<V>(Form<V>);

#[derive(Clone, Debug)]
enum Form<V> {
    Few(Vec<Entry<V>>),
    Many(Box<Large<V>>),
}

#[derive(Clone, Debug)]
struct Large<V> {
    /// As many as a power of two.
    shards: Vec<Arc<HashTable<Entry<V>>>>,
    len: usize,
    hasher: RandomState,
}

impl<V> Default for TextMap<V> {
    fn default() -> Self {
        Self(Form::Few(Vec::new()))
    }
}

impl<V> TextMap<V> {
    /// Whether there is no entry.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Few(entries) => entries.is_empty(),
            Form::Many(shards) => shards.len == 0,
        }
    }

    /// The value under a text.
    pub(crate) fn get(&self, text: &str) -> Option<&V> {
        match &self.0 {
            Form::Few(entries) => {
                let found = entries.iter().find(|(key, _)| **key == *text);
                found.map(|(_, value)| value)
            }
            Form::Many(shards) => shards.get(text),
        }
    }
}

impl<V: Clone> TextMap<V> {
    /// A place to change the value under a text, if there is one.
    pub(crate) fn get_mut(&mut self, text: &str) -> Option<&mut V> {
        match &mut self.0 {
            Form::Few(entries) => {
                let found = entries.iter_mut().find(|(key, _)| **key == *text);
                found.map(|(_, value)| value)
            }
            Form::Many(shards) => {
                // A shard that lacks it need not be copied.
                shards.get(text)?;
                let hash = shards.hasher.hash_one(text);
                let found = shards.shard_mut(hash)?.find_mut(hash, is(text));
                found.map(|(_, value)| value)
            }
        }
    }

    /// Puts a value under a text that has none.
    pub(crate) fn insert_new(&mut self, key: Arc<str>, value: V) {
        match &mut self.0 {
            Form::Few(entries) if entries.len() < FEW => {
                // Most maps never have a second entry.
                entries.reserve_exact(1);
                entries.push((key, value));
            }
            Form::Few(entries) => {
                let mut shards = Large::new(1);
                for (key, value) in std::mem::take(entries) {
                    shards.insert(key, value);
                }
                shards.insert(key, value);
                self.0 = Form::Many(Box::new(shards));
            }
            Form::Many(shards) => {
                let count = shards.shards.len();
                if shards.len >= count * MOST {
                    **shards = shards.spread(count * 2);
                }
                shards.insert(key, value);
            }
        }
    }

    /// Takes out the value under a text.
    pub(crate) fn remove(&mut self, text: &str) {
        match &mut self.0 {
            Form::Few(entries) => entries.retain(|(key, _)| **key != *text),
            Form::Many(shards) => {
                shards.remove(text);
                let count = shards.shards.len();
                if shards.len == 0 {
                    *self = Self::default();
                } else if count > 1 && shards.len < count * LEAST {
                    **shards = shards.spread(count / 2);
                }
            }
        }
    }
}

impl<V> Large<V> {
    fn new(count: usize) -> Self {
        Self {
            shards: (0..count).map(|_| Arc::default()).collect(),
            len: 0,
            hasher: RandomState::default(),
        }
    }

    /// The shard of a hash. It is chosen by bits that the shard itself does not look at.
    fn place(&self, hash: u64) -> usize {
        let bits = usize::try_from((hash >> 24) & 0xffff_ffff).unwrap_or_default();
        bits & self.shards.len().saturating_sub(1)
    }

    fn get(&self, text: &str) -> Option<&V> {
        let hash = self.hasher.hash_one(text);
        let found = self.shards.get(self.place(hash))?.find(hash, is(text));
        found.map(|(_, value)| value)
    }
}

impl<V: Clone> Large<V> {
    fn shard_mut(&mut self, hash: u64) -> Option<&mut HashTable<Entry<V>>> {
        let place = self.place(hash);
        self.shards.get_mut(place).map(Arc::make_mut)
    }

    fn insert(&mut self, key: Arc<str>, value: V) {
        let hasher = self.hasher.clone();
        let hash = hasher.hash_one(&*key);
        if let Some(shard) = self.shard_mut(hash) {
            shard.insert_unique(hash, (key, value), |(key, _)| hasher.hash_one(&**key));
            self.len += 1;
        }
    }

    fn remove(&mut self, text: &str) {
        if self.get(text).is_none() {
            return;
        }
        let hash = self.hasher.hash_one(text);
        let shard = self.shard_mut(hash);
        if let Some(Ok(entry)) = shard.map(|shard| shard.find_entry(hash, is(text))) {
            entry.remove();
            self.len -= 1;
        }
    }

    /// The same entries in so many shards.
    fn spread(&self, count: usize) -> Self {
        let mut spread = Self::new(count);
        for (key, value) in self.shards.iter().flat_map(|shard| shard.iter()) {
            spread.insert(Arc::clone(key), value.clone());
        }
        spread
    }
}

fn is<V>(text: &str) -> impl Fn(&Entry<V>) -> bool {
    move |(key, _)| **key == *text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn insert(map: &mut TextMap<usize>, number: usize) {
        map.insert_new(number.to_string().into(), number);
    }

    #[test]
    fn a_map_grows_and_shrinks() {
        let mut map = TextMap::default();
        for number in 0..5_000 {
            insert(&mut map, number);
        }
        let Form::Many(shards) = &map.0 else {
            panic!("5,000 are many")
        };
        assert!((64..=256).contains(&shards.shards.len()));
        for number in 10..5_000 {
            map.remove(&number.to_string());
        }
        let Form::Many(shards) = &map.0 else {
            panic!("10 are many")
        };
        assert_eq!((shards.shards.len(), shards.len), (1, 10));
        assert_eq!(map.get("7"), Some(&7));
        assert_eq!(map.get("10"), None);
        (0..10).for_each(|number| map.remove(&number.to_string()));
        assert!(map.is_empty());
    }

    #[test]
    fn a_change_copies_one_shard() {
        let mut map = TextMap::default();
        (0..5_000).for_each(|number| insert(&mut map, number));
        let before = map.clone();
        insert(&mut map, 5_000);
        let (Form::Many(new), Form::Many(old)) = (&map.0, &before.0) else {
            panic!("both are many")
        };
        let shared = new.shards.iter().zip(&old.shards);
        let copied = shared.filter(|(new, old)| !Arc::ptr_eq(new, old)).count();
        assert_eq!(copied, 1);
        assert_eq!((map.get("5000"), before.get("5000")), (Some(&5_000), None));
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in vec((0_usize..400, any::<bool>()), 0..2_000)) {
            let mut map = TextMap::default();
            let mut model = BTreeMap::new();
            for (number, inserts) in steps {
                let key = number.to_string();
                let copy = map.clone();
                if !inserts {
                    map.remove(&key);
                    model.remove(&number);
                } else if let Some(value) = map.get_mut(&key) {
                    *value += 1;
                    model.entry(number).and_modify(|value| *value += 1);
                } else {
                    insert(&mut map, number);
                    model.insert(number, number);
                }
                drop(copy);
            }
            for number in 0..400 {
                prop_assert_eq!(map.get(&number.to_string()), model.get(&number));
            }
            prop_assert_eq!(map.is_empty(), model.is_empty());
        }
    }
}
