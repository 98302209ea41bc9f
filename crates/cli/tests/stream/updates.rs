//! What goes over the stream.

use portcullis_controller::serve::StreamState;

use crate::controller::{Authority, Controller, token};
use crate::harness::until;
use crate::pod::Pod;
use crate::snapshot::snapshot;

#[test]
fn a_pod_is_sent_everything_once_and_changes_after() {
    let authority = Authority::new();
    let mut controller = Controller::leader(&authority);
    let pod = Pod::start(&authority, &controller.url());
    until("the stream is open", || {
        (controller.metrics.active.value() == 1).then_some(())
    });
    assert_eq!(pod.generation(), None, "nothing is published yet");
    let first = snapshot(1, 2);
    controller.publish(&first);
    pod.until_it_serves(1);
    assert_eq!(pod.loaded().routes.len(), 2);
    for generation in 2..=5 {
        controller.publish(&snapshot(generation, 3));
        pod.until_it_serves(generation);
    }
    assert_eq!(pod.loaded().routes.len(), 3);
    assert_eq!(controller.metrics.full_states.value(), 1);
    assert_eq!(controller.metrics.deltas.value(), 4);
    assert_eq!(pod.metric("portcullis_stream_connected"), 1);

    let mut acked = Vec::new();
    until("all was reported", || {
        for report in controller.reports() {
            assert_eq!(&*report.pod, "pod");
            match report.state {
                StreamState::Acked {
                    version,
                    generation,
                    port_failures,
                    refused,
                } => {
                    assert!(port_failures.is_empty() && refused.is_empty());
                    acked.push((version, generation));
                }
                state => assert_eq!(state, StreamState::Connected),
            }
        }
        (acked.len() == 5).then_some(())
    });
    assert_eq!(acked[0], (first.version(), 1));
    assert_eq!(acked[4].1, 5);
}

#[test]
fn ten_thousand_routes_arrive_in_parts() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    controller.publish(&snapshot(1, 10_000));
    let pod = Pod::start(&authority, &controller.url());
    pod.until_it_serves(1);
    assert_eq!(pod.loaded().routes.len(), 10_000);
    let full = controller.metrics.bytes.value();
    assert!(full > 1 << 20, "{full} bytes are one part");

    controller.publish(&snapshot(2, 10_001));
    pod.until_it_serves(2);
    assert_eq!(pod.loaded().routes.len(), 10_001);
    let delta = controller.metrics.bytes.value() - full;
    assert!(delta < 1024, "one route more took {delta} bytes");
}

#[test]
fn pods_of_one_gateway_are_served_alike_and_of_others_apart() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    let other = crate::snapshot::of_gateway("h", 7, 1);
    controller.publish(&snapshot(1, 2));
    controller.publish(&other.into());
    let start = |gateway: &str, pod: &str| {
        Pod::of(gateway, &token(gateway, pod), &authority, &controller.url())
    };
    let pods = [start("g", "one"), start("g", "two")];
    let other = start("h", "three");
    for pod in &pods {
        pod.until_it_serves(1);
        assert_eq!(pod.loaded().routes.len(), 2);
    }
    other.until_it_serves(7);
    assert_eq!(other.loaded().routes.len(), 1);
    controller.publish(&snapshot(2, 3));
    for pod in &pods {
        pod.until_it_serves(2);
    }
    assert_eq!(other.generation(), Some(7));
}

#[test]
fn a_pod_is_served_its_own_gateway_and_no_other() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    controller.publish(&snapshot(1, 1));
    controller.publish(&crate::snapshot::of_gateway("h", 1, 1).into());
    let pod = Pod::of("h", &token("g", "pod"), &authority, &controller.url());
    until("it has come back after a refusal", || {
        (controller.metrics.streams.value() >= 2).then_some(())
    });
    assert_eq!(pod.generation(), None);
    assert_eq!(controller.metrics.full_states.value(), 0);
}

#[test]
fn who_shows_no_good_token_is_refused() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    controller.publish(&snapshot(1, 1));
    let strangers = [
        "nonsense",
        "default/other/pod",
        "elsewhere/g-portcullis/pod",
    ];
    let start = |token: &&str| Pod::of("g", token, &authority, &controller.url());
    let pods: Vec<_> = strangers.iter().map(start).collect();
    until("all are refused", || {
        (controller.metrics.refused.value() >= 6).then_some(())
    });
    assert!(pods.iter().all(|pod| pod.generation().is_none()));
    assert_eq!(controller.metrics.streams.value(), 0);
}
