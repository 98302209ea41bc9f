//! How long things took, every one of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A machine that stands still for some milliseconds every second, as a shared one does, puts as much
/// into the p99 of any proxy. Of windows this short most have no such pause in them.
const WINDOW: Duration = Duration::from_millis(100);

/// Times from when something was due to when it was complete.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Latency>);

#[derive(Clone, Copy, Debug)]
struct Latency {
    due: Instant,
    taken: Duration,
}

impl Latencies {
    /// What was `due` is complete now.
    pub(crate) fn record(&mut self, due: Instant) {
        let taken = due.elapsed();
        self.0.push(Latency { due, taken });
    }

    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// In seconds, with the median of all windows' p99; null if there are none.
    pub(crate) fn quantiles(mut self) -> Value {
        self.0.sort_unstable_by_key(|latency| latency.due);
        let Some(start) = self.0.first().map(|first| first.due) else {
            return Value::Null;
        };
        let window = |latency: &Latency| (latency.due - start).as_nanos() / WINDOW.as_nanos();
        let windows = self.0.chunk_by(|one, next| window(one) == window(next));
        let windows = sorted(windows.map(|window| quantile(&taken(window), 990)));
        let all = taken(&self.0);
        let seconds = |per_mille| quantile(&all, per_mille).as_secs_f64();
        json!({
            "p50": seconds(500),
            "p90": seconds(900),
            "p99": seconds(990),
            "p999": seconds(999),
            "max": seconds(1000),
            "window_p99": quantile(&windows, 500).as_secs_f64(),
        })
    }
}

fn taken(latencies: &[Latency]) -> Vec<Duration> {
    sorted(latencies.iter().map(|latency| latency.taken))
}

fn sorted(durations: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut durations: Vec<Duration> = durations.collect();
    durations.sort_unstable();
    durations
}

/// The least time that so many in a thousand do not exceed; zero of none.
fn quantile(sorted: &[Duration], per_mille: usize) -> Duration {
    let rank = (sorted.len() * per_mille).div_ceil(1000);
    let at = sorted.get(rank.saturating_sub(1));
    at.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One due every millisecond, of which the nth took so many milliseconds.
    fn latencies(taken: impl Iterator<Item = u64>) -> Latencies {
        let start = Instant::now();
        let due = (0..).map(|n| start + Duration::from_millis(n));
        let taken = taken.map(Duration::from_millis);
        Latencies(
            due.zip(taken)
                .map(|(due, taken)| Latency { due, taken })
                .collect(),
        )
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let quantiles = latencies((1..=1000).rev()).quantiles();
        let expected = json!({
            "p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0, "window_p99": 0.499,
        });
        assert_eq!(quantiles, expected);
    }

    #[test]
    fn a_pause_is_in_the_p99_and_not_in_that_of_most_windows() {
        let paused = latencies((0..1000).map(|n| if n < 20 { 50 } else { 1 }));
        let quantiles = paused.quantiles();
        assert_eq!(quantiles.get("p99"), Some(&json!(0.05)));
        assert_eq!(quantiles.get("window_p99"), Some(&json!(0.001)));
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Latencies::default().quantiles(), Value::Null);
    }
}
