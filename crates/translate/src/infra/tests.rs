use super::{label_value, object_name};

/// What Kubernetes takes as the name of a Service (RFC 1035).
fn is_label(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 63
        && chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[test]
fn names_that_fit_are_those_of_gep_1762() {
    assert_eq!(object_name("my-gateway", "example"), "my-gateway-example");
    assert_eq!(label_value("my.gateway"), "my.gateway");
}

#[test]
fn names_that_do_not_fit_are_changed_so_that_they_do() {
    let long = "a".repeat(253);
    let names = [
        "a.b",
        "a-b",
        "1a",
        "gw-1a",
        &long,
        &long[1..],
        &"a.".repeat(30),
        "9.9",
    ]
    .map(|gateway| object_name(gateway, "portcullis"));
    for name in &names {
        assert!(is_label(name), "{name}");
    }
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    // Names must stay what they are from one version to the next.
    assert_eq!(names[0], "a-b-portcullis-c3a4cb87a2");
    assert!(names[2].starts_with("gw-1a-portcullis-"), "{}", names[2]);
}

#[test]
fn label_values_of_long_names_are_short_and_distinct() {
    let long = "a".repeat(253);
    let (value, other) = (label_value(&long), label_value(&long[1..]));
    assert_eq!(value.len(), 63);
    assert_ne!(value, other);
    let dotted = format!("{}.{}", "a".repeat(51), "b".repeat(20));
    assert!(label_value(&dotted).starts_with(&format!("{}-", "a".repeat(51))));
}
