//! Which requests are copied when only a share of them is.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_ir::filter::Share;

/// A generator of one worker: SplitMix64 (Steele, Lea and Flood, 2014), begun at a random point.
///
/// What it yields can be foretold by who sees enough of it, which gains nobody anything here.
#[derive(Debug)]
pub(super) struct Chance(AtomicU64);

impl Chance {
    pub(super) fn new() -> Self {
        Self::from_seed(RandomState::new().build_hasher().finish())
    }

    fn from_seed(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Takes each request with a probability of `share`, whatever became of those before.
    pub(super) fn takes(&self, share: Share) -> bool {
        let (numerator, denominator) = (share.numerator(), share.denominator().get());
        if numerator == denominator {
            return true;
        }
        // Between 0 and the denominator; how unequally is below one in 2^32.
        let point = (u128::from(self.next()) * u128::from(denominator)) >> 64;
        point < u128::from(numerator)
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count is binomial. Seven standard deviations are missed once in 10^11 runs.
    #[test]
    fn a_share_is_taken_within_statistical_bounds() {
        const REQUESTS: u32 = 100_000;
        let shares = [
            (20, 100),
            (25, 50),
            (35, 100),
            (1, 1000),
            (999, 1000),
            (1, 3),
        ];
        for (numerator, denominator) in shares {
            let chance = Chance::new();
            let share = Share::new(numerator, denominator).unwrap();
            let taken = (0..REQUESTS).filter(|_| chance.takes(share)).count();
            let probability = f64::from(numerator) / f64::from(denominator);
            let expected = f64::from(REQUESTS) * probability;
            let deviation = (expected * (1.0 - probability)).sqrt();
            let off = (f64::from(u32::try_from(taken).unwrap()) - expected).abs();
            assert!(off < 7.0 * deviation, "{share}: {taken} of {REQUESTS}");
        }
    }

    #[test]
    fn nothing_and_everything_are_exact() {
        let chance = Chance::new();
        for _ in 0..10_000 {
            assert!(chance.takes(Share::ALL));
            assert!(chance.takes(Share::new(50, 50).unwrap()));
            assert!(!chance.takes(Share::new(0, 100).unwrap()));
        }
    }

    /// From the generator's reference implementation.
    #[test]
    fn the_generator_is_the_known_one() {
        let chance = Chance::from_seed(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| chance.next()).collect();
        let known = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(numbers, known);
    }
}
