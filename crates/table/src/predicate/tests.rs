use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                value.parse::<HeaderValue>().unwrap(),
            )
        })
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

#[test]
fn repeated_headers_count_as_one_joined_by_commas() {
    struct Case(&'static [(&'static str, &'static str)], &'static str, bool);
    for Case(sent, expected, holds) in [
        Case(&[("a", "1")], "1", true),
        Case(&[("A", "1")], "1", true),
        Case(&[("a", "1"), ("a", "2")], "1,2", true),
        Case(&[("a", "1"), ("a", "2")], "1", false),
        Case(&[("a", "1"), ("a", "2")], "2", false),
        Case(&[("a", "1"), ("a", "2")], "1,2,3", false),
        Case(&[("a", "1"), ("b", "2")], "1", true),
        Case(&[("a", "1,2")], "1,2", true),
        Case(&[("a", "")], "", true),
        Case(&[("b", "1")], "", false),
        Case(&[("a", "1"), ("a", "")], "1,", true),
    ] {
        let sent = headers(sent);
        let name = HeaderName::from_static("a");
        let exact = HeaderPredicate {
            name: name.clone(),
            value: HeaderCondition::Exact(HeaderValue::from_static(expected)),
        };
        let regex = HeaderPredicate {
            name,
            value: HeaderCondition::Regex(Pattern::compile(expected).unwrap()),
        };
        assert_eq!(exact.holds(&sent), holds, "{sent:?} {expected}");
        assert_eq!(regex.holds(&sent), holds, "{sent:?} ~ {expected}");
    }
}

#[test]
fn the_first_value_of_a_query_parameter_counts() {
    struct Case(&'static str, &'static str, Option<&'static str>);
    for Case(query, name, value) in [
        Case("a=1", "a", Some("1")),
        Case("a=1&a=2", "a", Some("1")),
        Case("b=1&a=2", "a", Some("2")),
        Case("a", "a", Some("")),
        Case("a=", "a", Some("")),
        Case("a=1=2", "a", Some("1=2")),
        Case("A=1", "a", None),
        Case("", "a", None),
        Case("aa=1", "a", None),
        Case("%61=%31", "a", Some("1")),
        Case("a+b=c+d%2B", "a b", Some("c d+")),
        Case("a=%zz&a=2", "a", Some("2")),
        Case("a=%4&a=2", "a", Some("2")),
        Case("a%=1&a=2", "a", Some("2")),
        Case("a=1;b=2&a=3", "a", Some("3")),
        Case("a=%C3%A9", "a", Some("é")),
    ] {
        let found = first_value(query, name).map(|v| decoded(v).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), value.map(str::as_bytes), "{query} {name}");
    }
}

#[test]
fn a_query_value_is_compared_decoded() {
    let holds = |value, query| {
        QueryPredicate {
            name: "q".into(),
            value,
        }
        .holds(query)
    };
    let regex = |text| QueryCondition::Regex(Pattern::compile(text).unwrap());
    assert!(holds(QueryCondition::Exact("a b".into()), "q=a+b"));
    assert!(!holds(QueryCondition::Exact("a b".into()), "q=a+bc"));
    assert!(holds(regex("a b"), "q=a%20b"));
    assert!(holds(regex("[0-9]+"), "x=y&q=123"));
    assert!(!holds(regex("[0-9]+"), "q=123x"));
    assert!(!holds(regex(".*"), "x=y"));
}
