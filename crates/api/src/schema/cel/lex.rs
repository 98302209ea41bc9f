//! Text to tokens.

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Int(i64),
    Text(String),
    /// An operator or bracket.
    Sign(&'static str),
}

/// Longer signs first.
const SIGNS: [&str; 21] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "?", ":", "+", "-", "*", "(", ")", "[", "]",
    ",", ".", "%",
];

/// The tokens of an expression.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut rest = text.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if let Some(string) = string(rest) {
            string?
        } else if first.is_ascii_digit() {
            let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
            let number = digits.parse().map_err(|_| format!("bad number {digits}"))?;
            (Token::Int(number), after)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let (name, after) = split_while(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            (Token::Name(name.to_owned()), after)
        } else {
            sign(rest)?
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn sign(text: &str) -> Result<(Token, &str), String> {
    SIGNS
        .iter()
        .find_map(|sign| Some((Token::Sign(sign), text.strip_prefix(sign)?)))
        .ok_or_else(|| format!("unexpected text at {text:?}"))
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// The string literal at the start of a text, if there is one.
fn string(text: &str) -> Option<Result<(Token, &str), String>> {
    let raw = text
        .strip_prefix('r')
        .filter(|t| t.starts_with(['"', '\'']));
    let quoted = raw.unwrap_or(text);
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| quoted.starts_with(quote))?;
    let body = quoted.strip_prefix(quote)?;
    Some(if raw.is_some() {
        body.split_once(quote)
            .map(|(text, after)| (Token::Text(text.to_owned()), after))
            .ok_or_else(|| "a string does not end".to_owned())
    } else {
        escaped(body, quote)
    })
}

fn escaped<'a>(body: &'a str, quote: &str) -> Result<(Token, &'a str), String> {
    let mut text = String::new();
    let mut rest = body;
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            return Ok((Token::Text(text), after));
        }
        let mut chars = rest.chars();
        match chars.next() {
            Some('\\') => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c @ ('\\' | '\'' | '"' | '`' | '?')) => text.push(c),
                other => return Err(format!("unknown escape {other:?}")),
            },
            Some(c) => text.push(c),
            None => return Err("a string does not end".to_owned()),
        }
        rest = chars.as_str();
    }
}
