use super::*;

fn pattern(text: &str) -> HostPattern {
    HostPattern::parse(text).unwrap()
}

#[test]
fn wildcard_matches_one_or_more_labels_but_not_the_suffix_itself() {
    let wildcard = pattern("*.example.com");
    assert!(wildcard.matches("test.example.com"));
    assert!(wildcard.matches("foo.test.example.com"));
    assert!(!wildcard.matches("example.com"));
    assert!(!wildcard.matches(".example.com"));
    assert!(!wildcard.matches("badexample.com"));
}

#[test]
fn intersection_is_the_more_specific_of_two_that_overlap() {
    struct Case(&'static str, &'static str, Option<&'static str>);
    for Case(a, b, common) in [
        Case("", "", Some("")),
        Case("", "a.example.com", Some("a.example.com")),
        Case("*.example.com", "a.example.com", Some("a.example.com")),
        Case("*.example.com", "*.b.example.com", Some("*.b.example.com")),
        Case("*.example.com", "example.com", None),
        Case("*.example.com", "a.example.net", None),
        Case("a.example.com", "b.example.com", None),
    ] {
        let expected = common.map(pattern);
        assert_eq!(pattern(a).intersection(&pattern(b)), expected, "{a} {b}");
        assert_eq!(pattern(b).intersection(&pattern(a)), expected, "{b} {a}");
    }
}

#[test]
fn more_specific_patterns_sort_first() {
    let mut patterns = ["", "*.com", "a.com", "*.example.com", "long.example.com"].map(pattern);
    patterns.sort();
    let texts = patterns.map(|p| p.to_string());
    assert_eq!(
        texts,
        ["long.example.com", "a.com", "*.example.com", "*.com", "*"]
    );
}

#[test]
fn what_is_no_hostname_is_refused() {
    for text in [
        "10.0.0.1",
        "*.10.0.0.1x_",
        "*",
        "a.*.com",
        "-a.com",
        "a..com",
        "a_b.com",
        "*.",
    ] {
        assert!(HostPattern::parse(text).is_err(), "{text}");
    }
    assert!(matches!(
        HostPattern::parse("127.0.0.1"),
        Err(InvalidHostname::IpAddress(_))
    ));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        proptest::collection::vec(proptest::sample::select(vec!["a", "b", "com"]), 1..4)
            .prop_map(|labels| labels.join("."))
    }

    fn any_pattern() -> impl Strategy<Value = HostPattern> {
        prop_oneof![
            Just(String::new()),
            name(),
            name().prop_map(|name| format!("*.{name}")),
        ]
        .prop_map(|text| pattern(&text))
    }

    proptest! {
        #[test]
        fn intersection_commutes(a in any_pattern(), b in any_pattern()) {
            prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        }

        #[test]
        fn intersection_matches_what_both_match(
            a in any_pattern(), b in any_pattern(), host in name(),
        ) {
            let common = a.intersection(&b);
            let by_common = common.is_some_and(|common| common.matches(&host));
            prop_assert_eq!(by_common, a.matches(&host) && b.matches(&host));
        }

        #[test]
        fn intersection_is_associative_and_idempotent(
            a in any_pattern(), b in any_pattern(), c in any_pattern(),
        ) {
            let left = a.intersection(&b).and_then(|ab| ab.intersection(&c));
            let right = b.intersection(&c).and_then(|bc| a.intersection(&bc));
            prop_assert_eq!(left, right);
            prop_assert_eq!(a.intersection(&a), Some(a));
        }

        #[test]
        fn of_two_patterns_of_one_host_the_more_specific_sorts_first(
            a in any_pattern(), b in any_pattern(), host in name(),
        ) {
            if a.matches(&host) && b.matches(&host) {
                let more_specific = a.clone().min(b.clone());
                prop_assert_eq!(a.intersection(&b), Some(more_specific));
            }
        }

        #[test]
        fn text_is_read_back(a in any_pattern()) {
            let text = if a == HostPattern::Any { String::new() } else { a.to_string() };
            prop_assert_eq!(HostPattern::parse(&text), Ok(a));
        }
    }
}
