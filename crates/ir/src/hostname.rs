//! Hostnames with an optional wildcard label.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Which names a listener or route answers for.
///
/// Ordered by precedence: what sorts first is more specific, so the first match of a sorted list
/// is the right one. Names are lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// That very name.
    Exact(Arc<str>),
    /// `*.suffix`: "interpreted as a suffix match. That means that a match for `*.example.com`
    /// would match both `test.example.com`, and `foo.test.example.com`, but not `example.com`"
    /// (`HTTPRouteSpec.Hostnames`). Holds `example.com`.
    Wildcard(Arc<str>),
    /// No name was given: every name, and requests without one.
    Any,
}

/// Why a text is no [`HostPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHostname {
    /// "IPs are not allowed."
    #[error("{0:?} is an IP address, not a hostname")]
    IpAddress(String),
    /// Not a name by RFC 1123, or a wildcard elsewhere than as the whole first label.
    #[error("{0:?} is not a hostname (RFC 1123), nor one with \"*.\" before it")]
    Malformed(String),
}

impl HostPattern {
    /// Reads `example.com`, `*.example.com` or, for [`HostPattern::Any`], the empty text.
    ///
    /// Upper case is taken as lower case: DNS does not tell them apart.
    pub fn parse(text: &str) -> Result<Self, InvalidHostname> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, text),
        };
        if name.parse::<std::net::IpAddr>().is_ok() {
            return Err(InvalidHostname::IpAddress(text.to_owned()));
        }
        if !is_dns_name(name) {
            return Err(InvalidHostname::Malformed(text.to_owned()));
        }
        let name: Arc<str> = name.to_ascii_lowercase().into();
        Ok(if wildcard {
            Self::Wildcard(name)
        } else {
            Self::Exact(name)
        })
    }

    /// Whether a request for `host` (lower case, without port) is for this pattern.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => is_below(host, suffix),
            Self::Any => true,
        }
    }

    /// The names both cover, if any: the more specific of the two when one covers the other.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        if self.covers(other) {
            Some(other.clone())
        } else if other.covers(self) {
            Some(self.clone())
        } else {
            None
        }
    }

    /// Whether every name of `other` is one of `self`'s.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Wildcard(suffix), Self::Exact(name)) => is_below(name, suffix),
            (Self::Wildcard(a), Self::Wildcard(b)) => a == b || is_below(b, a),
            (Self::Exact(_), Self::Wildcard(_)) | (_, Self::Any) => false,
        }
    }

    /// Exact before wildcard before any, then the longer text first: "the largest number of:
    /// characters in a matching non-wildcard hostname, characters in a matching hostname".
    /// `Equal` for two names of the same length, which one request can not both match.
    pub fn by_specificity(&self, other: &Self) -> Ordering {
        let rank = |p: &Self| match p {
            Self::Exact(name) => (0, usize::MAX - name.len()),
            Self::Wildcard(suffix) => (1, usize::MAX - suffix.len()),
            Self::Any => (2, 0),
        };
        rank(self).cmp(&rank(other))
    }

    fn text(&self) -> &str {
        match self {
            Self::Exact(name) | Self::Wildcard(name) => name,
            Self::Any => "",
        }
    }
}

impl Ord for HostPattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.by_specificity(other)
            .then_with(|| self.text().cmp(other.text()))
    }
}

impl PartialOrd for HostPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether `host` is `<label>...<label>.suffix`.
fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix)
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|labels| !labels.is_empty())
}

/// RFC 1123 section 2.1: labels of letters, digits and inner hyphens.
fn is_dns_name(name: &str) -> bool {
    const LONGEST_NAME: usize = 253;
    const LONGEST_LABEL: usize = 63;
    name.len() <= LONGEST_NAME
        && name.split('.').all(|label| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

#[cfg(test)]
mod tests;
