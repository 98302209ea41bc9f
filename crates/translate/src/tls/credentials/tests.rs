use portcullis_api::{ObjectMeta, Objects};

use super::super::tests::fixture;
use super::*;
use crate::tls::bundles::Store;
use crate::world::Index;

/// 2040-01-01T00:00:00Z and 2050-01-01T00:00:00Z, between which `future.crt` is valid.
const BEGIN: i64 = 2_208_988_800;
const END: i64 = 2_524_608_000;

fn reading(now: i64) -> (Option<Certificate>, Option<i64>) {
    let entry = |key: &str, file: &str| {
        let text = String::from_utf8(fixture(file)).unwrap();
        (key.to_owned(), text)
    };
    let mut objects = Objects::default();
    objects.insert(Secret {
        metadata: ObjectMeta {
            namespace: Some("default".to_owned()),
            name: Some("cert".to_owned()),
            ..ObjectMeta::default()
        },
        string_data: Some([entry("tls.crt", "future.crt"), entry("tls.key", "p256.key")].into()),
        ..Secret::default()
    });
    let index = Index::default();
    let world = World::new(&objects, &index);
    let mut credentials = Credentials::new(&world, Known::default(), now);
    let certificate = credentials.pair(&ObjectKey::new("default", "cert"));
    (certificate, credentials.take_recheck_at())
}

#[test]
fn the_next_look_is_when_a_certificate_begins_or_has_ended() {
    for (now, usable, next) in [
        (BEGIN - 1, false, Some(BEGIN)),
        (BEGIN, true, Some(END + 1)),
        (END, true, Some(END + 1)),
        (END + 1, false, None),
    ] {
        let (certificate, recheck_at) = reading(now);
        let is_usable = matches!(certificate, Some(Certificate::Usable(_)));
        assert_eq!((is_usable, recheck_at), (usable, next), "at {now}");
    }
}

#[test]
fn a_secret_that_is_not_there_is_neither_good_nor_bad() {
    let objects = Objects::default();
    let index = Index::default();
    let world = World::new(&objects, &index);
    let mut credentials = Credentials::new(&world, Known::default(), BEGIN);
    assert_eq!(credentials.pair(&ObjectKey::new("default", "cert")), None);
    assert_eq!(
        world.bundle(Store::ConfigMap, &ObjectKey::new("default", "ca")),
        None
    );
}
