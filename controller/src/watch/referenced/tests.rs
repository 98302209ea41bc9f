use super::*;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

fn keys(names: &[&str]) -> BTreeSet<ObjectKey> {
    names.iter().map(|name| key(name)).collect()
}

fn version(version: &str) -> Told {
    Told::Version(version.to_owned())
}

fn due(wanted: &mut Wanted) -> Vec<String> {
    std::iter::from_fn(|| wanted.next_due())
        .map(|key| key.name.to_string())
        .collect()
}

/// One object that is wanted, and told in version 1.
fn wanted() -> Wanted {
    let mut wanted = Wanted::default();
    wanted.want(&keys(&["a"]));
    assert_eq!(due(&mut wanted), ["a"]);
    assert_eq!(wanted.fetched(&key("a"), Some(version("1"))), News::Tell);
    wanted
}

#[test]
fn what_is_wanted_is_fetched_once() {
    let mut wanted = wanted();
    wanted.want(&keys(&["a", "b"]));
    assert_eq!(due(&mut wanted), ["b"]);
    assert_eq!(due(&mut wanted), Vec::<String>::new());
}

#[test]
fn changes_of_what_is_not_wanted_cost_nothing() {
    let mut wanted = wanted();
    wanted.seen(&key("z"), Some("9"));
    wanted.seen(&key("a"), Some("1"));
    assert_eq!(due(&mut wanted), Vec::<String>::new());
}

#[test]
fn a_change_is_fetched_and_told() {
    let mut wanted = wanted();
    wanted.seen(&key("a"), Some("2"));
    assert_eq!(due(&mut wanted), ["a"]);
    assert_eq!(wanted.fetched(&key("a"), Some(version("2"))), News::Tell);
    wanted.seen(&key("a"), None);
    assert_eq!(due(&mut wanted), ["a"]);
    assert_eq!(wanted.fetched(&key("a"), Some(Told::Missing)), News::Tell);
}

#[test]
fn that_there_is_none_is_an_answer_too() {
    let mut wanted = Wanted::default();
    wanted.want(&keys(&["a"]));
    assert_eq!(due(&mut wanted), ["a"]);
    assert_eq!(wanted.fetched(&key("a"), Some(Told::Missing)), News::Tell);
    wanted.seen(&key("a"), None);
    assert_eq!(due(&mut wanted), Vec::<String>::new());
}

#[test]
fn a_change_during_a_fetch_is_fetched_again() {
    let mut wanted = wanted();
    wanted.seen(&key("a"), Some("2"));
    assert_eq!(due(&mut wanted), ["a"]);
    wanted.seen(&key("a"), Some("3"));
    assert_eq!(due(&mut wanted), Vec::<String>::new());
    // The fetch may have been late enough to have seen version 3 already.
    assert_eq!(wanted.fetched(&key("a"), Some(version("3"))), News::Tell);
    assert_eq!(due(&mut wanted), ["a"]);
    assert_eq!(wanted.fetched(&key("a"), Some(version("3"))), News::None);
    assert_eq!(due(&mut wanted), Vec::<String>::new());
}

#[test]
fn a_failed_fetch_is_due_again() {
    let mut wanted = Wanted::default();
    wanted.want(&keys(&["a"]));
    assert_eq!(due(&mut wanted), ["a"]);
    assert_eq!(wanted.fetched(&key("a"), None), News::None);
    assert_eq!(due(&mut wanted), ["a"]);
}

#[test]
fn what_is_wanted_no_more_is_forgotten_and_answered_anew_later() {
    let mut wanted = wanted();
    wanted.want(&keys(&[]));
    wanted.seen(&key("a"), Some("2"));
    assert_eq!(due(&mut wanted), Vec::<String>::new());
    wanted.want(&keys(&["a"]));
    assert_eq!(due(&mut wanted), ["a"]);
    assert_eq!(wanted.fetched(&key("a"), Some(version("2"))), News::Tell);
}
