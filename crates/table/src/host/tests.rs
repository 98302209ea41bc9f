use super::*;

fn map(patterns: &[&str]) -> HostMap<String> {
    let mut map = HostMap::default();
    for text in patterns {
        let pattern = HostPattern::parse(text).unwrap();
        map.insert_new(&pattern, pattern.to_string());
    }
    map
}

#[test]
fn port_case_and_final_dot_do_not_count() {
    for (sent, read) in [
        ("example.com", "example.com"),
        ("example.com:8443", "example.com"),
        ("example.com.", "example.com"),
        ("Example.COM:80", "example.com"),
        ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]"),
        ("", ""),
        (":80", ""),
    ] {
        assert_eq!(Host::new(sent).as_str(), read, "{sent}");
    }
    assert_eq!(Host::new(&"a".repeat(254)).as_str(), "");
    assert_eq!(Host::new(&"A".repeat(253)).as_str(), "a".repeat(253));
}

#[test]
fn exact_comes_before_longer_wildcard_before_shorter_before_any() {
    let map = map(&["", "*.com", "*.example.com", "a.example.com"]);
    let matching = |host: &str| map.matching(host).cloned().collect::<Vec<_>>();
    assert_eq!(
        matching("a.example.com"),
        ["a.example.com", "*.example.com", "*.com", "*"]
    );
    assert_eq!(matching("b.a.example.com"), ["*.example.com", "*.com", "*"]);
    assert_eq!(matching("example.com"), ["*.com", "*"]);
    assert_eq!(matching("com"), ["*"]);
    assert_eq!(matching(""), ["*"]);
}

#[test]
fn wildcards_agree_with_the_pattern_itself() {
    for pattern in ["*.com", "*.example.com"] {
        let map = map(&[pattern]);
        let pattern = HostPattern::parse(pattern).unwrap();
        for host in [
            "com",
            ".com",
            "a.com",
            "a..com",
            "..com",
            ".example.com",
            "x.example.com",
            "..example.com",
        ] {
            let found = map.most_specific(&Host(Text::AsSent(host))).is_some();
            assert_eq!(found, pattern.matches(host), "{pattern} {host}");
        }
    }
}
