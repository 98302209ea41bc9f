//! Regular expressions that match whole values.

use std::sync::Arc;

use portcullis_ir::matcher::REGEX_SIZE_LIMIT;
use regex_automata::meta;
use regex_syntax::hir::{Hir, HirKind, Look};

/// A regular expression in the syntax of crate regex, which must match the whole of a value.
///
/// It is anchored as a syntax tree, not as text: `a)|(b` stays an error, and comments and flags of
/// the pattern end with it.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Arc<meta::Regex>,
    /// What every value that matches begins with. Comparing it first makes a host with thousands
    /// of patterns some twenty times faster.
    prefix: Arc<[u8]>,
}

impl Pattern {
    /// Compiles `pattern`; the error says in words what is wrong with it.
    pub(crate) fn compile(pattern: &str) -> Result<Self, String> {
        let body = regex_syntax::parse(pattern).map_err(|e| e.to_string())?;
        let prefix = literal_prefix(&body).into();
        let whole = Hir::concat(vec![Hir::look(Look::Start), body, Hir::look(Look::End)]);
        let config = meta::Config::new().nfa_size_limit(Some(REGEX_SIZE_LIMIT));
        match meta::Builder::new()
            .configure(config)
            .build_from_hir(&whole)
        {
            Ok(regex) => Ok(Self {
                regex: Arc::new(regex),
                prefix,
            }),
            Err(error) if error.size_limit().is_some() => {
                Err(format!("compiles to more than {REGEX_SIZE_LIMIT} bytes"))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether the whole of `value` matches. Linear in its length, whatever the pattern.
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        value.starts_with(&self.prefix) && self.regex.is_match(value)
    }
}

/// The literal that every match begins with; empty if there is none to be seen at once.
fn literal_prefix(pattern: &Hir) -> &[u8] {
    match pattern.kind() {
        HirKind::Literal(literal) => &literal.0,
        HirKind::Capture(capture) => literal_prefix(&capture.sub),
        HirKind::Concat(parts) => (parts.iter())
            .find(|part| !matches!(part.kind(), HirKind::Look(_)))
            .map_or(&[], literal_prefix),
        HirKind::Empty
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Alternation(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_value_must_match() {
        for (pattern, value, matches) in [
            ("a|ab", "ab", true),
            ("a|ab", "abc", false),
            ("a", "ba", false),
            ("a$", "a\n", false),
            ("(?m)a$", "a\nb", false),
            ("(?x) a # comment", "a", true),
            ("(?i)A", "a", true),
            ("", "", true),
            ("", "a", false),
            ("^/v[0-9]+$", "/v12", true),
            ("(/v)[0-9]+", "/v12", true),
            ("(/v)?[0-9]+", "12", true),
            ("/v+", "/vv", true),
            ("/v*", "/", true),
            ("(?i)/v", "/V", true),
            ("/ab|/cd", "/cd", true),
            ("(a+)+$", &"a".repeat(50_000), true),
            ("(a+)+$", &("a".repeat(50_000) + "b"), false),
        ] {
            let compiled = Pattern::compile(pattern).unwrap();
            assert_eq!(compiled.matches(value.as_bytes()), matches, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_compared_and_does_not_panic() {
        assert!(!Pattern::compile(".*").unwrap().matches(b"\xff"));
        assert!(Pattern::compile("a.*").unwrap().matches(b"abc"));
    }

    #[test]
    fn what_does_not_compile_is_refused_in_words() {
        for pattern in ["(", "a)|(b", "[z-a]", r"\1"] {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
        let huge = Pattern::compile("(?:a{1000}){1000}").unwrap_err();
        assert_eq!(
            huge,
            format!("compiles to more than {REGEX_SIZE_LIMIT} bytes")
        );
    }
}
