//! A [`Translator`] answers what [`translate`] answers, whatever came before.

#![expect(clippy::expect_used, reason = "a property fails that way")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests read their files; the crate does not"
)]

mod corpus;

use std::collections::BTreeMap;
use std::sync::Arc;

use corpus::worlds::{changes, objects, take, world};
use corpus::{CONTROLLER, NOW, folder, observe_all, read_unchecked, text};
use portcullis_api::{AnyObject, GatewayClass, Objects};
use portcullis_ir::SharedMap;
use portcullis_translate::{
    Inputs, ObservedGateway, Options, Output, StatusMap, Translator, translate,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Before, at and after the beginning and the end of the fixtures' `future.crt`.
const TIMES: [i64; 5] = [NOW, NOW + 1, 2_208_988_799, 2_208_988_800, 2_524_608_001];

fn options() -> Options {
    Options::new(CONTROLLER)
}

/// What is known of Gateways: all of it, or nothing.
#[derive(Clone, Copy, Debug)]
enum Observed {
    All,
    Nothing,
}

/// A translator and its last answer.
struct Session {
    translator: Translator,
    last: Output,
}

impl Session {
    fn new() -> Self {
        Self {
            translator: Translator::new(options()),
            last: Output::default(),
        }
    }

    /// Translates, and compares with a translation from nothing.
    fn check(
        &mut self,
        objects: &Objects,
        observed: Observed,
        now: i64,
    ) -> Result<(), TestCaseError> {
        let observed: BTreeMap<portcullis_ir::ObjectKey, ObservedGateway> = match observed {
            Observed::All => observe_all(objects),
            Observed::Nothing => BTreeMap::new(),
        };
        let inputs = Inputs {
            objects,
            observed: &observed,
            now,
        };
        let output = self.translator.translate(&inputs);
        prop_assert_eq!(&output, &translate(&inputs, &options()));
        shares_what_is_equal(&self.last, &output)?;
        self.last = output;
        Ok(())
    }
}

fn shares_what_is_equal(before: &Output, after: &Output) -> Result<(), TestCaseError> {
    fn statuses<S: PartialEq>(
        before: &StatusMap<S>,
        after: &StatusMap<S>,
    ) -> Result<(), TestCaseError> {
        same(before, after, Arc::ptr_eq)
    }
    fn same<K: Ord, V: PartialEq>(
        before: &SharedMap<K, V>,
        after: &SharedMap<K, V>,
        is_same: fn(&V, &V) -> bool,
    ) -> Result<(), TestCaseError> {
        for (key, old) in before {
            let new = after.get(key).filter(|new| *new == old);
            prop_assert!(new.is_none_or(|new| is_same(old, new)));
        }
        Ok(())
    }
    statuses(
        &before.statuses.gateway_classes,
        &after.statuses.gateway_classes,
    )?;
    statuses(&before.statuses.gateways, &after.statuses.gateways)?;
    statuses(
        &before.statuses.listener_sets,
        &after.statuses.listener_sets,
    )?;
    let routes = before.statuses.routes().into_iter();
    for ((_, before), (_, after)) in routes.zip(after.statuses.routes()) {
        statuses(before, after)?;
    }
    statuses(
        &before.statuses.backend_tls_policies,
        &after.statuses.backend_tls_policies,
    )?;
    same(&before.gateways, &after.gateways, |old, new| {
        Arc::ptr_eq(&old.snapshot, &new.snapshot) && Arc::ptr_eq(&old.infra, &new.infra)
    })?;
    for (key, old) in &before.gateways {
        if let Some(new) = after.gateways.get(key) {
            same(
                &old.snapshot.http_routes,
                &new.snapshot.http_routes,
                Arc::ptr_eq,
            )?;
            same(
                &old.snapshot.l4_routes,
                &new.snapshot.l4_routes,
                Arc::ptr_eq,
            )?;
            same(&old.snapshot.backends, &new.snapshot.backends, Arc::ptr_eq)?;
        }
    }
    Ok(())
}

/// A made-up world, how many of the steps to it are taken between translations, and the rest of
/// what a translation is given.
type Chapter = (Vec<u8>, usize, Observed, i64, Class);

/// What becomes of our GatewayClass.
#[derive(Clone, Copy, Debug)]
enum Class {
    Ours,
    AnothersOurs,
    Gone,
    Refused,
}

fn chapter() -> impl Strategy<Value = Chapter> {
    let classes = vec![Class::Ours, Class::Ours, Class::Ours, Class::AnothersOurs];
    (
        vec(any::<u8>(), 0..600),
        1..5_usize,
        select(vec![Observed::All, Observed::All, Observed::Nothing]),
        select(TIMES.to_vec()),
        prop_oneof![4 => select(classes), 1 => Just(Class::Gone), 1 => Just(Class::Refused)],
    )
}

fn with_class(mut objects: Objects, class: Class) -> Objects {
    let of = |controller: &str, parameters: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\n\
             metadata: {{name: portcullis}}\n\
             spec: {{controllerName: {controller}, parametersRef: {parameters}}}\n"
        )
    };
    let reference = "{group: portcullis.dev, kind: GatewayParameters, name: web, namespace: other}";
    let text = match class {
        Class::Ours => return objects,
        Class::AnothersOurs => of("example.com/other", "null"),
        Class::Refused => of(CONTROLLER, reference),
        Class::Gone => String::new(),
    };
    objects.gateway_classes = SharedMap::new();
    objects.extend(read_unchecked(&text));
    objects
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_came_before_cannot_be_told(chapters in vec(chapter(), 1..5)) {
        let mut session = Session::new();
        let mut held = Objects::default();
        for (bytes, batch, observed, now, class) in chapters {
            let wanted = with_class(objects(&world(&bytes)), class);
            for steps in changes(&held, &wanted).chunks(batch) {
                for step in steps {
                    take(&mut held, step);
                }
                session.check(&held, observed, now)?;
            }
        }
    }
}

