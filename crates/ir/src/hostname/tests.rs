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
