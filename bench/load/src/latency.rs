//! How long things took, every one of them.

use std::time::Duration;

use serde_json::{Value, json};

/// Times from when something was due to when it was complete.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// In seconds; null if there are none.
    pub(crate) fn quantiles(mut self) -> Value {
        self.0.sort_unstable();
        let Some(max) = self.0.last() else {
            return Value::Null;
        };
        json!({
            "p50": self.quantile(500),
            "p90": self.quantile(900),
            "p99": self.quantile(990),
            "p999": self.quantile(999),
            "max": max.as_secs_f64(),
        })
    }

    /// The least time that so many in a thousand do not exceed.
    fn quantile(&self, per_mille: usize) -> Option<f64> {
        let rank = (self.0.len() * per_mille).div_ceil(1000);
        let latency = self.0.get(rank.saturating_sub(1))?;
        Some(latency.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut latencies = Latencies::default();
        for milliseconds in (1..=1000).rev() {
            latencies.record(Duration::from_millis(milliseconds));
        }
        let expected = json!({"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0});
        assert_eq!(latencies.quantiles(), expected);
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Latencies::default().quantiles(), Value::Null);
    }
}
