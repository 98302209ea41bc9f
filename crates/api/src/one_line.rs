//! Text from users in a line of a log or on a terminal.

use std::fmt::{self, Display, Write};

/// Prints without control characters: a line break in a name must not begin a line of its own, nor
/// an escape sequence move the cursor. They are shown as `\n` or `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<D>(pub D);

impl<D: Display> Display for OneLine<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_control) {
            let Some(last) = part.chars().next_back().filter(|last| is_control(*last)) else {
                self.0.write_str(part)?;
                continue;
            };
            self.0.write_str(part.strip_suffix(last).unwrap_or(part))?;
            write!(self.0, "{}", last.escape_default())?;
        }
        Ok(())
    }
}

/// Besides control characters: what breaks a line or turns the direction of what follows.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::OneLine;

    #[test]
    fn nothing_but_control_characters_is_escaped() {
        let plain = "Grüße, \"quoted\" \\ text: 日本 …";
        assert_eq!(OneLine(plain).to_string(), plain);
        let text = "\na\r\tb\u{1b}[31m\u{9b}\u{7f}\u{2028}\u{202e}";
        let expected = r"\na\r\tb\u{1b}[31m\u{9b}\u{7f}\u{2028}\u{202e}";
        assert_eq!(OneLine(text).to_string(), expected);
        assert_eq!(OneLine(OneLine(text)).to_string(), expected);
    }
}
