//! What is done to a request or its answer on the way.

use http::{HeaderName, HeaderValue};
use serde::Serialize;

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
    pub scheme: Option<RedirectScheme>,
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

/// The scheme a redirect may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RedirectScheme {
    /// `http`, default port 80.
    Http,
    /// `https`, default port 443.
    Https,
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

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
fn optional_header_value<S: serde::Serializer>(
    value: &Option<HeaderValue>,
    s: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => text::header_value(value, s),
        None => s.serialize_none(),
    }
}
