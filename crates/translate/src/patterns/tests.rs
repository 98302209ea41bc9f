use super::*;

fn refused(pattern: &str) -> BadPattern {
    Patterns::default().regex(pattern).unwrap_err()
}

#[test]
fn patterns_that_explode_elsewhere_are_served() {
    for pattern in ["(a+)+$", "(a|aa)+b", "(.*)*x", r"/v\d+(/.*)?", "^/a$", ""] {
        assert_eq!(Patterns::default().regex(pattern).unwrap(), pattern);
    }
}

#[test]
fn a_pattern_that_does_not_compile_is_refused_with_the_parser_s_words() {
    for (pattern, words) in [
        ("(", "unclosed group"),
        ("a)(b", "unopened group"),
        ("[z-a]", "invalid character class range"),
        ("a{2,1}", "invalid repetition count range"),
        ("(?=x)", "look-around"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?x)a # comment", "unclosed group"),
    ] {
        let BadPattern::Syntax { why, .. } = refused(pattern) else {
            panic!("{pattern}: not a syntax error");
        };
        assert!(why.contains(words), "{pattern}: {why}");
        assert!(!why.contains('\n'), "{pattern}: {why}");
    }
}

#[test]
fn a_pattern_that_takes_too_much_memory_is_refused() {
    for pattern in [r"\w{1000}{1000}", "((a{100}){100}){100}"] {
        assert!(
            matches!(refused(pattern), BadPattern::TooBig { .. }),
            "{pattern}"
        );
    }
}

#[test]
fn header_names_are_lowered_and_bad_ones_refused() {
    assert_eq!(header_name("X-Version").unwrap().as_str(), "x-version");
    for name in ["", ":method", "/invalid", "a b", "ä"] {
        assert!(header_name(name).is_err(), "{name}");
    }
    assert!(header_value("a\r\nb: c").is_err());
    assert!(header_value("tab\tand space").is_ok());
}
