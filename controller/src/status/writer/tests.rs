use std::collections::BTreeMap;

use parking_lot::Mutex;
use portcullis_api::meta::ObjectMeta;
use portcullis_api::{AnyObject, HttpRoute};
use serde_json::{Map, Value, json};

use super::*;

const OURS: &str = "portcullis.dev/gateway-controller";

/// Statuses with their versions.
type Stored = BTreeMap<Subject, (u32, Value)>;

type Meddle = Box<dyn FnMut(&mut Stored) + Send>;

/// An API server with one kind of object, that counts and can be meddled with.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: Stored,
    reads: usize,
    writes: usize,
    conflicts: usize,
    /// Called before each write is looked at.
    meddle: Option<Meddle>,
}

impl StatusServer for Fake {
    async fn read(&self, subject: &Subject) -> Result<Option<Live>, ServerError> {
        let mut state = self.0.lock();
        state.reads += 1;
        Ok(state.objects.get(subject).map(live))
    }

    async fn write(
        &self,
        subject: &Subject,
        resource_version: &str,
        patch: Map<String, Value>,
    ) -> Result<Live, ServerError> {
        let mut state = self.0.lock();
        if let Some(mut meddle) = state.meddle.take() {
            meddle(&mut state.objects);
            state.meddle = Some(meddle);
        }
        let Some(object) = state.objects.get_mut(subject) else {
            return Err(ServerError::NotFound);
        };
        if object.0.to_string() != resource_version {
            state.conflicts += 1;
            return Err(ServerError::Conflict);
        }
        object.0 += 1;
        for (field, value) in patch {
            object.1[field] = value;
        }
        let after = live(object);
        state.writes += 1;
        Ok(after)
    }
}

fn live((version, status): &(u32, Value)) -> Live {
    Live {
        uid: "1".to_owned(),
        resource_version: version.to_string(),
        status: status.clone(),
    }
}

fn subject() -> Subject {
    Subject {
        kind: portcullis_api::Kind::HttpRoute,
        key: portcullis_api::ObjectKey::new("default", "web"),
    }
}

fn foreign(beat: u32) -> Value {
    json!({
        "parentRef": {"name": "theirs"}, "controllerName": "example.com/other",
        "conditions": [{"type": "Accepted", "odd": beat}],
    })
}

fn order() -> Order {
    let metadata = ObjectMeta {
        name: Some("web".to_owned()),
        namespace: Some("default".to_owned()),
        uid: Some("1".to_owned()),
        resource_version: Some("1".to_owned()),
        ..ObjectMeta::default()
    };
    let live = AnyObject::from(HttpRoute {
        metadata,
        ..HttpRoute::default()
    });
    let status = json!({"parents": [{
        "parentRef": {"name": "gw"}, "controllerName": OURS,
        "conditions": [{"type": "Accepted", "status": "True"}],
    }]});
    Order::Want {
        live,
        status: Arc::new(status),
    }
}

/// Runs a writer over a fake server until `is_enough`.
async fn write(fake: &Fake, leadership: &Leadership, is_enough: impl Fn(&State) -> bool) {
    let (orders, receiver) = mpsc::channel(4);
    let writer = run(fake.clone(), OURS.to_owned(), leadership.clone(), receiver);
    let enough = async {
        orders.send(vec![order()]).await.unwrap();
        while !is_enough(&fake.0.lock()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = writer => {}
        () = enough => {}
    }
}

fn leader() -> Leadership {
    let leadership = Leadership::none();
    leadership.grant(Instant::now() + Duration::from_mins(1));
    leadership
}

fn fake(version: u32, status: Value) -> Fake {
    let fake = Fake::default();
    let mut state = fake.0.lock();
    state.objects.insert(subject(), (version, status));
    drop(state);
    fake
}

#[tokio::test]
async fn one_write_suffices_where_nobody_else_writes() {
    let fake = fake(1, json!({}));
    write(&fake, &leader(), |state| state.writes > 0).await;
    let state = fake.0.lock();
    assert_eq!((state.reads, state.writes, state.conflicts), (0, 1, 0));
    let parents = state.objects[&subject()].1["parents"].as_array().unwrap();
    assert_eq!(parents.len(), 1);
    assert!(parents[0]["conditions"][0]["lastTransitionTime"].is_string());
}

#[tokio::test]
async fn a_conflict_is_read_again_and_what_others_wrote_stays() {
    let fake = fake(1, json!({}));
    let mut beats = 0;
    fake.0.lock().meddle = Some(Box::new(move |objects| {
        // Somebody is faster, three times.
        beats += 1;
        if beats <= 3 {
            let object = objects.get_mut(&subject()).unwrap();
            *object = (object.0 + 1, json!({"parents": [foreign(beats)]}));
        }
    }));
    write(&fake, &leader(), |state| state.writes > 0).await;
    let state = fake.0.lock();
    assert_eq!((state.reads, state.writes, state.conflicts), (3, 1, 3));
    let parents = state.objects[&subject()].1["parents"].as_array().unwrap();
    assert_eq!(parents[0], foreign(3));
    assert_eq!(parents[1]["controllerName"], OURS);
}

#[tokio::test]
async fn an_object_that_is_gone_is_let_be() {
    let fake = Fake::default();
    let seen = fake.clone();
    fake.0.lock().meddle = Some(Box::new(|_| {}));
    let hand = Hand {
        server: seen,
        controller_name: OURS.to_owned(),
        leadership: leader(),
    };
    let mut backlog = Backlog::new(OURS);
    backlog.take(order(), Instant::now());
    let job = backlog.next(Instant::now()).unwrap();
    assert_eq!(hand.work(job).await.1, Outcome::Gone);
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing_even_in_the_middle_of_a_try() {
    let fake = fake(2, json!({"parents": [foreign(1)]}));
    let leadership = leader();
    let lost = leadership.clone();
    let hand = Hand {
        server: fake.clone(),
        controller_name: OURS.to_owned(),
        leadership,
    };
    let mut backlog = Backlog::new(OURS);
    backlog.take(order(), Instant::now());
    let job = backlog.next(Instant::now()).unwrap();
    // The first write meets a conflict; meanwhile the lease is lost.
    fake.0.lock().meddle = Some(Box::new(move |_| lost.revoke()));
    assert_eq!(hand.work(job).await.1, Outcome::NotLeader);
    assert_eq!(fake.0.lock().writes, 0);
}
