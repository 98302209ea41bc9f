use std::time::Duration;

use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn give(time: Duration) {
    Deadline::of_request().set(Limit {
        at: Instant::now() + time,
        refusal: Refusal::RequestTimeout,
        answer: Answer::Owed,
    });
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_deadline_takes_its_time() {
    let serving = async {
        sleep(1000 * SECOND).await;
        1
    };
    assert_eq!(bounded(None, serving).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_missed_deadline_drops_the_request() {
    let started = Instant::now();
    let serving = async {
        give(SECOND);
        std::future::pending::<()>().await;
    };
    assert_eq!(bounded(None, serving).await, None);
    assert!(started.elapsed() < 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_moves_on_is_missed_only_at_its_last_place() {
    let started = Instant::now();
    let serving = async {
        for _ in 0..10 {
            give(2 * SECOND);
            sleep(SECOND).await;
        }
        std::future::pending::<()>().await;
    };
    assert_eq!(bounded(None, serving).await, None);
    assert_eq!(started.elapsed().as_secs(), 11);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_can_come_nearer() {
    let started = Instant::now();
    let serving = async {
        give(1000 * SECOND);
        sleep(SECOND).await;
        give(SECOND);
        std::future::pending::<()>().await;
    };
    assert_eq!(bounded(None, serving).await, None);
    assert_eq!(started.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_cleared_deadline_is_none() {
    let serving = async {
        give(SECOND);
        sleep(SECOND / 2).await;
        Deadline::of_request().clear();
        sleep(10 * SECOND).await;
        1
    };
    assert_eq!(bounded(None, serving).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_knows_why() {
    struct Context(Arc<Deadline>, Arc<Mutex<Option<Missed>>>);
    impl Drop for Context {
        fn drop(&mut self) {
            *self.1.lock() = self.0.missed();
        }
    }
    let seen = Arc::default();
    let there = Arc::clone(&seen);
    let serving = async move {
        let _context = Context(Deadline::of_request(), there);
        give(SECOND);
        std::future::pending::<()>().await;
    };
    bounded(None, serving).await;
    let expected = Missed {
        refusal: Refusal::RequestTimeout,
        status: None,
    };
    assert_eq!(*seen.lock(), Some(expected));
}
