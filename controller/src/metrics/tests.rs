use super::*;

fn key() -> ObjectKey {
    ObjectKey::new("default", "web")
}

fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
    let mut out = Exposition::default();
    metrics.expose(&mut out, Role::Follower, 0);
    let text = out.finish();
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.map(str::to_owned).collect()
}

#[test]
fn kinds_of_which_nothing_was_told_have_no_series() {
    let metrics = Metrics::new();
    metrics.watched(Kind::HttpRoute, 3);
    let expected = [r#"portcullis_watch_objects_total{kind="HTTPRoute"} 3"#];
    assert_eq!(
        samples(&metrics, "portcullis_watch_objects_total"),
        expected
    );
}

#[test]
fn writes_are_counted_by_kind_and_outcome() {
    let metrics = Metrics::new();
    metrics.status_write(Kind::Gateway, WriteOutcome::Written);
    let expected = [r#"portcullis_status_writes_total{kind="Gateway",outcome="written"} 1"#];
    assert_eq!(
        samples(&metrics, "portcullis_status_writes_total"),
        expected
    );
}

#[test]
fn every_ack_of_a_published_version_is_measured_from_its_change() {
    let metrics = Metrics::new();
    let start = Instant::now();
    metrics.published(&key(), Version(1), start);
    metrics.acked(&key(), Version(1), start + Duration::from_millis(20));
    metrics.acked(&key(), Version(1), start + Duration::from_millis(30));
    metrics.acked(&key(), Version(7), start + Duration::from_millis(30));
    metrics.acked(&key(), Version(1), start + LONGEST);
    let expected = ["portcullis_change_to_ack_seconds_count 2"];
    let count = "portcullis_change_to_ack_seconds_count";
    assert_eq!(samples(&metrics, count), expected);
}

#[test]
fn versions_that_nobody_acks_do_not_pile_up() {
    let metrics = Metrics::new();
    for version in 0..100 {
        metrics.published(&key(), Version(version), Instant::now());
    }
    assert_eq!(metrics.under_way.lock()[&key()].len(), AWAITED);
    metrics.withdrawn(&key());
    assert!(metrics.under_way.lock().is_empty());
}
