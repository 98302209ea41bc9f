use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn backends(weights: &[u32]) -> Backends<usize> {
    let weighted: Vec<_> = weights
        .iter()
        .enumerate()
        .map(|(index, &weight)| WeightedBackend {
            weight,
            target: BackendTarget::Backend(BackendId::new(index.to_string())),
            filters: Vec::new(),
        })
        .collect();
    Backends::new(&weighted, Some(Arc::default()), |id, _| {
        id.as_str().parse().unwrap()
    })
}

fn picks(backends: &Backends<usize>, count: usize) -> Vec<usize> {
    let index = |picked: &Destination<usize>| match *picked {
        Destination::Backend(index) => index,
        Destination::Invalid { .. } => usize::MAX,
    };
    (0..count).map(|_| index(backends.pick())).collect()
}

fn length_of(backends: &Backends<usize>) -> u64 {
    backends.turns.as_ref().map_or(1, |turns| turns.length)
}

#[test]
fn every_cycle_gives_each_backend_exactly_its_share() {
    for weights in [
        &[1, 1][..],
        &[1, 1, 1],
        &[9, 1],
        &[90, 10],
        &[1, 0, 3],
        &[5],
        &[7, 11, 13],
        &[100, 200, 300, 1],
        &[1_000_000, 999_999],
        &[1_000_000, 1],
    ] {
        let backends = backends(weights);
        let length = usize::try_from(length_of(&backends)).unwrap();
        for cycle in 0..2 {
            let mut counts = BTreeMap::<usize, u64>::new();
            for pick in picks(&backends, length) {
                *counts.entry(pick).or_default() += 1;
            }
            let sum: u64 = weights.iter().map(|&w| u64::from(w)).sum();
            let expected: BTreeMap<_, _> = weights
                .iter()
                .enumerate()
                .filter(|(_, weight)| **weight > 0)
                .map(|(index, &weight)| (index, u64::from(weight) * length as u64 / sum))
                .collect();
            assert_eq!(counts, expected, "{weights:?} cycle {cycle}");
        }
    }
}

#[test]
fn shares_hold_early_in_a_long_cycle_too() {
    let backends = backends(&[999_983, 499_979]);
    let first = picks(&backends, 300).iter().filter(|&&p| p == 0).count();
    assert!((197..=203).contains(&first), "{first} of 300");
}

#[test]
fn equal_weights_alternate() {
    assert_eq!(picks(&backends(&[1, 1]), 4), [0, 1, 0, 1]);
    assert_eq!(picks(&backends(&[50, 50]), 4), [0, 1, 0, 1]);
}

#[test]
fn nothing_to_pick_is_invalid() {
    for weights in [&[][..], &[0], &[0, 0]] {
        assert_eq!(picks(&backends(weights), 2), [usize::MAX; 2], "{weights:?}");
    }
}

#[test]
fn the_largest_weights_do_not_overflow() {
    let backends = backends(&[u32::MAX; 40]);
    assert_eq!(length_of(&backends), 40);
    let turns = Turns::new(Arc::default(), [u32::MAX, u32::MAX - 1].into_iter());
    assert!(turns.at(u64::MAX) < 2);
}

proptest! {
    #[test]
    fn a_cycle_is_fair_and_its_first_half_nearly_so(weights in vec(0..40_u32, 1..6)) {
        let backends = backends(&weights);
        let cycle = picks(&backends, usize::try_from(length_of(&backends)).unwrap());
        let share = |index: usize, picks: &[usize]| {
            let picked = picks.iter().filter(|&&pick| pick == index).count();
            f64::from(u32::try_from(picked).unwrap())
        };
        let sum: u32 = weights.iter().sum();
        for (index, &weight) in weights.iter().enumerate().filter(|_| sum > 0) {
            let expected = |picks: &[usize]| {
                f64::from(weight) / f64::from(sum) * f64::from(u32::try_from(picks.len()).unwrap())
            };
            prop_assert!((share(index, &cycle) - expected(&cycle)).abs() < 0.001);
            let half = &cycle[..cycle.len() / 2];
            prop_assert!((share(index, half) - expected(half)).abs() < 3.0, "{cycle:?}");
        }
    }
}
