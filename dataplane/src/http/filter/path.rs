//! HTTPPathModifier: the path after a redirect or rewrite.

use std::borrow::Cow;
use std::fmt::Write as _;

use portcullis_ir::filter;

/// A replacement for a path. Its text is a valid URI path whatever the user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// "ReplaceFullPath": the whole path.
    Full(Box<str>),
    /// "ReplacePrefixMatch": without a trailing `/`, so empty for `/`.
    Prefix(Box<str>),
}

impl PathRewrite {
    /// Prepares a user's replacement. It is text: nothing in it (`$1`, `\1`, `%2F`) is special.
    pub fn compile(rewrite: &filter::PathRewrite) -> Self {
        match rewrite {
            filter::PathRewrite::Full(text) => Self::Full(rooted(encode(text)).into()),
            // "When specified, a trailing `/` is ignored."
            filter::PathRewrite::Prefix(text) => {
                let text = encode(text);
                let text = text.strip_suffix('/').unwrap_or(&text);
                Self::Prefix(match text {
                    "" => "".into(),
                    text => rooted(text.to_owned()).into(),
                })
            }
        }
    }

    /// The path that replaces `path`, a path that matched the prefix `prefix`.
    ///
    /// "ReplacePrefixMatch is only compatible with a `PathPrefix` HTTPRouteMatch": with no prefix
    /// (which `translate` refuses), or one that is not `path`'s, the path stays.
    pub fn replace<'a>(&'a self, path: &'a str, prefix: Option<&str>) -> Cow<'a, str> {
        match self {
            Self::Full(full) => Cow::Borrowed(full),
            Self::Prefix(replacement) => match prefix.and_then(|prefix| after(path, prefix)) {
                None => Cow::Borrowed(path),
                Some(rest) if replacement.is_empty() => Cow::Borrowed(match rest {
                    "" => "/",
                    rest => rest,
                }),
                Some("") => Cow::Borrowed(replacement),
                Some(rest) => Cow::Owned([replacement, rest].concat()),
            },
        }
    }
}

/// What comes after `prefix` in `path`: empty, or from a `/` on.
///
/// "Matches based on a URL path prefix split by `/`": `/abc` is a prefix of `/abc`, `/abc/` and
/// `/abc/def`, not of `/abcd`. A trailing `/` of the prefix is ignored.
fn after<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn rooted(path: String) -> String {
    if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    }
}

/// Percent-encodes whatever may not stand in a URI's path (RFC 3986 section 3.3), `?` and `#`
/// among it, since a replacement is a path and nothing more. What is encoded already stays.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        if is_path_byte(byte) || (byte == b'%' && is_escape(text.as_bytes(), at)) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `pchar` without `%`, and `/`.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

fn is_escape(text: &[u8], at: usize) -> bool {
    text.get(at + 1..at + 3)
        .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests;
