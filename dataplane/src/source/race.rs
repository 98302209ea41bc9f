//! Attempts of which the first that succeeds is taken.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep;

/// After this long without an outcome the next attempt is made beside those before ("Connection
/// Attempt Delay", RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Makes one attempt after another, the next as soon as one failed or [`HEAD_START`] went by. `None`:
/// all failed; each failure is handed to `failed` when it happens.
pub(super) async fn race<A, T, E>(
    mut attempts: impl ExactSizeIterator<Item = A>,
    mut failed: impl FnMut(E),
) -> Option<T>
where
    A: Future<Output = Result<T, E>>,
{
    let mut running = FuturesUnordered::new();
    loop {
        running.extend(attempts.next());
        tokio::select! {
            Some(outcome) = running.next() => match outcome {
                Ok(taken) => return Some(taken),
                Err(error) => failed(error),
            },
            () = sleep(HEAD_START), if attempts.len() > 0 => {}
            else => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// An attempt that ends like that after so many milliseconds.
    async fn attempt((millis, outcome): (u64, Result<u8, u8>)) -> Result<u8, u8> {
        sleep(Duration::from_millis(millis)).await;
        outcome
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_keeps_nobody_waiting() {
        const HANGS: u64 = 1_000_000;
        for (attempts, expected, took) in [
            (vec![], None, 0),
            (vec![(10, Ok(1))], Some(1), 10),
            (vec![(10, Err(1))], None, 10),
            (vec![(10, Err(1)), (10, Ok(2))], Some(2), 20),
            (vec![(HANGS, Err(1)), (10, Ok(2))], Some(2), 260),
            (vec![(300, Ok(1)), (HANGS, Ok(2))], Some(1), 300),
            (
                vec![(HANGS, Ok(1)), (10, Err(2)), (10, Ok(3))],
                Some(3),
                270,
            ),
            (vec![(300, Err(1)), (10, Err(2))], None, 300),
        ] {
            let begun = Instant::now();
            let taken = race(attempts.clone().into_iter().map(attempt), |_| ()).await;
            let outcome = (taken, begun.elapsed().as_millis());
            assert_eq!(outcome, (expected, took), "{attempts:?}");
        }
    }
}