/// The golden inputs one after the other, each reached step by step from the one before.
#[test]
fn a_walk_through_the_golden_inputs_goes_where_they_are() {
    let mut session = Session::new();
    let mut held = Objects::default();
    for wanted in goldens() {
        for steps in changes(&held, &wanted).chunks(3) {
            for step in steps {
                take(&mut held, step);
            }
            session.check(&held, Observed::All, NOW).expect("equal");
        }
        assert!(held == wanted);
    }
}

/// In worlds where everything hangs together, whoever looked at an object must notice that it went
/// or came back, and that alone.
#[test]
fn each_object_of_the_golden_inputs_may_go_and_come_back() {
    for mut held in goldens() {
        let mut session = Session::new();
        let check = |session: &mut Session, held: &Objects| {
            session.check(held, Observed::All, NOW).expect("equal");
        };
        check(&mut session, &held);
        for object in held.iter().collect::<Vec<_>>() {
            held.remove(object.kind(), &object.key());
            check(&mut session, &held);
            held.insert(object);
            check(&mut session, &held);
        }
    }
}

fn goldens() -> Vec<Objects> {
    let list = |path| {
        let entries = std::fs::read_dir(path).expect("a folder");
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort();
        paths
    };
    let topics = list(folder("golden"))
        .into_iter()
        .filter(|path| path.is_dir());
    let worlds = topics.flat_map(|topic| {
        let base = std::fs::read_to_string(topic.join("_base.yaml")).unwrap_or_default();
        let inputs = list(topic).into_iter();
        let inputs = inputs.filter(|path| path.to_string_lossy().ends_with(".in.yaml"));
        inputs.map(move |path| {
            let objects = [base.clone(), text(&path)].into_iter();
            objects.flat_map(|text| read_unchecked(&text)).collect()
        })
    });
    worlds.collect()
}

#[test]
fn an_object_that_is_equal_but_not_the_same_changes_nothing() {
    let mut session = Session::new();
    for mut held in goldens().into_iter().take(20) {
        session.check(&held, Observed::All, NOW).expect("equal");
        let before = session.last.clone();
        let copies: Vec<AnyObject> = held.iter().map(|object| copy(&object)).collect();
        held.extend(copies);
        session.check(&held, Observed::All, NOW).expect("equal");
        let mut changes = session.last.gateways.changes_since(&before.gateways);
        assert!(changes.next().is_none());
    }
}

/// The same object elsewhere in memory.
fn copy(object: &AnyObject) -> AnyObject {
    match object {
        AnyObject::GatewayClass(object) => GatewayClass::clone(object).into(),
        AnyObject::Gateway(object) => portcullis_api::Gateway::clone(object).into(),
        AnyObject::HttpRoute(object) => portcullis_api::HttpRoute::clone(object).into(),
        other => other.clone(),
    }
}
