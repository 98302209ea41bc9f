//! Fields that every head is asked for, and that few heads have.
//!
//! To look for a field is to hash its name. Which of these a head has is noted while it is read, when
//! each name is at hand anyway, and only those that came are looked for.

use http::header::{self, HeaderMap, HeaderName};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// One of these fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rare {
    Connection,
    Expect,
    Http2Settings,
    KeepAlive,
    ProxyAuthorization,
    ProxyConnection,
    Te,
    Trailer,
    Upgrade,
    XForwardedFor,
}

impl Rare {
    const ALL: [Self; 10] = [
        Self::Connection,
        Self::Expect,
        Self::Http2Settings,
        Self::KeepAlive,
        Self::ProxyAuthorization,
        Self::ProxyConnection,
        Self::Te,
        Self::Trailer,
        Self::Upgrade,
        Self::XForwardedFor,
    ];

    fn name(self) -> HeaderName {
        match self {
            Self::Connection => header::CONNECTION,
            Self::Expect => header::EXPECT,
            Self::Http2Settings => HTTP2_SETTINGS,
            Self::KeepAlive => KEEP_ALIVE,
            Self::ProxyAuthorization => header::PROXY_AUTHORIZATION,
            Self::ProxyConnection => PROXY_CONNECTION,
            Self::Te => header::TE,
            Self::Trailer => header::TRAILER,
            Self::Upgrade => header::UPGRADE,
            Self::XForwardedFor => X_FORWARDED_FOR,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Those that came with a head. One that was taken out or put in since is not told from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rares(u16);

impl Rares {
    /// These.
    pub(crate) const fn these<const COUNT: usize>(rares: [Rare; COUNT]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < COUNT {
            bits |= rares[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// Those of a map.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut rares = Self::default();
        for name in headers.keys() {
            rares.note(Self::of_name(name));
        }
        rares
    }

    /// The one that is called so, or none.
    pub(crate) fn of_name(name: &HeaderName) -> Self {
        let found = Rare::ALL.into_iter().find(|rare| rare.name() == *name);
        Self(found.map_or(0, Rare::bit))
    }

    /// Notes that others came too.
    pub(crate) fn note(&mut self, others: Self) {
        self.0 |= others.0;
    }

    /// Whether this one came.
    pub(crate) fn has(self, rare: Rare) -> bool {
        self.0 & rare.bit() != 0
    }

    /// Takes those of `others` that came out of the head's fields.
    pub(crate) fn remove(self, headers: &mut HeaderMap, others: Self) {
        let both = Self(self.0 & others.0);
        if both == Self::default() {
            return;
        }
        for rare in Rare::ALL {
            if both.has(rare) {
                headers.remove(rare.name());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn each_is_told_from_the_others() {
        for rare in Rare::ALL {
            let value = HeaderValue::from_static("x");
            let mut headers =
                HeaderMap::from_iter([(header::HOST, value.clone()), (rare.name(), value)]);
            let rares = Rares::of(&headers);
            for other in Rare::ALL {
                assert_eq!(rares.has(other), other == rare, "{rare:?} {other:?}");
            }
            rares.remove(&mut headers, Rares::these(Rare::ALL));
            assert_eq!(headers.len(), 1, "{rare:?}");
        }
    }
}
