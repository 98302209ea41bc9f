//! The conditions of a match other than host and path.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use crate::pattern::Pattern;

/// What of a request decides its rule, besides the host.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// What the client speaks.
    pub version: Version,
    /// The method.
    pub method: &'a Method,
    /// The path as sent, without the query.
    pub path: &'a str,
    /// What follows `?`, as sent.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// Conditions that hold together.
#[derive(Debug, Default)]
pub(crate) struct Predicates {
    pub(crate) method: Option<Method>,
    pub(crate) headers: Box<[HeaderPredicate]>,
    pub(crate) query: Box<[QueryPredicate]>,
}

impl Predicates {
    /// Whether there is no condition.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            method,
            headers,
            query,
        } = self;
        method.is_none() && headers.is_empty() && query.is_empty()
    }

    pub(crate) fn hold(&self, request: &RequestParts<'_>) -> bool {
        self.method.as_ref().is_none_or(|m| m == request.method)
            && (self.headers.iter()).all(|header| header.holds(request.headers))
            && (self.query.iter()).all(|param| param.holds(request.query.unwrap_or_default()))
    }
}

/// The condition on one header.
#[derive(Debug)]
pub(crate) struct HeaderPredicate {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderCondition,
}

#[derive(Debug)]
pub(crate) enum HeaderCondition {
    Exact(HeaderValue),
    Regex(Pattern),
}

impl HeaderPredicate {
    fn holds(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(&self.name).iter();
        let Some(first) = values.next() else {
            return false;
        };
        match &self.value {
            HeaderCondition::Exact(expected) => equals_joined(expected.as_bytes(), first, values),
            HeaderCondition::Regex(pattern) => pattern.matches(&joined(first, values)),
        }
    }
}

/// Whether `first,value,value...` is `expected`.
fn equals_joined<'a>(
    expected: &[u8],
    first: &HeaderValue,
    rest: impl Iterator<Item = &'a HeaderValue>,
) -> bool {
    let Some(mut left) = expected.strip_prefix(first.as_bytes()) else {
        return false;
    };
    for value in rest {
        let after = (left.strip_prefix(b",")).and_then(|l| l.strip_prefix(value.as_bytes()));
        match after {
            Some(after) => left = after,
            None => return false,
        }
    }
    left.is_empty()
}

/// `first,value,value...`. Allocates only if the header is repeated.
fn joined<'a>(
    first: &'a HeaderValue,
    rest: impl Iterator<Item = &'a HeaderValue>,
) -> Cow<'a, [u8]> {
    let mut whole = Cow::Borrowed(first.as_bytes());
    for value in rest {
        let whole = whole.to_mut();
        whole.push(b',');
        whole.extend_from_slice(value.as_bytes());
    }
    whole
}

/// The condition on one query parameter.
#[derive(Debug)]
pub(crate) struct QueryPredicate {
    pub(crate) name: Box<str>,
    pub(crate) value: QueryCondition,
}

#[derive(Debug)]
pub(crate) enum QueryCondition {
    Exact(Box<str>),
    Regex(Pattern),
}

impl QueryPredicate {
    /// "it is *recommended* that implementations should match against the first value of the
    /// param" (`HTTPQueryParamMatch.Name`).
    fn holds(&self, query: &str) -> bool {
        let Some(value) = first_value(query, &self.name) else {
            return false;
        };
        match &self.value {
            QueryCondition::Exact(expected) => decoded(value).eq(expected.bytes()),
            QueryCondition::Regex(pattern) if is_plain(value) => pattern.matches(value.as_bytes()),
            QueryCondition::Regex(pattern) => pattern.matches(&decoded(value).collect::<Vec<u8>>()),
        }
    }
}

/// The value, still encoded, of the first parameter `name` of `query`, read as Go's
/// `url.ParseQuery` reads it: a pair with a bad escape or with `;` is passed over.
fn first_value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, value)| {
            decoded(key).eq(name.bytes()) && is_well_formed(key) && is_well_formed(value)
        })
        .map(|(_, value)| value)
}

fn is_plain(text: &str) -> bool {
    !text.bytes().any(|b| b == b'%' || b == b'+')
}

fn is_well_formed(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let good = match byte {
            b';' => false,
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|digit| digit.is_some_and(|d| d.is_ascii_hexdigit())),
            _ => true,
        };
        if !good {
            return false;
        }
    }
    true
}

/// The bytes of well-formed `text` with `%XX` and `+` (a space) decoded. Stops at a bad escape.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || match bytes.next()? {
        b'+' => Some(b' '),
        b'%' => {
            let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
            Some(high << 4 | low)
        }
        byte => Some(byte),
    })
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests;
