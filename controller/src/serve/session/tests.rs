use portcullis_ir::{ObjectKey, Snapshot};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn state(number: i64) -> Arc<State> {
    let snapshot = Snapshot::empty(ObjectKey::new("default", "g"), number);
    Arc::new(State::new(Arc::new(snapshot)))
}

fn sent(order: &Order) -> (Option<Version>, Version) {
    (
        order.from.as_ref().map(|from| from.version),
        order.to.version,
    )
}

#[test]
fn nothing_is_sent_before_anything_is_published() {
    let mut session = Session::new(None);
    assert!(session.next().is_none());
    session.publish(state(1));
    assert_eq!(
        sent(&session.next().unwrap()),
        (None, state(1).version),
        "a full state first"
    );
}

#[test]
fn what_is_published_meanwhile_waits_and_only_the_newest_is_sent() {
    let mut session = Session::new(None);
    session.publish(state(1));
    session.next().unwrap();
    session.publish(state(2));
    session.publish(state(3));
    assert!(session.next().is_none(), "one update at a time");
    assert_eq!(session.ack(state(1).version), Ok(Outcome::Serves));
    let next = session.next().unwrap();
    assert_eq!(sent(&next), (Some(state(1).version), state(3).version));
    assert_eq!(session.ack(state(3).version), Ok(Outcome::Serves));
    assert!(session.next().is_none());
}

#[test]
fn a_pod_that_holds_the_newest_is_asked_to_confirm_it() {
    let mut session = Session::new(Some(state(1)));
    session.publish(state(1));
    let order = session.next().unwrap();
    assert_eq!(sent(&order), (Some(state(1).version), state(1).version));
    session.ack(state(1).version).unwrap();
    assert!(session.next().is_none());
}

#[test]
fn a_refused_delta_is_followed_by_a_full_state() {
    let mut session = Session::new(Some(state(1)));
    session.publish(state(2));
    session.next().unwrap();
    assert_eq!(session.nack(state(2).version), Ok(Outcome::NeedsAll));
    assert_eq!(sent(&session.next().unwrap()), (None, state(2).version));
}

#[test]
fn a_refused_full_state_is_not_sent_again() {
    let mut session = Session::new(None);
    session.publish(state(1));
    session.next().unwrap();
    assert_eq!(session.nack(state(1).version), Ok(Outcome::Refuses));
    assert!(session.next().is_none());
    session.publish(state(1));
    assert!(session.next().is_none());
    session.publish(state(2));
    assert_eq!(sent(&session.next().unwrap()), (None, state(2).version));
    session.ack(state(2).version).unwrap();
    session.publish(state(1));
    let back = session.next().unwrap();
    assert_eq!(sent(&back), (Some(state(2).version), state(1).version));
}

#[test]
fn an_answer_to_nothing_is_an_error() {
    let mut session = Session::new(Some(state(1)));
    assert_eq!(
        session.ack(state(1).version),
        Err(Unasked(state(1).version)),
        "nothing was sent yet"
    );
    session.publish(state(1));
    session.next().unwrap();
    assert!(session.ack(state(2).version).is_err());
    session.ack(state(1).version).unwrap();
    assert_eq!(
        session.ack(state(1).version),
        Ok(Outcome::Serves),
        "said again"
    );
    assert!(session.nack(state(1).version).is_err());
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Publish(i64),
    /// The pod handles what was sent, and answers.
    Handle(Mood),
    /// The pod's answer arrives.
    Deliver,
    Reconnect,
    /// The controller is another, which knows only what is published now.
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Mood {
    Willing,
    Refusing,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1_i64..6).prop_map(Event::Publish),
        Just(Event::Handle(Mood::Willing)),
        Just(Event::Handle(Mood::Willing)),
        Just(Event::Handle(Mood::Refusing)),
        Just(Event::Deliver),
        Just(Event::Deliver),
        Just(Event::Reconnect),
        Just(Event::Restart),
    ]
}

/// A controller and a pod with a wire between them.
struct World {
    session: Session,
    known: Vec<Arc<State>>,
    /// What the pod serves.
    pod: Option<Version>,
    on_the_way: Option<Order>,
    answer: Option<Result<Version, Version>>,
}

impl World {
    fn new() -> Self {
        Self {
            session: Session::new(None),
            known: Vec::new(),
            pod: None,
            on_the_way: None,
            answer: None,
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Publish(number) => {
                self.known.push(state(*number));
                self.session.publish(state(*number));
            }
            Event::Handle(mood) => self.handle(*mood),
            Event::Deliver => match self.answer.take() {
                Some(Ok(version)) => drop(self.session.ack(version).unwrap()),
                Some(Err(version)) => drop(self.session.nack(version).unwrap()),
                None => {}
            },
            Event::Reconnect => self.reconnect(),
            Event::Restart => {
                self.known.drain(..self.known.len().saturating_sub(1));
                self.reconnect();
            }
        }
        if let Some(order) = self.session.next() {
            assert!(self.on_the_way.is_none() && self.answer.is_none());
            self.on_the_way = Some(order);
        }
    }

    fn handle(&mut self, mood: Mood) {
        let Some(order) = self.on_the_way.take() else {
            return;
        };
        let (from, to) = sent(&order);
        let usable = from.is_none() || from == self.pod;
        self.answer = Some(match mood {
            Mood::Willing if usable => {
                self.pod = Some(to);
                Ok(to)
            }
            Mood::Willing | Mood::Refusing => Err(to),
        });
    }

    fn reconnect(&mut self) {
        (self.on_the_way, self.answer) = (None, None);
        let held = self
            .known
            .iter()
            .find(|known| Some(known.version) == self.pod);
        self.session = Session::new(held.cloned());
        if let Some(newest) = self.known.last() {
            self.session.publish(Arc::clone(newest));
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_pod_ends_up_with_the_newest(events in vec(event(), 0..60)) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.happen(&Event::Publish(100));
        for _ in 0..4 {
            world.happen(&Event::Handle(Mood::Willing));
            world.happen(&Event::Deliver);
        }
        prop_assert_eq!(world.pod, Some(state(100).version));
        prop_assert!(world.on_the_way.is_none() && world.session.next().is_none());
    }
}
