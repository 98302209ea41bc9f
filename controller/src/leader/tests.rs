use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;

use super::*;

const MILLI: Duration = Duration::from_millis(1);

fn wall() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// A Lease as the API server has it.
fn lease(holder: &str, renewal: u64) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.resource_version = Some(renewal.to_string());
    let renewed = wall() + Duration::from_secs(renewal);
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(holder.to_owned()).filter(|holder| !holder.is_empty()),
        lease_duration_seconds: Some(5),
        renew_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(
            renewed,
        )),
        lease_transitions: Some(3),
        ..LeaseSpec::default()
    });
    lease
}

fn holder(step: &Step) -> Option<&str> {
    match step {
        Step::Write(lease) => lease.spec.as_ref()?.holder_identity.as_deref(),
        Step::Wait(_) => None,
    }
}

#[test]
fn a_lease_of_nobody_is_taken_at_once() {
    let now = Instant::now();
    for (name, found) in [
        ("there is none", None),
        ("released", Some(lease("", 1))),
        ("our own from before a restart", Some(lease("us", 1))),
    ] {
        let step = Election::new("us").decide(found, now, wall());
        assert_eq!(holder(&step), Some("us"), "{name}");
    }
}

#[test]
fn a_lease_of_another_is_taken_when_it_was_not_renewed_for_its_duration() {
    let start = Instant::now();
    let mut election = Election::new("us");
    let mut look = |renewal, after| {
        let step = election.decide(Some(lease("them", renewal)), start + after, wall());
        holder(&step).is_some()
    };
    assert!(!look(1, Duration::ZERO));
    assert!(!look(1, DURATION.saturating_sub(MILLI)));
    assert!(!look(2, DURATION), "it was renewed");
    assert!(!look(2, (DURATION * 2).saturating_sub(MILLI)));
    assert!(look(2, DURATION * 2));
}

#[test]
fn the_times_in_the_lease_are_not_compared_with_our_clock() {
    let mut election = Election::new("us");
    let step = election.decide(Some(lease("them", 1)), Instant::now(), Timestamp::MAX);
    assert_eq!(step, Step::Wait(RENEW));
}

#[test]
fn a_claim_counts_transitions_and_a_renewal_does_not() {
    let transitions = |found| match Election::new("us").decide(found, Instant::now(), wall()) {
        Step::Write(lease) => lease.spec.unwrap().lease_transitions,
        Step::Wait(_) => None,
    };
    assert_eq!(transitions(Some(lease("", 1))), Some(4));
    assert_eq!(transitions(Some(lease("us", 1))), Some(3));
}

#[test]
fn a_write_is_based_on_what_was_seen() {
    let step = Election::new("us").decide(Some(lease("", 7)), Instant::now(), wall());
    let Step::Write(written) = step else {
        panic!("waits");
    };
    assert_eq!(written.metadata.resource_version.as_deref(), Some("7"));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_was_frozen_past_its_lease_knows_when_it_thaws() {
    let leadership = Leadership::none();
    let told = leadership.changes();
    assert!(!leadership.is_held());
    leadership.grant(Instant::now() + HELD);
    assert!(leadership.is_held());
    // Nothing of this process runs meanwhile.
    tokio::time::advance(HELD).await;
    assert!(!leadership.is_held());
    assert!(*told.borrow(), "nobody had the time to tell");
}

#[tokio::test(start_paused = true)]
async fn leadership_that_is_given_up_is_gone_at_once() {
    let leadership = Leadership::none();
    leadership.grant(Instant::now() + HELD);
    leadership.revoke();
    assert!(!leadership.is_held());
    assert!(!*leadership.changes().borrow());
}

#[test]
fn a_leader_stops_before_others_start() {
    assert!(HELD < DURATION);
    assert!(
        RENEW + RETRY + REQUEST_TIMEOUT < HELD,
        "one renewal may fail"
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_is_given_up_when_leadership_ends_and_not_when_it_is_renewed() {
    let leadership = Leadership::none();
    assert_eq!(leadership.during(std::future::ready(1)).await, None);
    leadership.grant(Instant::now() + HELD);
    assert_eq!(leadership.during(sleep(HELD / 2)).await, Some(()));
    let renewed = async {
        sleep(HELD / 4).await;
        leadership.grant(Instant::now() + HELD);
        sleep(HELD / 2).await;
    };
    assert_eq!(leadership.during(renewed).await, Some(()));
    let revoked = async {
        leadership.revoke();
        std::future::pending::<()>().await;
    };
    let start = Instant::now();
    assert_eq!(leadership.during(revoked).await, None);
    assert_eq!(Instant::now(), start);
    leadership.grant(Instant::now() + HELD);
    assert_eq!(leadership.during(std::future::pending::<()>()).await, None);
}
