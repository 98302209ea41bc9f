//! Paths that backends could take for others: `/public/../private`.

/// Whether a segment of the path is `.` or `..`, in any spelling that some server reads so: dots and
/// separators percent-encoded, backslashes for separators, parameters behind the dots (`/..;a/`).
///
/// Clients resolve such segments before they send a path (RFC 3986 section 5.2.4, and every
/// browser). What is sent with them is meant to match one rule here and to be something else at the
/// backend; see `docs/adr/0014-paths.md`.
pub(super) fn has_dot_segment(path: &[u8]) -> bool {
    if memchr::memchr2(b'.', b'%', path).is_none() {
        return false;
    }
    let mut segment = Segment::Dots(0);
    let mut rest = path;
    while let Some((piece, after)) = piece(rest) {
        rest = after;
        segment = match (segment, piece) {
            (segment, Piece::Separator) if segment.is_dots() => return true,
            (_, Piece::Separator) => Segment::Dots(0),
            (Segment::Dots(dots), Piece::Dot) => Segment::Dots(dots.saturating_add(1)),
            (Segment::Dots(dots) | Segment::Parameters(dots), Piece::Semicolon)
            | (Segment::Parameters(dots), Piece::Dot | Piece::Other) => Segment::Parameters(dots),
            (Segment::Dots(_), Piece::Other) | (Segment::Other, _) => Segment::Other,
        };
    }
    segment.is_dots()
}

/// The segment as far as it is read.
#[derive(Clone, Copy)]
enum Segment {
    /// Nothing but so many dots.
    Dots(u8),
    /// So many dots, and parameters behind them.
    Parameters(u8),
    /// Something else.
    Other,
}

impl Segment {
    fn is_dots(self) -> bool {
        matches!(self, Self::Dots(1 | 2) | Self::Parameters(1 | 2))
    }
}

/// A byte of the path, percent-encoded or not.
#[derive(Clone, Copy)]
enum Piece {
    Separator,
    Dot,
    Semicolon,
    Other,
}

fn piece(path: &[u8]) -> Option<(Piece, &[u8])> {
    let (byte, rest) = match path {
        [b'%', high, low, rest @ ..] => match escaped(*high, *low) {
            Some(byte) => (byte, rest),
            None => (b'%', path.get(1..)?),
        },
        [byte, rest @ ..] => (*byte, rest),
        [] => return None,
    };
    let piece = match byte {
        b'/' | b'\\' => Piece::Separator,
        b'.' => Piece::Dot,
        b';' => Piece::Semicolon,
        _ => Piece::Other,
    };
    Some((piece, rest))
}

fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::has_dot_segment;

    #[test]
    fn dot_segments_are_found_in_every_spelling() {
        for path in [
            "/.",
            "/..",
            "/./a",
            "/../a",
            "/a/.",
            "/a/..",
            "/a/../b",
            "/a//../b",
            "/a/%2e%2E/b",
            "/a/.%2e/b",
            "/a/%2e",
            "/a/..%2fb",
            "/a%2F..%2Fb",
            "/a%2f.",
            "/a/..\\b",
            "/a\\..\\b",
            "/a/..%5Cb",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/.;",
            "/a/..%3Bx/b",
            "..",
            "http://host/../a",
        ] {
            assert!(has_dot_segment(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn other_dots_are_part_of_names() {
        for path in [
            "/",
            "",
            "/a",
            "/a.b",
            "/.well-known/x",
            "/a../b",
            "/..a",
            "/...",
            "/a/.../b",
            "/.a/..b",
            "/a;../b",
            "/a;/.b",
            "/;/a",
            "/%2ea",
            "/a%2e%2e",
            "/100%/a.b",
            "/%",
            "/%2",
            "/a/%zz.",
            "/pkg.Service/Method",
            "/%252e%252e/",
            "http://host.example/a",
        ] {
            assert!(!has_dot_segment(path.as_bytes()), "{path}");
        }
    }
}
