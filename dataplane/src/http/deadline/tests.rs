use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn give(time: Duration) {
    set_pause(Limit {
        at: Instant::now() + time,
        refusal: Refusal::RequestTimeout,
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
        clear_pause();
        sleep(10 * SECOND).await;
        1
    };
    assert_eq!(bounded(None, serving).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn the_end_stands_whatever_pauses_there_are() {
    let started = Instant::now();
    let serving = async {
        set_end(Some(Instant::now() + 5 * SECOND));
        answer_begins();
        for _ in 0..100 {
            give(2 * SECOND);
            sleep(SECOND).await;
            clear_pause();
        }
    };
    assert_eq!(bounded(None, serving).await, None);
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_end_leaves_time_for_an_answer_until_that_begins() {
    let missed_after = async |begun: bool| {
        let started = Instant::now();
        let serving = async {
            set_end(Some(Instant::now() + SECOND));
            if begun {
                answer_begins();
            }
            std::future::pending::<()>().await;
        };
        bounded(None, serving).await;
        started.elapsed()
    };
    assert!(missed_after(true).await < SECOND + limits::END_GRACE);
    assert!(missed_after(false).await >= SECOND + limits::END_GRACE);
}

#[tokio::test(start_paused = true)]
async fn an_end_can_be_taken_away() {
    let serving = async {
        set_end(Some(Instant::now() + SECOND));
        sleep(SECOND / 2).await;
        set_end(None);
        sleep(10 * SECOND).await;
        1
    };
    assert_eq!(bounded(None, serving).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn requests_that_take_turns_have_deadlines_of_their_own() {
    let short = bounded(None, async {
        give(SECOND);
        sleep(10 * SECOND).await;
    });
    let long = bounded(None, async {
        give(20 * SECOND);
        sleep(10 * SECOND).await;
    });
    let free = bounded(None, sleep(10 * SECOND));
    let ends = tokio::join!(short, long, free);
    assert_eq!(ends, (None, Some(()), Some(())));
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_knows_why() {
    struct Served<'a>(&'a Cell<Option<Missed>>);
    impl Drop for Served<'_> {
        fn drop(&mut self) {
            self.0.set(missed());
        }
    }
    let seen = Cell::new(None);
    let serving = async {
        let _served = Served(&seen);
        give(SECOND);
        std::future::pending::<()>().await;
    };
    bounded(None, serving).await;
    let expected = Missed {
        refusal: Refusal::RequestTimeout,
        status: None,
    };
    assert_eq!(seen.get(), Some(expected));
    assert_eq!(missed(), None);
}
