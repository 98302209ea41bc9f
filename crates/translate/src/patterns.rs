//! Regular expressions and header names: what is refused here never reaches a data plane.
//!
//! The dialect is that of the `regex` crate (RE2-like): no look-around and no backreferences.
//! Matching takes time linear in the input whatever the pattern, so `(a+)+$` is harmless; what a
//! pattern may cost is memory, and that is bounded by [`portcullis_ir::matcher::REGEX_SIZE_LIMIT`].

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use portcullis_ir::matcher::REGEX_SIZE_LIMIT;
use regex::RegexBuilder;

/// Why a pattern, name or value is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// The regular expression does not parse.
    #[error(
        "{pattern:?} is not a regular expression (RE2 syntax without look-around or backreferences): {why}"
    )]
    Syntax {
        /// As the user wrote it.
        pattern: String,
        /// The parser's words, on one line.
        why: String,
    },
    /// The compiled expression would be too big.
    #[error(
        "{pattern:?} compiles to more than {REGEX_SIZE_LIMIT} bytes; make its repetitions smaller"
    )]
    TooBig {
        /// As the user wrote it.
        pattern: String,
    },
    /// Not a header name by RFC 9110.
    #[error("{0:?} is not a header name")]
    HeaderName(String),
    /// Not a header value by RFC 9110.
    #[error("{0:?} is not a header value")]
    HeaderValue(String),
}

/// Regular expressions judged so far. Compiling one is dear, and routes repeat them.
#[derive(Debug, Default)]
pub(crate) struct Patterns(BTreeMap<String, Result<(), BadPattern>>);

impl Patterns {
    /// Whether `pattern` can be served; gives it back.
    pub(crate) fn regex(&mut self, pattern: &str) -> Result<String, BadPattern> {
        if let Some(verdict) = self.0.get(pattern) {
            return verdict.clone().map(|()| pattern.to_owned());
        }
        let verdict = check_regex(pattern);
        self.0.insert(pattern.to_owned(), verdict.clone());
        verdict.map(|()| pattern.to_owned())
    }
}

fn check_regex(pattern: &str) -> Result<(), BadPattern> {
    // Alone, so that unbalanced groups do not pass; then as data planes compile it, anchored.
    compile(pattern, pattern)?;
    compile(pattern, &anchored(pattern))
}

/// `pattern` as it must match: "the whole path", not a part of it.
fn anchored(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

fn compile(pattern: &str, compiled: &str) -> Result<(), BadPattern> {
    let pattern = pattern.to_owned();
    match RegexBuilder::new(compiled)
        .size_limit(REGEX_SIZE_LIMIT)
        .build()
    {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => Err(BadPattern::TooBig { pattern }),
        Err(error) => Err(BadPattern::Syntax {
            pattern,
            why: one_line(&error.to_string()),
        }),
    }
}

/// The parser draws the pattern with a caret below; a status message has one line, and it ends in
/// what matters: `error: unclosed group`.
fn one_line(drawing: &str) -> String {
    let last = drawing.lines().last().unwrap_or(drawing).trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Parses a header name; names compare case-insensitively, so it comes back in lower case.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, BadPattern> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| BadPattern::HeaderName(name.to_owned()))
}

/// Parses a header value.
pub(crate) fn header_value(value: &str) -> Result<HeaderValue, BadPattern> {
    HeaderValue::from_str(value).map_err(|_| BadPattern::HeaderValue(value.to_owned()))
}

#[cfg(test)]
mod tests;
