//! What becomes of the authority, as a plain function.

use super::{BACKDATE, Ca, Content, LIFE, OVERLAP, seconds};

/// When something is decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Seconds since the Unix epoch.
    pub(super) now: i64,
    /// Since when this process has seen to it that data planes get the bundle. What happened
    /// before may not have reached them.
    pub(super) leading_since: i64,
}

/// What the Secret should hold. `mint` makes a new authority, valid from now on.
pub(super) fn plan<E>(
    content: &Content,
    times: Times,
    mut mint: impl FnMut() -> Result<Ca, E>,
) -> Result<Content, E> {
    let Times { now, .. } = times;
    let Content {
        current,
        next,
        previous,
    } = content.clone();
    let current = current.filter(|ca| can_sign(ca, now));
    let next = next.filter(|ca| can_sign(ca, now));
    let previous = previous.filter(|ca| now < ca.not_after);
    let Some(current) = current else {
        // Nothing can be kept apart here: without an authority no stream begins.
        let current = match next {
            Some(next) => next,
            None => mint()?,
        };
        return Ok(Content {
            current: Some(current),
            next: None,
            previous,
        });
    };
    let known_for = |ca: &Ca| now - added(ca).max(times.leading_since);
    Ok(match next {
        Some(next) if known_for(&next) >= seconds(OVERLAP) => Content {
            previous: Some(Ca {
                key: String::new(),
                ..current
            }),
            current: Some(next),
            next: None,
        },
        None if now >= renewal(&current) => Content {
            next: Some(mint()?),
            current: Some(current),
            previous,
        },
        next => Content {
            // Twice: `current` became so after one overlap at the earliest.
            previous: previous.filter(|_| known_for(&current) < 2 * seconds(OVERLAP)),
            current: Some(current),
            next,
        },
    })
}

fn can_sign(ca: &Ca, now: i64) -> bool {
    now < ca.not_after && !ca.key.is_empty()
}

/// When it came into the bundle.
fn added(ca: &Ca) -> i64 {
    ca.not_before + seconds(BACKDATE)
}

/// When its successor is made: at two thirds of its life.
fn renewal(ca: &Ca) -> i64 {
    ca.not_before + seconds(LIFE) / 3 * 2
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const DAY: i64 = 24 * 3600;
    const HOUR: i64 = 3600;

    fn ca(made: i64) -> Ca {
        Ca {
            certificate: format!("certificate of {made}\n"),
            key: "key".to_owned(),
            not_before: made - seconds(BACKDATE),
            not_after: made + seconds(LIFE),
        }
    }

    fn at(content: &Content, now: i64, leading_since: i64) -> Content {
        let times = Times { now, leading_since };
        let Ok(content) = plan(content, times, || Ok::<_, Infallible>(ca(now)));
        content
    }

    fn without_key(ca: Ca) -> Ca {
        Ca {
            key: String::new(),
            ..ca
        }
    }

    #[test]
    fn it_is_made_once_and_stays() {
        let made = at(&Content::default(), 0, 0);
        assert_eq!(made.current, Some(ca(0)));
        assert_eq!(at(&made, 1, 0), made);
        assert_eq!(at(&made, 200 * DAY, 0), made);
    }

    #[test]
    fn its_successor_is_trusted_before_it_signs() {
        let due = 244 * DAY;
        let first = at(&Content::default(), 0, 0);
        let both = at(&first, due, 0);
        assert_eq!(
            both,
            Content {
                current: Some(ca(0)),
                next: Some(ca(due)),
                previous: None,
            }
        );
        let bundle = format!("certificate of 0\ncertificate of {due}\n");
        assert_eq!(*both.bundle().unwrap().0, bundle);
        assert_eq!(at(&both, due + HOUR - 1, 0), both);

        let turned = at(&both, due + HOUR, 0);
        let expected = Content {
            current: Some(ca(due)),
            next: None,
            previous: Some(without_key(ca(0))),
        };
        assert_eq!(turned, expected);
        assert_eq!(at(&turned, due + 2 * HOUR - 1, 0), turned);
        assert_eq!(at(&turned, due + 2 * HOUR, 0).previous, None);
    }

    #[test]
    fn a_new_leader_lets_its_pods_see_the_successor_first() {
        let due = 244 * DAY;
        let both = at(&at(&Content::default(), 0, 0), due, 0);
        let much_later = due + 5 * DAY;
        assert_eq!(at(&both, much_later, much_later), both);
        assert_eq!(
            at(&both, much_later + HOUR, much_later).current,
            Some(ca(due))
        );
    }

    #[test]
    fn one_that_cannot_sign_is_replaced_at_once() {
        let expired = 366 * DAY;
        let first = at(&Content::default(), 0, 0);
        assert_eq!(at(&first, expired, 0).current, Some(ca(expired)));

        let keyless = Content {
            current: Some(without_key(ca(0))),
            ..Content::default()
        };
        assert_eq!(at(&keyless, 7, 7).current, Some(ca(7)));

        let both = at(&first, 244 * DAY, 0);
        let late = at(&both, expired, expired);
        assert_eq!(late.current, Some(ca(244 * DAY)));
    }

    #[test]
    fn whoever_looks_now_and_then_always_finds_one_that_signs_and_was_announced() {
        let mut content = at(&Content::default(), 0, 0);
        let mut turns = 0;
        for hour in 1..24 * 365 * 3 {
            let now = hour * HOUR;
            let after = at(&content, now, 0);
            let signer = after.current.clone().unwrap();
            assert!(now < signer.not_after);
            if content.current != after.current {
                turns += 1;
                assert_eq!(content.next, after.current, "it was announced");
            }
            content = after;
        }
        assert_eq!(turns, 4);
    }
}
