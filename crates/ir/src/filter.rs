//! What is done to a request or its answer on the way.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use http::{HeaderName, HeaderValue, Method};
use serde::{Serialize, Serializer};

use crate::ident::BackendId;
use crate::origin::OriginPattern;
use crate::text;

/// One filter of a rule or of one of its backends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Filter {
    /// Edits the request's headers.
    RequestHeaders(HeaderEdits),
    /// Edits the answer's headers.
    ResponseHeaders(HeaderEdits),
    /// Answers with a redirect; no backend is asked.
    Redirect(Redirect),
    /// Changes the request's host or path before it goes to the backend.
    Rewrite(Rewrite),
    /// Sends a copy of the request elsewhere.
    Mirror(Mirror),
    /// Lets pages of other origins read answers.
    Cors(Cors),
}

/// Header changes, done in this order: set, add, remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct HeaderEdits {
    /// Replaces every value of the name.
    pub set: Vec<Header>,
    /// Adds a value to those there.
    pub add: Vec<Header>,
    /// Removes every value of the name.
    #[serde(serialize_with = "text::header_names")]
    pub remove: Vec<HeaderName>,
}

/// A header as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Header {
    /// The name, lower case.
    #[serde(serialize_with = "text::header_name")]
    pub name: HeaderName,
    /// The value.
    #[serde(serialize_with = "text::header_value")]
    pub value: HeaderValue,
}

/// The answer "go there instead". What is `None` stays as it was in the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Redirect {
    /// The scheme of the Location.
    pub scheme: Option<HttpScheme>,
    /// The host of the Location.
    pub hostname: Option<String>,
    /// The port of the Location; how it is filled when `None` is for the data plane, by
    /// `HTTPRequestRedirectFilter.Port`.
    pub port: Option<u16>,
    /// The path of the Location.
    pub path: Option<PathRewrite>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// A scheme of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HttpScheme {
    /// `http`, default port 80.
    Http,
    /// `https`, default port 443.
    Https,
}

impl HttpScheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// "the well-known port associated with the redirect scheme. Specifically "http" to port 80
    /// and "https" to port 443" (`HTTPRequestRedirectFilter.Port`).
    pub const fn default_port(self) -> NonZeroU16 {
        const HTTP: NonZeroU16 = NonZeroU16::new(80).unwrap();
        const HTTPS: NonZeroU16 = NonZeroU16::new(443).unwrap();
        match self {
            Self::Http => HTTP,
            Self::Https => HTTPS,
        }
    }
}

/// A changed request line and Host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Rewrite {
    /// The Host sent to the backend.
    #[serde(serialize_with = "optional_header_value")]
    pub hostname: Option<HeaderValue>,
    /// The path sent to the backend.
    pub path: Option<PathRewrite>,
}

/// A changed path. The query stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PathRewrite {
    /// The whole path becomes this.
    Full(String),
    /// The prefix that the rule's match named becomes this ("ReplacePrefixMatch").
    Prefix(String),
}

/// A copy of requests, whose answers are thrown away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Mirror {
    /// Where copies go. A reference that leads nowhere makes no mirror.
    pub backend: BackendId,
    /// How many requests are copied.
    pub share: Share,
}

/// A part of all requests, between none and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    numerator: u32,
    denominator: NonZeroU32,
}

impl Share {
    /// Every request.
    pub const ALL: Self = Self {
        numerator: 1,
        denominator: NonZeroU32::MIN,
    };

    /// `None` if that is no fraction between 0 and 1.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        let denominator = NonZeroU32::new(denominator)?;
        (numerator <= denominator.get()).then_some(Self {
            numerator,
            denominator,
        })
    }

    /// Above the line; at most [`Share::denominator`].
    pub fn numerator(self) -> u32 {
        self.numerator
    }

    /// Below the line.
    pub fn denominator(self) -> NonZeroU32 {
        self.denominator
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Cross-origin resource sharing (GEP-1767).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Cors {
    /// Whose pages may read answers.
    pub origins: Allowed<OriginPattern>,
    /// Whether with credentials.
    pub credentials: bool,
    /// The methods they may use beside GET, HEAD and POST.
    pub methods: Allowed<Method>,
    /// The request headers they may send.
    pub request_headers: Allowed<HeaderName>,
    /// The headers of answers they may read beside the safelisted ones.
    pub exposed_headers: Allowed<HeaderName>,
    /// How long a preflight's answer may be cached, in seconds.
    pub max_age: u32,
}

/// Some of a kind, or all of it (`*`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Allowed<T> {
    /// Every one.
    All,
    /// These; none if empty.
    These(Vec<T>),
}

impl<T: fmt::Display> Serialize for Allowed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("*"),
            Self::These(these) => serializer.collect_seq(these.iter().map(ToString::to_string)),
        }
    }
}

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
fn optional_header_value<S: Serializer>(
    value: &Option<HeaderValue>,
    s: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => text::header_value(value, s),
        None => s.serialize_none(),
    }
}
