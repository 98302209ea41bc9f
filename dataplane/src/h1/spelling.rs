//! The case in which the names of a message's fields came.
//!
//! A field's value is a slice of the head that it came in, and its name stands before it: that is
//! where its spelling is found, without a table of names. Only for values that were replaced
//! meanwhile, and for empty ones, which have no place, are the lines searched.

use http::{HeaderName, HeaderValue};
use memchr::memchr;

/// How many names of one head are searched for; what is beyond is written in lower case. Bounds
/// what a head of empty values costs.
const SEARCHES: usize = 16;

/// Finds out how names were spelled while a head is written.
#[derive(Debug)]
pub(crate) struct Speller<'a> {
    /// Field lines as they came.
    lines: &'a [u8],
    searches: usize,
}

impl<'a> Speller<'a> {
    /// For fields that came in `lines`, which may be empty.
    pub(crate) fn new(lines: &'a [u8]) -> Self {
        let searches = if lines.is_empty() { 0 } else { SEARCHES };
        Self { lines, searches }
    }

    /// How to write `name`, whose value is `value`.
    pub(crate) fn spell<'n>(&mut self, name: &'n HeaderName, value: &HeaderValue) -> &'n [u8]
    where
        'a: 'n,
    {
        if self.lines.is_empty() {
            return name.as_str().as_bytes();
        }
        self.before(name, value.as_bytes())
            .or_else(|| self.search(name))
            .unwrap_or(name.as_str().as_bytes())
    }

    fn before(&self, name: &HeaderName, value: &[u8]) -> Option<&'a [u8]> {
        let at = value.as_ptr().addr();
        let at = at.checked_sub(self.lines.as_ptr().addr())?;
        let before = self.lines.get(..at)?;
        let before = before.trim_ascii_end().strip_suffix(b":")?;
        let start = before.len().checked_sub(name.as_str().len())?;
        before.get(start..).filter(|spelled| is(spelled, name))
    }

    fn search(&mut self, name: &HeaderName) -> Option<&'a [u8]> {
        self.searches = self.searches.checked_sub(1)?;
        let length = name.as_str().len();
        let mut lines = self.lines;
        while let Some(end) = memchr(b'\n', lines) {
            if lines.get(length) == Some(&b':')
                && let Some(spelled) = lines.get(..length).filter(|spelled| is(spelled, name))
            {
                return Some(spelled);
            }
            lines = lines.get(end + 1..)?;
        }
        None
    }
}

fn is(spelled: &[u8], name: &HeaderName) -> bool {
    spelled.eq_ignore_ascii_case(name.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header;

    use super::*;

    const LINES: &[u8] = b"HOST:a\r\nX-Empty:\r\nx-Up: \t b\r\nX-uP: c\r\n\r\n";

    fn value(lines: &Bytes, text: &[u8]) -> HeaderValue {
        let at = memchr::memmem::find(lines, text).unwrap();
        HeaderValue::from_maybe_shared(lines.slice(at..at + text.len())).unwrap()
    }

    #[test]
    fn a_field_has_the_name_before_its_value() {
        let lines = Bytes::from_static(LINES);
        let up = HeaderName::from_static("x-up");
        let cases = [
            (header::HOST, value(&lines, b"a"), "HOST"),
            (up.clone(), value(&lines, b"b"), "x-Up"),
            (up.clone(), value(&lines, b"c"), "X-uP"),
            (up, HeaderValue::from_static("new"), "x-Up"),
            (header::HOST, value(&lines, b"c"), "HOST"),
            (
                HeaderName::from_static("x-empty"),
                HeaderValue::from_static(""),
                "X-Empty",
            ),
            (header::DATE, HeaderValue::from_static("now"), "date"),
        ];
        let mut speller = Speller::new(&lines);
        for (name, value, expected) in &cases {
            assert_eq!(speller.spell(name, value), expected.as_bytes());
        }
        let mut none = Speller::new(b"");
        assert_eq!(none.spell(&cases[0].0, &cases[0].1), b"host");
    }

    #[test]
    fn not_every_name_is_searched_for() {
        let lines = Bytes::from_static(LINES);
        let mut speller = Speller::new(&lines);
        let empty = HeaderValue::from_static("");
        let name = HeaderName::from_static("x-empty");
        for _ in 0..SEARCHES {
            assert_eq!(speller.spell(&name, &empty), b"X-Empty");
        }
        assert_eq!(speller.spell(&name, &empty), b"x-empty");
    }
}
