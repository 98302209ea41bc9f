//! Where a head ends.

use memchr::memchr;

/// Looks for the empty line that ends a head, or a trailer section, in bytes that come piece by
/// piece. No byte is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    /// Where the line under way begins.
    line: usize,
    /// Up to where there is no line feed.
    seen: usize,
}

/// A line that ends otherwise than by CR LF.
///
/// "a recipient MAY recognize a single LF as a line terminator and ignore any preceding CR" (RFC
/// 9112 section 2.2): we do not, since those who do see other lines than those who do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BareLineFeed;

impl HeadScan {
    /// How long the head is, its empty line included; `None` if it goes on behind `bytes`, which
    /// are all that came of it so far.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, BareLineFeed> {
        while let Some(rest) = bytes.get(self.seen..) {
            let Some(length) = memchr(b'\n', rest) else {
                break;
            };
            let feed = self.seen + length;
            let line = bytes.get(self.line..feed).unwrap_or_default();
            let Some((b'\r', line)) = line.split_last() else {
                return Err(BareLineFeed);
            };
            self.line = feed + 1;
            self.seen = feed + 1;
            if line.is_empty() {
                let end = self.seen;
                *self = Self::default();
                return Ok(Some(end));
            }
        }
        self.seen = bytes.len();
        Ok(None)
    }

    /// Whether the first line is complete.
    pub(crate) fn has_line(&self) -> bool {
        self.line > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_empty_line_however_it_comes() {
        let head = b"GET / HTTP/1.1\r\na: b\r\n\r\n";
        let bytes = [&head[..], b"body\r\n\r\n"].concat();
        assert_eq!(HeadScan::default().find(&bytes), Ok(Some(head.len())));
        let mut scan = HeadScan::default();
        for end in 0..head.len() {
            assert_eq!(scan.find(&bytes[..end]), Ok(None), "{end}");
            assert_eq!(scan.has_line(), end >= 16, "{end}");
        }
        assert_eq!(scan.find(&bytes), Ok(Some(head.len())));
        // And it is ready for the next.
        assert_eq!(scan.find(b"\r\n"), Ok(Some(2)));
    }

    #[test]
    fn lines_end_with_both_characters() {
        for bytes in [
            &b"\n"[..],
            b"GET / HTTP/1.1\n\n",
            b"GET / HTTP/1.1\r\n\n",
            b"GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n",
        ] {
            assert_eq!(HeadScan::default().find(bytes), Err(BareLineFeed));
        }
    }
}
