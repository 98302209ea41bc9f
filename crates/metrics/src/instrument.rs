//! Counters that many threads add to without waiting for each other.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Index;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Makes it `n`.
    pub fn set(&self, n: i64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The number now.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many durations fell into each of [`BUCKETS`].
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    sum_of_micros: AtomicU64,
}

/// Upper bounds in microseconds, with the text Prometheus shows for them (seconds). What is
/// longer than the last goes into one more bucket.
pub(crate) const BUCKETS: [(u64, &str); 12] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
];

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|(bound, _)| *bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_of_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Observations at or below each bound of [`BUCKETS`], and last of all of them.
    pub(crate) fn cumulative(&self) -> Vec<u64> {
        let counts = self.buckets.iter().map(|n| n.load(Ordering::Relaxed));
        counts
            .scan(0, |total, n| {
                *total += n;
                Some(*total)
            })
            .collect()
    }

    /// The sum of all durations.
    pub(crate) fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_of_micros.load(Ordering::Relaxed))
    }
}

/// An enum whose variants are the values of a label.
pub trait Variants: Copy + fmt::Debug + 'static {
    /// Every variant, in the order of [`Variants::index`].
    const ALL: &'static [Self];
    /// The variant's place in [`Variants::ALL`].
    fn index(self) -> usize;
    /// The label's value.
    fn as_str(self) -> &'static str;
}

/// One `T` for every variant of `V`.
pub struct PerVariant<V, T> {
    values: Box<[T]>,
    variants: PhantomData<V>,
}

impl<V: Variants, T> PerVariant<V, T> {
    /// Every variant with its value.
    pub fn iter(&self) -> impl Iterator<Item = (V, &T)> {
        V::ALL.iter().copied().zip(self.values.iter())
    }
}

impl<V: Variants, T: Default> Default for PerVariant<V, T> {
    fn default() -> Self {
        Self {
            values: V::ALL.iter().map(|_| T::default()).collect(),
            variants: PhantomData,
        }
    }
}

impl<V: Variants, T> Index<V> for PerVariant<V, T> {
    type Output = T;

    fn index(&self, variant: V) -> &T {
        // There is one value for every variant, see `default`.
        &self.values[variant.index()]
    }
}

impl<V: Variants, T: fmt::Debug> fmt::Debug for PerVariant<V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(v, value)| (v.as_str(), value)))
            .finish()
    }
}

/// Defines an enum that implements [`Variants`].
#[macro_export]
macro_rules! labels {
    (
        $(#[$doc:meta])*
        pub enum $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $crate::Variants for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            fn index(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}
