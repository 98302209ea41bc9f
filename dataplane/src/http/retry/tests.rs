use super::*;

const EVERY: [Failure; 8] = [
    Failure::Connect,
    Failure::Unprocessed,
    Failure::Stale,
    Failure::Timeout,
    Failure::Broken,
    Failure::Status(StatusCode::SERVICE_UNAVAILABLE),
    Failure::Status(StatusCode::INTERNAL_SERVER_ERROR),
    Failure::Lost,
];

fn policy(codes: &[u16], attempts: u32) -> Policy {
    Policy::new(&route::Retry {
        codes: codes.iter().copied().collect(),
        attempts,
        backoff: Some(Duration::from_millis(100)),
    })
}

fn facts(policy: Option<&Policy>) -> Facts<'_> {
    Facts {
        policy,
        method: Method::Idempotent,
        replay: Replay::Possible,
        others: Others::None,
        retries: 0,
        connect_failures: 0,
        left: None,
    }
}

fn is_again(facts: &Facts<'_>, failure: Failure) -> bool {
    matches!(verdict(facts, failure, 0), Verdict::Again(_))
}

/// The failures after which there is another attempt, as positions in [`EVERY`].
fn again_after(facts: &Facts<'_>) -> Vec<usize> {
    let again = |place: &usize| is_again(facts, EVERY[*place]);
    (0..EVERY.len()).filter(again).collect()
}

struct Case {
    name: &'static str,
    policy: Option<Policy>,
    method: Method,
    retries: u32,
    connect_failures: u32,
    again: &'static [usize],
}

fn check(cases: &[Case]) {
    for case in cases {
        let facts = Facts {
            method: case.method,
            retries: case.retries,
            connect_failures: case.connect_failures,
            ..facts(case.policy.as_ref())
        };
        assert_eq!(again_after(&facts), case.again, "{}", case.name);
    }
}

#[test]
fn what_is_tried_again_of_our_own_accord() {
    check(&[
        Case {
            name: "no policy, first failure",
            policy: None,
            method: Method::Idempotent,
            retries: 0,
            connect_failures: 0,
            again: &[0, 1, 2, 7],
        },
        Case {
            name: "no policy, POST",
            policy: None,
            method: Method::Other,
            retries: 0,
            connect_failures: 0,
            again: &[0, 1],
        },
        Case {
            name: "no policy, second failure to connect",
            policy: None,
            method: Method::Idempotent,
            retries: 1,
            connect_failures: 1,
            again: &[1, 2, 7],
        },
        Case {
            name: "no policy, a failure to connect after a stale connection",
            policy: None,
            method: Method::Idempotent,
            retries: 1,
            connect_failures: 0,
            again: &[0, 1, 2, 7],
        },
        Case {
            name: "no policy, third failure",
            policy: None,
            method: Method::Idempotent,
            retries: 2,
            connect_failures: 0,
            again: &[0],
        },
        Case {
            name: "no policy, what was sent fails after four endpoints that could not be reached",
            policy: None,
            method: Method::Idempotent,
            retries: 5,
            connect_failures: 4,
            again: &[1, 2, 7],
        },
    ]);
}

#[test]
fn what_is_tried_again_because_the_route_says_so() {
    check(&[
        Case {
            name: "zero attempts",
            policy: Some(policy(&[500, 502, 503], 0)),
            method: Method::Idempotent,
            retries: 0,
            connect_failures: 0,
            again: &[],
        },
        Case {
            name: "no codes",
            policy: Some(policy(&[], 3)),
            method: Method::Idempotent,
            retries: 2,
            connect_failures: 0,
            again: &[0, 1, 2, 3],
        },
        Case {
            name: "no codes, POST",
            policy: Some(policy(&[], 3)),
            method: Method::Other,
            retries: 2,
            connect_failures: 0,
            again: &[0, 1],
        },
        Case {
            name: "codes",
            policy: Some(policy(&[502, 503], 3)),
            method: Method::Idempotent,
            retries: 2,
            connect_failures: 0,
            again: &[0, 1, 2, 3, 4, 5, 7],
        },
        Case {
            name: "codes, POST",
            policy: Some(policy(&[502, 503, 504], 3)),
            method: Method::Other,
            retries: 2,
            connect_failures: 0,
            again: &[0, 1, 5],
        },
        Case {
            name: "as many as allowed",
            policy: Some(policy(&[500, 502, 503], 3)),
            method: Method::Idempotent,
            retries: 3,
            connect_failures: 0,
            again: &[0],
        },
    ]);
}

#[test]
fn what_cannot_be_reached_is_asked_for_elsewhere_as_long_as_there_is_another_endpoint() {
    let one = policy(&[], 1);
    for policy in [None, Some(&one)] {
        for others in [Others::Sound, Others::Unsound, Others::None] {
            let follows = |connect_failures| {
                let facts = Facts {
                    others,
                    retries: connect_failures,
                    connect_failures,
                    ..facts(policy)
                };
                is_again(&facts, Failure::Connect)
            };
            let most = if others == Others::None { 1 } else { 4 };
            for connect_failures in 0..=most {
                let expected = connect_failures < most;
                assert_eq!(follows(connect_failures), expected, "{others:?} {policy:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_sent_again_is_not() {
    for policy in [None, Some(policy(&[500, 502, 503, 504], 9))] {
        let facts = Facts {
            replay: Replay::Impossible,
            ..facts(policy.as_ref())
        };
        assert!(again_after(&facts).is_empty());
    }
}

#[test]
fn no_retry_begins_after_the_time_for_the_whole_request() {
    let policy = policy(&[503], 9);
    let failure = Failure::Status(StatusCode::SERVICE_UNAVAILABLE);
    let with = |left: u64| Facts {
        left: Some(Duration::from_millis(left)),
        ..facts(Some(&policy))
    };
    assert!(!is_again(&with(100), failure));
    assert!(is_again(&with(101), failure));
    assert!(is_again(&with(1), Failure::Connect));
    assert!(!is_again(&with(0), Failure::Connect));
}

#[test]
fn the_budget_pays_for_all_but_what_the_backend_has_not_seen() {
    let policy = policy(&[502, 503], 9);
    let price = |retries, failure| {
        let facts = Facts {
            retries,
            ..facts(Some(&policy))
        };
        match verdict(&facts, failure, 0) {
            Verdict::Again(Again { wait, price, .. }) => (wait.is_zero(), price),
            Verdict::Final => panic!("{failure:?}"),
        }
    };
    assert_eq!(price(0, Failure::Connect), (true, Price::Free));
    for failure in [Failure::Unprocessed, Failure::Stale] {
        assert_eq!(price(0, failure), (true, Price::Free));
        assert_eq!(price(5, failure), (false, Price::One));
    }
    for failure in [
        Failure::Lost,
        Failure::Timeout,
        Failure::Broken,
        Failure::Status(StatusCode::SERVICE_UNAVAILABLE),
    ] {
        assert_eq!(price(0, failure), (false, Price::One));
    }
}

#[test]
fn attempts_are_capped() {
    assert_eq!(policy(&[], u32::MAX).attempts, limits::MAX_RETRIES);
    assert!(policy(&[], 0).is_off());
}
