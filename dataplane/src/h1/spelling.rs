//! The lines in which the fields of a message came.
//!
//! A field's value is a slice of the head that it came in, and its name stands before it: that is
//! where its spelling is found, without a table of names. A line whose field is still as it came is
//! written as it came. Only for values that were replaced meanwhile, and for empty ones, which have
//! no place, are the lines searched.

use std::ops::Range;

use http::{HeaderName, HeaderValue};
use memchr::memchr;

/// How many names of one head are searched for; what is beyond is written in lower case. Bounds
/// what a head of empty values costs.
const SEARCHES: usize = 16;

/// Finds where fields came while a head is written.
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

    /// What came at `place`.
    pub(crate) fn lines(&self, place: Range<usize>) -> &'a [u8] {
        self.lines.get(place).unwrap_or_default()
    }

    /// Where the line of a field is that is as it came.
    pub(crate) fn line_of(&self, name: &HeaderName, value: &HeaderValue) -> Option<Range<usize>> {
        let at = self.place_of(value)?;
        let end = at + value.len();
        let rest = self.lines.get(end..)?;
        let start = self.name_before(name, at)?.start;
        rest.starts_with(b"\r\n").then_some(start..end + 2)
    }

    /// How to write `name`, whose value is `value`.
    pub(crate) fn spell<'n>(&mut self, name: &'n HeaderName, value: &HeaderValue) -> &'n [u8]
    where
        'a: 'n,
    {
        let before = (self.place_of(value)).and_then(|at| self.name_before(name, at));
        match before {
            Some(place) => self.lines(place),
            None => self.search(name).unwrap_or(name.as_str().as_bytes()),
        }
    }

    fn place_of(&self, value: &HeaderValue) -> Option<usize> {
        let at = value.as_bytes().as_ptr().addr();
        let at = at.checked_sub(self.lines.as_ptr().addr())?;
        (at < self.lines.len()).then_some(at)
    }

    /// The name of the line in which something stands at `at`, if that is `name`.
    fn name_before(&self, name: &HeaderName, at: usize) -> Option<Range<usize>> {
        let name = name.as_str().as_bytes();
        let mut end = at;
        while matches!(self.lines.get(end.checked_sub(1)?), Some(b' ' | b'\t')) {
            end -= 1;
        }
        end = end.checked_sub(1)?;
        let start = end.checked_sub(name.len())?;
        let begins_line = start == 0 || self.lines.get(start - 1) == Some(&b'\n');
        let spelled = self.lines.get(start..end)?;
        let is_name = self.lines.get(end) == Some(&b':') && begins_line && is(spelled, name);
        is_name.then_some(start..end)
    }

    fn search(&mut self, name: &HeaderName) -> Option<&'a [u8]> {
        self.searches = self.searches.checked_sub(1)?;
        let name = name.as_str().as_bytes();
        // We write these ourselves to every request.
        if name.starts_with(b"x-forwarded-") {
            return None;
        }
        let mut lines = self.lines;
        while let Some(end) = memchr(b'\n', lines) {
            if lines.get(name.len()) == Some(&b':')
                && let Some(spelled) = lines.get(..name.len()).filter(|spelled| is(spelled, name))
            {
                return Some(spelled);
            }
            lines = lines.get(end + 1..)?;
        }
        None
    }
}

/// Whether `spelled` is `name` but for its case. Takes `^` for `~` too, which is harmless: both are
/// names of fields, and it is `spelled` that came.
fn is(spelled: &[u8], name: &[u8]) -> bool {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let lower = |eight: &[u8; 8]| u64::from_ne_bytes(*eight) | LOWER;
    let eight = |one, other| lower(one) == lower(other);
    if spelled.len() != name.len() {
        return false;
    }
    // The last eight may begin within those before them.
    let (Some(last), Some(name_last)) = (spelled.last_chunk(), name.last_chunk()) else {
        return is_short(spelled, name);
    };
    let (mut rest, mut name_rest) = (spelled, name);
    while let (Some((one, more)), Some((other, name_more))) =
        (rest.split_first_chunk(), name_rest.split_first_chunk())
    {
        if !eight(one, other) {
            return false;
        }
        (rest, name_rest) = (more, name_more);
    }
    eight(last, name_last)
}

/// The same of less than eight bytes.
fn is_short(spelled: &[u8], name: &[u8]) -> bool {
    const LOWER: u32 = 0x2020_2020;
    let lower = |four: &[u8; 4]| u32::from_ne_bytes(*four) | LOWER;
    let ends = |text: &[u8]| Some((lower(text.first_chunk()?), lower(text.last_chunk()?)));
    match (ends(spelled), ends(name)) {
        (Some(ends), Some(name_ends)) => ends == name_ends,
        _ => spelled.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header;

    use super::*;

    const LINES: &[u8] = b"HOST:a\r\nX-Empty:\r\nx-Up: \t b\r\nX-uP: c\r\nUp: d \r\n\r\n";

    fn value(lines: &Bytes, text: &[u8]) -> HeaderValue {
        let at = memchr::memmem::find(lines, text).unwrap() + text.len() - 1;
        HeaderValue::from_maybe_shared(lines.slice(at..=at)).unwrap()
    }

    #[test]
    fn a_field_has_the_name_before_its_value() {
        let lines = Bytes::from_static(LINES);
        let up = HeaderName::from_static("x-up");
        let cases = [
            (
                header::HOST,
                value(&lines, b":a"),
                "HOST",
                Some("HOST:a\r\n"),
            ),
            (
                up.clone(),
                value(&lines, b" b"),
                "x-Up",
                Some("x-Up: \t b\r\n"),
            ),
            (
                up.clone(),
                value(&lines, b" c"),
                "X-uP",
                Some("X-uP: c\r\n"),
            ),
            (
                HeaderName::from_static("up"),
                value(&lines, b" d"),
                "Up",
                None,
            ),
            (up, HeaderValue::from_static("new"), "x-Up", None),
            (header::HOST, value(&lines, b" c"), "HOST", None),
            // A value that was put under a name with the same end.
            (
                HeaderName::from_static("up"),
                value(&lines, b" b"),
                "Up",
                None,
            ),
            (
                HeaderName::from_static("x-empty"),
                HeaderValue::from_static(""),
                "X-Empty",
                None,
            ),
            (header::DATE, HeaderValue::from_static("now"), "date", None),
        ];
        let mut speller = Speller::new(&lines);
        for (name, value, expected, line) in &cases {
            assert_eq!(speller.spell(name, value), expected.as_bytes());
            let seen = speller
                .line_of(name, value)
                .map(|place| speller.lines(place));
            assert_eq!(seen, line.map(str::as_bytes), "{name}");
        }
        let mut none = Speller::new(b"");
        assert_eq!(none.spell(&cases[0].0, &cases[0].1), b"host");
        assert_eq!(none.line_of(&cases[0].0, &cases[0].1), None);
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

    #[test]
    fn names_are_compared_whatever_their_length() {
        let long = "abcdefghijklmnopqrstuvwxyz-0123456789";
        for length in 0..long.len() {
            let name = &long[..length];
            assert!(is(name.to_uppercase().as_bytes(), name.as_bytes()));
            for at in 0..length {
                let mut other = name.as_bytes().to_vec();
                other[at] = b'!';
                assert!(!is(&other, name.as_bytes()));
            }
        }
    }
}
