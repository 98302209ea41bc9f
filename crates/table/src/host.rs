//! Which of many host patterns is for a name.

use std::sync::Arc;

use portcullis_ir::HostPattern;

use crate::text_map::TextMap;

/// The longest name of DNS (RFC 1035 section 2.3.4), as text.
const LONGEST_NAME: usize = 253;

/// The name a client asked for, ready for comparison: lower case, without port.
///
/// Made once per request from its authority, or once per TLS connection from its SNI.
#[derive(Clone, Debug)]
pub struct Host<'a>(Text<'a>);

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one request; the large variant is there so that it need not be allocated"
)]
enum Text<'a> {
    AsSent(&'a str),
    Lowered {
        bytes: [u8; LONGEST_NAME],
        length: usize,
    },
}

impl<'a> Host<'a> {
    /// No name: TLS without SNI, HTTP/1.0 without Host. Only listeners and routes without a
    /// hostname serve it.
    pub const NONE: Host<'static> = Host(Text::AsSent(""));

    /// Reads a Host header, `:authority` or SNI.
    ///
    /// "Implementations MUST ignore any port value specified in the HTTP Host header while
    /// performing a match" (`HTTPRouteSpec.Hostnames`). The dot that may end an absolute name is
    /// ignored too. What is longer than a name can be is taken as [`Host::NONE`].
    pub fn new(authority: &'a str) -> Self {
        let name = without_port(authority);
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > LONGEST_NAME {
            return Host::NONE;
        }
        if !name.bytes().any(|b| b.is_ascii_uppercase()) {
            return Self(Text::AsSent(name));
        }
        let mut bytes = [0; LONGEST_NAME];
        for (lowered, sent) in bytes.iter_mut().zip(name.bytes()) {
            *lowered = sent.to_ascii_lowercase();
        }
        Self(Text::Lowered {
            bytes,
            length: name.len(),
        })
    }

    /// The name; empty if there is none.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::AsSent(name) => name,
            Text::Lowered { bytes, length } => bytes
                .get(..*length)
                .and_then(|name| std::str::from_utf8(name).ok())
                .unwrap_or_default(),
        }
    }
}

/// `authority` without `:port`. An IPv6 address keeps its brackets, and matches no name.
fn without_port(authority: &str) -> &str {
    match memchr::memrchr(b':', authority.as_bytes()) {
        Some(colon) if !authority.ends_with(']') => authority.get(..colon).unwrap_or(authority),
        _ => authority,
    }
}

/// Values by host pattern, found from the most specific pattern to the least. Copies share what they
/// have in common.
#[derive(Clone, Debug)]
pub(crate) struct HostMap<T> {
    exact: TextMap<T>,
    /// By suffix, without `*.`.
    wildcard: TextMap<T>,
    any: Option<T>,
}

impl<T> Default for HostMap<T> {
    fn default() -> Self {
        Self {
            exact: TextMap::default(),
            wildcard: TextMap::default(),
            any: None,
        }
    }
}

impl<T> HostMap<T> {
    /// The value of that very pattern.
    pub(crate) fn get(&self, pattern: &HostPattern) -> Option<&T> {
        match pattern {
            HostPattern::Exact(name) => self.exact.get(name),
            HostPattern::Wildcard(suffix) => self.wildcard.get(suffix),
            HostPattern::Any => self.any.as_ref(),
        }
    }

    /// The value of the most specific pattern that matches.
    pub(crate) fn most_specific(&self, host: &Host<'_>) -> Option<&T> {
        let host = host.as_str();
        self.exact
            .get(host)
            .or_else(|| self.wildcards(host).next())
            .or(self.any.as_ref())
    }

    /// The values of all patterns that match, most specific first.
    pub(crate) fn matching<'s, 'h>(
        &'s self,
        host: &'h str,
    ) -> impl Iterator<Item = &'s T> + use<'s, 'h, T> {
        (self.exact.get(host).into_iter())
            .chain(self.wildcards(host))
            .chain(&self.any)
    }

    /// The values of `*.b.c`, `*.c` for `a.b.c`.
    fn wildcards<'s, 'h>(&'s self, host: &'h str) -> impl Iterator<Item = &'s T> + use<'s, 'h, T> {
        let labels = if self.wildcard.is_empty() { "" } else { host };
        suffixes(labels).filter_map(|suffix| self.wildcard.get(suffix))
    }
}

impl<T: Clone> HostMap<T> {
    /// The value of that very pattern, to be changed.
    pub(crate) fn get_mut(&mut self, pattern: &HostPattern) -> Option<&mut T> {
        match pattern {
            HostPattern::Exact(name) => self.exact.get_mut(name),
            HostPattern::Wildcard(suffix) => self.wildcard.get_mut(suffix),
            HostPattern::Any => self.any.as_mut(),
        }
    }

    /// Gives a pattern that has none a value.
    pub(crate) fn insert_new(&mut self, pattern: &HostPattern, value: T) {
        match pattern {
            HostPattern::Exact(name) => self.exact.insert_new(Arc::clone(name), value),
            HostPattern::Wildcard(suffix) => self.wildcard.insert_new(Arc::clone(suffix), value),
            HostPattern::Any => self.any = Some(value),
        }
    }

    /// Takes the value of that very pattern out.
    pub(crate) fn remove(&mut self, pattern: &HostPattern) {
        match pattern {
            HostPattern::Exact(name) => self.exact.remove(name),
            HostPattern::Wildcard(suffix) => self.wildcard.remove(suffix),
            HostPattern::Any => self.any = None,
        }
    }
}

/// What remains of `a.b.c` after each dot: `b.c`, `c`. Nothing before the first dot (`.b.c`) is no
/// label, so there `c` alone counts.
fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    memchr::memchr_iter(b'.', host.as_bytes())
        .filter(|&dot| dot > 0)
        .filter_map(move |dot| host.get(dot + 1..))
}

#[cfg(test)]
mod tests;
