//! What routes of all kinds share: parents, backends, filters.

mod filter;
mod reference;
#[cfg(test)]
mod tests;

pub use self::filter::{
    CorsFilter, ExternalAuthFilter, ExternalAuthProtocol, FilterType, ForwardBody, Fraction,
    GrpcAuth, HeaderModifier, HttpAuth, HttpHeader, PathModifier, PathModifierType, RequestMirror,
    RequestRedirect, RouteFilter, UrlRewrite,
};
pub use self::reference::{
    BackendObjectReference, BackendRef, LocalObjectReference, LocalParametersReference,
    LocalPolicyTargetReference, ObjectReference, ParametersReference, ParentReference,
    RouteGroupKind, SecretObjectReference, Target,
};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::keyword::keyword;

keyword! {
    /// `spec.useDefaultGateways` of a route, `spec.defaultScope` of a Gateway (GEP-3793).
    GatewayDefaultScope {
        All = "All",
        None = "None",
    }
}

keyword! {
    /// How a header's value is compared.
    HeaderMatchType {
        Exact = "Exact",
        RegularExpression = "RegularExpression",
    }
}

/// A condition on one header, of HTTP and gRPC routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderMatch {
    /// How it is compared.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub match_type: Option<HeaderMatchType>,
    /// The header's name, compared without regard to case.
    pub name: String,
    /// What its value is compared to.
    pub value: String,
}

impl HeaderMatch {
    /// How it is compared; `Exact` by default.
    pub fn match_type(&self) -> &HeaderMatchType {
        self.match_type.as_ref().unwrap_or(&HeaderMatchType::Exact)
    }
}

/// One rule of a TLS, TCP or UDP route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L4RouteRule {
    /// The user's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where connections or datagrams go.
    #[serde(default)]
    pub backend_refs: Vec<BackendRef>,
}

/// A session that stays with one backend (GEP-1619).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionPersistence {
    /// How long a session lasts at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absolute_timeout: Option<GatewayDuration>,
    /// By cookie or by header.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub session_type: Option<SessionPersistenceType>,
    /// Details of a session by cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<SessionCookie>,
    /// Details of a session by header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<SessionHeader>,
}

impl SessionPersistence {
    /// By cookie or by header; `Cookie` by default.
    pub fn session_type(&self) -> &SessionPersistenceType {
        let default = &SessionPersistenceType::Cookie;
        self.session_type.as_ref().unwrap_or(default)
    }
}

keyword! {
    /// How a session is recognised.
    SessionPersistenceType {
        Cookie = "Cookie",
        Header = "Header",
    }
}

/// Details of a session by cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCookie {
    /// The cookie's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The cookie's path; `/` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whether it outlives the browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_type: Option<CookieLifetimeType>,
}

keyword! {
    /// Whether a session cookie outlives the browser.
    CookieLifetimeType {
        Permanent = "Permanent",
        Session = "Session",
    }
}

/// Details of a session by header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHeader {
    /// The header's name.
    pub name: String,
}

/// A duration as it is written, such as `10s` or `1h30m` (GEP-2257).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GatewayDuration(pub String);

impl GatewayDuration {
    /// The duration, unless it is not of the form GEP-2257 allows: one to four pairs of up to five
    /// digits and a unit out of `h`, `m`, `s`, `ms`.
    pub fn parse(&self) -> Option<Duration> {
        let mut rest = self.0.as_str();
        let mut total = Duration::ZERO;
        let mut pairs = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at_checked(digits)?;
            let (unit, tail) = duration_unit(tail)?;
            if !(1..=5).contains(&digits) || pairs == 4 {
                return None;
            }
            total += unit * number.parse().ok()?;
            pairs += 1;
            rest = tail;
        }
        (pairs > 0).then_some(total)
    }
}

fn duration_unit(text: &str) -> Option<(Duration, &str)> {
    const UNITS: [(&str, Duration); 4] = [
        ("ms", Duration::from_millis(1)),
        ("h", Duration::from_hours(1)),
        ("m", Duration::from_mins(1)),
        ("s", Duration::from_secs(1)),
    ];
    UNITS
        .iter()
        .find_map(|(name, unit)| Some((*unit, text.strip_prefix(name)?)))
}
