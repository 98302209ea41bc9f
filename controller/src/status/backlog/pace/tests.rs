use super::*;

struct Bench {
    pace: Pace,
    start: Instant,
}

impl Bench {
    fn new(kind: Kind) -> Self {
        Self {
            pace: Pace::new(kind),
            start: Instant::now(),
        }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn due(&mut self, millis: u64) -> u128 {
        let due = self.pace.due(self.at(millis));
        due.saturating_duration_since(self.start).as_millis()
    }

    /// Something changes every so often, and is written when it is due, at once: when that is.
    fn writes(&mut self, changes: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut writes = Vec::new();
        let mut due: Option<u64> = None;
        for change in changes {
            while let Some(at) = due.filter(|due| *due <= change) {
                self.write(at);
                writes.push(at);
                due = None;
            }
            self.pace.changed(self.at(change));
            due = u64::try_from(self.due(change)).ok();
        }
        if let Some(at) = due {
            self.write(at);
            writes.push(at);
        }
        writes
    }

    fn write(&mut self, millis: u64) {
        self.pace.begin();
        self.pace.wrote(self.at(millis));
    }
}

#[test]
fn what_is_said_of_a_route_alone_is_due_at_once() {
    let mut bench = Bench::new(Kind::HttpRoute);
    bench.pace.changed(bench.at(0));
    assert_eq!(bench.due(0), 0);
    bench.write(5);
    bench.pace.changed(bench.at(6));
    assert_eq!(bench.due(6), 255);
}

#[test]
fn what_comes_with_others_is_said_once_when_nothing_more_comes() {
    let mut bench = Bench::new(Kind::ListenerSet);
    assert_eq!(bench.writes([0, 8, 25].into_iter()), [55]);
}

#[test]
fn a_count_is_said_now_and_then_while_it_changes_and_soon_after_the_end() {
    let mut bench = Bench::new(Kind::Gateway);
    let writes = bench.writes((0..3_700).step_by(7));
    assert_eq!(writes, [250, 502, 1_002, 2_002, 3_002, 3_726]);
}

#[test]
fn lulls_that_are_no_end_are_waited_for_less_and_less_often() {
    let mut bench = Bench::new(Kind::Gateway);
    let writes = bench.writes((0..10_000).step_by(100));
    assert_eq!(writes[..3], [30, 130, 330]);
    assert!(writes.len() <= 25, "{writes:?}");
}

#[test]
fn after_a_rest_pauses_begin_anew() {
    let mut bench = Bench::new(Kind::Gateway);
    let last = bench.writes((0..5_000).step_by(100)).pop().unwrap();
    let later = last + 61_000;
    bench.pace.changed(bench.at(later));
    assert_eq!(bench.due(later), u128::from(later + 30));
}
