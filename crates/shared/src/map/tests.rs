use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use proptest::collection::vec;
use proptest::prelude::*;
use siphasher::sip::SipHasher13;

use super::{Change, LEAST, MOST, SharedMap};

/// `Some`: put it in. `None`: take it out.
type Step = (u16, Option<u8>);

/// Enough steps for several chunks, over few enough keys that many meet.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(
        (0..400_u16, proptest::option::weighted(0.6, 0..4_u8)),
        0..600,
    )
}

fn take(steps: &[Step], map: &mut SharedMap<u16, u8>, model: &mut BTreeMap<u16, u8>) {
    for (key, value) in steps {
        let (old, expected) = match value {
            Some(value) => (map.insert(*key, *value), model.insert(*key, *value)),
            None => (map.remove(key), model.remove(key)),
        };
        assert_eq!(old, expected);
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn is_well_formed(map: &SharedMap<u16, u8>) -> Result<(), TestCaseError> {
    let sizes: Vec<_> = map.chunks.iter().map(|c| c.entries.len()).collect();
    prop_assert!(sizes.iter().all(|size| (1..=MOST).contains(size)));
    prop_assert_eq!(sizes.iter().sum::<usize>(), map.len());
    prop_assert!(map.keys().is_sorted_by(|a, b| a < b));
    Ok(())
}

proptest! {
    #[test]
    fn it_holds_what_an_ordered_map_holds(steps in steps()) {
        let (mut map, mut model) = (SharedMap::new(), BTreeMap::new());
        take(&steps, &mut map, &mut model);
        is_well_formed(&map)?;
        prop_assert!(map.iter().eq(&model));
        for key in 0..400 {
            prop_assert_eq!(map.get(&key), model.get(&key));
        }
    }

    #[test]
    fn its_history_cannot_be_told(steps in steps()) {
        let (mut map, mut model) = (SharedMap::new(), BTreeMap::new());
        take(&steps, &mut map, &mut model);
        let straight = SharedMap::from(model);
        prop_assert_eq!(&map, &straight);
        prop_assert_eq!(hash(&map), hash(&straight));
    }

    #[test]
    fn a_copy_does_not_change_with_the_original(first in steps(), then in steps()) {
        let (mut map, mut model) = (SharedMap::new(), BTreeMap::new());
        take(&first, &mut map, &mut model);
        let (copy, at_copy) = (map.clone(), model.clone());
        let hash_before = hash(&copy);
        take(&then, &mut map, &mut model);
        prop_assert!(copy.iter().eq(&at_copy));
        prop_assert_eq!(hash(&copy), hash_before);
        prop_assert_eq!(map == copy, model == at_copy);
        prop_assert_eq!(hash(&map), hash(&SharedMap::from(model)));
    }

    #[test]
    fn changes_lead_from_one_to_the_other(first in steps(), then in steps()) {
        let (mut before, mut model) = (SharedMap::new(), BTreeMap::new());
        take(&first, &mut before, &mut model);
        let mut after = before.clone();
        take(&then, &mut after, &mut model);
        let mut led = before.clone();
        for Change { key, before: old, after: new } in after.changes_since(&before) {
            prop_assert_ne!(old, new);
            prop_assert_eq!(old, before.get(key));
            match new {
                Some(value) => led.insert(*key, *value),
                None => led.remove(key),
            };
        }
        prop_assert_eq!(led, after);
    }
}

#[test]
fn one_change_leaves_all_other_chunks_shared() {
    let before: SharedMap<u16, u8> = (0..10_000).map(|key| (key, 0)).collect();
    let mut after = before.clone();
    after.insert(5_000, 1);
    let before = before.chunks.iter().map(std::sync::Arc::as_ptr);
    let shared = before.zip(after.chunks.iter().map(std::sync::Arc::as_ptr));
    assert_eq!(shared.filter(|(a, b)| a != b).count(), 1);
}

#[test]
fn chunks_that_shrink_are_joined() {
    let mut map: SharedMap<u16, u8> = (0..10_000).map(|key| (key, 0)).collect();
    for key in (0..10_000).filter(|key| key % 100 != 0) {
        map.remove(&key);
    }
    assert_eq!(map.len(), 100);
    assert!(map.chunks.len() <= 100 / LEAST * 4, "{}", map.chunks.len());
}

#[test]
fn what_is_put_in_by_order_fills_its_chunks() {
    let mut map = SharedMap::new();
    map.extend((0..10_000_u16).map(|key| (key, 0_u8)));
    assert!(map.chunks.len() < 10_000 / 40, "{}", map.chunks.len());
}
