//! Controllers and pods that go away.

use std::net::Ipv4Addr;
use std::sync::Arc;

use portcullis_dataplane::source;

use crate::controller::{Authority, Controller, token};
use crate::harness::until;
use crate::pod::Pod;
use crate::snapshot::snapshot;

#[test]
fn a_pod_serves_on_without_a_controller_and_is_then_sent_only_what_changed() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    let (url, at) = (controller.url(), controller.at);
    controller.publish(&snapshot(1, 100));
    let pod = Pod::start(&authority, &url);
    pod.until_it_serves(1);
    drop(controller);
    until("the loss is noticed", || {
        (pod.metric("portcullis_stream_connected") == 0).then_some(())
    });
    assert_eq!(pod.generation(), Some(1));
    assert_eq!(pod.loaded().routes.len(), 100);

    let controller = Controller::follower(&authority, at);
    controller.publish(&snapshot(1, 100));
    controller.lead();
    until("it is back and has confirmed what it holds", || {
        (controller.metrics.deltas.value() == 1).then_some(())
    });
    controller.publish(&snapshot(2, 101));
    pod.until_it_serves(2);
    assert_eq!(controller.metrics.full_states.value(), 0);
    assert_eq!(controller.metrics.nacks.value(), 0);
}

#[test]
fn a_pod_that_holds_what_nobody_knows_any_more_is_sent_everything() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    let (url, at) = (controller.url(), controller.at);
    controller.publish(&snapshot(1, 3));
    let pod = Pod::start(&authority, &url);
    pod.until_it_serves(1);
    drop(controller);

    let controller = Controller::follower(&authority, at);
    controller.publish(&snapshot(2, 1));
    controller.lead();
    pod.until_it_serves(2);
    assert_eq!(pod.loaded().routes.len(), 1);
    assert_eq!(controller.metrics.full_states.value(), 1);
}

#[test]
fn of_several_replicas_the_one_that_leads_is_found() {
    let authority = Authority::new();
    let leader = Controller::leader(&authority);
    let follower = Controller::follower(&authority, (Ipv4Addr::LOCALHOST, 0).into());
    leader.publish(&snapshot(1, 1));
    follower.publish(&snapshot(2, 1));
    let name: source::Controller = leader.url().parse().unwrap();
    let both = name.at(vec![follower.at, leader.at]);
    let pod = Pod::following("g", &token("g", "pod"), &authority, both);
    pod.until_it_serves(1);
    assert_eq!(follower.metrics.full_states.value(), 0);

    leader.leadership.revoke();
    follower.lead();
    pod.until_it_serves(2);
    assert_eq!(leader.metrics.active.value(), 0);
}

#[test]
fn the_stream_of_a_vanished_pod_ends() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    controller.publish(&snapshot(1, 1));
    let mut pod = Pod::start(&authority, &controller.url());
    pod.until_it_serves(1);
    assert_eq!(controller.metrics.active.value(), 1);
    pod.runtime.take().unwrap().shutdown_background();
    until("its stream has ended", || {
        (controller.metrics.active.value() == 0).then_some(())
    });
}

#[test]
fn a_pod_that_comes_again_displaces_its_old_stream() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    controller.publish(&snapshot(1, 1));
    let first = Pod::start(&authority, &controller.url());
    first.until_it_serves(1);
    let second = Pod::of("g", &token("g", "pod"), &authority, &controller.url());
    second.until_it_serves(1);
    until("one stream is left", || {
        (controller.metrics.active.value() == 1).then_some(())
    });
}

#[test]
fn a_gateway_that_is_gone_ends_its_streams() {
    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    controller.publish(&snapshot(1, 1));
    let pod = Pod::start(&authority, &controller.url());
    pod.until_it_serves(1);
    controller.accounts.send_replace(Arc::default());
    until("its stream has ended and is refused", || {
        (controller.metrics.refused.value() > 0).then_some(())
    });
    assert_eq!(controller.metrics.active.value(), 0);
    assert_eq!(
        pod.generation(),
        Some(1),
        "it serves on until it is deleted"
    );
}
