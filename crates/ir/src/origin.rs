//! Origins that may read answers across origins (GEP-1767).

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::filter::HttpScheme;

/// One entry of `allowOrigins`: `https://www.example.com`, `http://*.example.com:8080`,
/// `https://*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginPattern {
    scheme: HttpScheme,
    host: OriginHost,
    /// "if not included, port `80` is assumed for `http` scheme origins, and port `443` is assumed
    /// for `https` origins" (`HTTPCORSFilter.AllowOrigins`).
    port: NonZeroU16,
}

/// The host of an entry, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum OriginHost {
    /// That very host.
    Exact(Box<str>),
    /// `*.suffix`: "a greedy match to the _left_, including any number of DNS labels". Holds
    /// `.suffix`.
    Below(Box<str>),
    /// "A wildcard by itself matches all hosts."
    Any,
}

/// The text is no origin: `http` or `https`, a host that may begin with `*.` or be `*`, and
/// perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an origin like https://www.example.com or http://*.example.com:8080")]
pub struct InvalidOrigin(pub String);

impl OriginPattern {
    /// Whether it covers the value of an Origin header. What is no origin is covered by none,
    /// and neither is `null`.
    ///
    /// Browsers send scheme and host in lower case and no default port. Who writes them in another
    /// way means the same, so that is no difference here.
    pub fn covers(&self, origin: &str) -> bool {
        let Some(Parts { scheme, host, port }) = Parts::of(origin) else {
            return false;
        };
        self.scheme == scheme && self.port == port && self.host.covers(host)
    }
}

impl OriginHost {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Below(suffix) => {
                let labels = host
                    .len()
                    .checked_sub(suffix.len())
                    .filter(|&rest| rest > 0);
                let end = labels.and_then(|labels| host.get(labels..));
                end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
            Self::Any => true,
        }
    }
}

impl FromStr for OriginPattern {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin(text.to_owned());
        let Parts { scheme, host, port } = Parts::of(text).ok_or_else(invalid)?;
        let host = host.to_ascii_lowercase();
        let name = host.strip_prefix("*.").unwrap_or(&host);
        let host = if host == "*" {
            OriginHost::Any
        } else if !name.split('.').all(is_label) {
            return Err(invalid());
        } else if name.len() < host.len() {
            OriginHost::Below(format!(".{name}").into())
        } else {
            OriginHost::Exact(host.into())
        };
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        f.write_str(scheme.as_str())?;
        f.write_str("://")?;
        match host {
            OriginHost::Exact(name) => f.write_str(name)?,
            OriginHost::Below(suffix) => write!(f, "*{suffix}")?,
            OriginHost::Any => f.write_str("*")?,
        }
        if *port == scheme.default_port() {
            return Ok(());
        }
        write!(f, ":{port}")
    }
}

impl Serialize for OriginPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An origin taken apart, its host not looked at.
struct Parts<'a> {
    scheme: HttpScheme,
    host: &'a str,
    port: NonZeroU16,
}

impl<'a> Parts<'a> {
    /// "takes the form `<scheme>://<host>(:<port>)`" (`HTTPCORSFilter.AllowOrigins`)
    fn of(origin: &'a str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let scheme = [HttpScheme::Http, HttpScheme::Https]
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))?;
        // Without a port an IPv6 literal may end in what looks like one.
        let colon = authority
            .rfind(':')
            .filter(|_| !authority.ends_with(']'))
            .unwrap_or(authority.len());
        let (host, port) = authority.split_at_checked(colon)?;
        let port = match port.strip_prefix(':') {
            None => scheme.default_port(),
            Some(digits) => port_of(digits)?,
        };
        (!host.is_empty()).then_some(Self { scheme, host, port })
    }
}

/// Decimal digits alone: `parse` takes a sign too.
fn port_of(digits: &str) -> Option<NonZeroU16> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// What the schema of `CORSOrigin` lets through.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> OriginPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_covers_its_origins_and_no_others() {
        let cases: [(&str, &[&str], &[&str]); 7] = [
            (
                "https://www.foo.com",
                &[
                    "https://www.foo.com",
                    "https://www.foo.com:443",
                    "HTTPS://WWW.foo.com",
                ],
                &[
                    "http://www.foo.com",
                    "https://www.foo.com:8443",
                    "https://xwww.foo.com",
                    "https://www.foo.com.evil.com",
                    "https://www.foo.comx",
                    "https://foo.com",
                ],
            ),
            (
                "https://*.bar.com",
                &[
                    "https://www.bar.com",
                    "https://xpto.www.bar.com",
                    "https://A.BAR.com:443",
                ],
                &[
                    "https://bar.com",
                    "https://.bar.com.evil.com",
                    "https://xbar.com",
                    "https://www.bar.com:444",
                    "http://www.bar.com",
                ],
            ),
            (
                "http://a.com:8080",
                &["http://a.com:8080"],
                &["http://a.com", "http://a.com:80"],
            ),
            (
                "http://*.a.com:81",
                &["http://b.a.com:81"],
                &["http://b.a.com", "http://a.com:81"],
            ),
            (
                "https://*",
                &["https://a", "https://a.b.c", "https://[::1]"],
                &["http://a", "https://a:8443", "null", "", "https://", "*"],
            ),
            (
                "http://localhost",
                &["http://localhost"],
                &["http://localhost:+80", "localhost"],
            ),
            (
                "http://127.0.0.1:3000",
                &["http://127.0.0.1:3000"],
                &["http://127.0.0.1"],
            ),
        ];
        for (text, covered, others) in cases {
            let pattern = pattern(text);
            for origin in covered {
                assert!(pattern.covers(origin), "{text} must cover {origin}");
            }
            for origin in others {
                assert!(!pattern.covers(origin), "{text} must not cover {origin:?}");
            }
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        let texts = [
            "",
            "*",
            "null",
            "www.foo.com",
            "ftp://a.com",
            "https://",
            "https://a.com/",
            "//a.com",
            "https://*a.com",
            "https://a.*.com",
            "https://a.com:0",
            "https://a.com:65536",
            "https://a.com:",
            "https://a.com:+1",
            "https://a..com",
            "https://*.",
            "https://a_b",
            "https://ä.com",
            "https://a.com?x",
            "https://user@a.com",
            "https://*.*.com",
        ];
        for text in texts {
            let refused = Err(InvalidOrigin(text.to_owned()));
            assert_eq!(text.parse::<OriginPattern>(), refused, "{text}");
        }
    }

    #[test]
    fn a_pattern_is_read_as_it_is_written() {
        for text in [
            "https://a.com",
            "http://*.a.com:8080",
            "https://*",
            "https://*:444",
        ] {
            assert_eq!(pattern(text).to_string(), text);
        }
        assert_eq!(pattern("HTTPS://A.com:443").to_string(), "https://a.com");
    }
}
