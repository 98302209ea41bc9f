//! Counters, gauges and histograms, and their text for Prometheus.
//!
//! Data plane and controller declare what they count, and write it with [`Exposition`] when they are
//! asked. Counting is a relaxed addition; there is no registry, and no series that nobody declared.

mod exposition;
mod instrument;

pub use exposition::{CONTENT_TYPE, Exposition, Family, Kind, Labels};
pub use instrument::{Counter, Gauge, Histogram, PerVariant, Variants};
