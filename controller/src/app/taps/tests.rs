use std::collections::BTreeMap;

use http::StatusCode;
use portcullis_api::Kind;
use portcullis_ir::{ObjectKey, Version};

use super::*;
use crate::admin::Awaited;
use crate::leader::Leadership;

fn shown() -> Arc<AdminState> {
    Arc::new(AdminState {
        controller: "controller-0".to_owned(),
        metrics: Metrics::new(),
        streams: Arc::default(),
        leadership: Leadership::none(),
        sessions: Sessions::default(),
        awaited: Awaited::new([Kind::HttpRoute.to_string()]),
        queue: mpsc::channel(1).0.downgrade(),
    })
}

#[tokio::test]
async fn a_kind_in_sync_is_awaited_no_more_and_news_go_by_unchanged() {
    let shown = shown();
    let (sender, receiver) = mpsc::channel(4);
    let (to, mut out) = mpsc::channel(4);
    let forward = tokio::spawn(objects(receiver, to, Arc::clone(&shown)));
    assert_eq!(shown.readiness().status, StatusCode::SERVICE_UNAVAILABLE);
    sender.send(Event::InSync(Kind::HttpRoute)).await.unwrap();
    assert_eq!(out.recv().await, Some(Event::InSync(Kind::HttpRoute)));
    assert_eq!(shown.readiness().status, StatusCode::OK);
    drop(sender);
    forward.await.unwrap();
    assert_eq!(out.recv().await, None);
}

#[tokio::test]
async fn what_pods_report_is_kept_for_people() {
    let sessions = Sessions::default();
    let (sender, receiver) = mpsc::channel(4);
    let (mut out, forward) = reports(receiver, sessions.clone(), Metrics::new());
    tokio::spawn(forward);
    let report = Report {
        gateway: ObjectKey::new("shop", "web"),
        pod: "web-1".into(),
        state: StreamState::Acked {
            version: Version(1),
            generation: 1,
            port_failures: BTreeMap::new(),
            refused: Vec::new(),
        },
    };
    sender.send(report.clone()).await.unwrap();
    assert_eq!(out.recv().await, Some(report));
    assert_eq!(sessions.listing("controller-0", true).sessions.len(), 1);
}

#[tokio::test]
async fn news_that_look_the_same_in_another_shape_are_none() {
    let (sender, receiver) = watch::channel("a");
    let (mut out, forward) = mapped(receiver, |text| text.len());
    tokio::spawn(forward);
    sender.send_replace("b");
    sender.send_replace("long");
    out.changed().await.unwrap();
    assert_eq!(*out.borrow_and_update(), 4);
}
