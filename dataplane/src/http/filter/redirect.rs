//! RequestRedirect: the answer "go there instead".

use std::num::NonZeroU16;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri};
use portcullis_ir::filter::{self, HttpScheme};

use super::path::PathRewrite;

/// A compiled RequestRedirect filter.
#[derive(Clone, Debug)]
pub struct Redirect {
    scheme: Option<HttpScheme>,
    hostname: Option<Box<str>>,
    port: Option<u16>,
    path: Option<PathRewrite>,
    status: StatusCode,
}

/// What a Location takes from the request where the filter says nothing.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The scheme of the listener that took the request.
    pub scheme: HttpScheme,
    /// The port of that listener as the user wrote it in the Gateway (not the port bound).
    pub listener_port: NonZeroU16,
    /// The request's Host or `:authority`, with or without a port.
    pub authority: Option<&'a str>,
    /// The request's target.
    pub uri: &'a Uri,
    /// The text of the PathPrefix match by which the request came here, if it was one.
    pub prefix: Option<&'a str>,
}

/// The request has a target that no Location can name: answer 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request's target cannot be part of a Location")]
pub struct InvalidLocation;

impl Redirect {
    /// Prepares a user's redirect.
    pub fn compile(redirect: &filter::Redirect) -> Self {
        let filter::Redirect {
            scheme,
            hostname,
            port,
            path,
            status,
        } = redirect;
        Self {
            scheme: *scheme,
            hostname: hostname.as_deref().and_then(host_of).map(Into::into),
            port: *port,
            path: path.as_ref().map(PathRewrite::compile),
            // "Enum=301;302;303;307;308", "default=302"
            status: StatusCode::from_u16(*status)
                .ok()
                .filter(StatusCode::is_redirection)
                .unwrap_or(StatusCode::FOUND),
        }
    }

    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer's Location. The query is the request's own.
    ///
    /// A request without a usable Host (HTTP/1.0) gets a Location that is a path only, unless the
    /// filter names a host.
    pub fn location(&self, request: &RequestFacts<'_>) -> Result<HeaderValue, InvalidLocation> {
        let path = request.uri.path();
        let path = match &self.path {
            Some(rewrite) => rewrite.replace(path, request.prefix),
            // "When empty, the request path is used as-is."
            None => path.into(),
        };
        let mut location = String::with_capacity(path.len() + 64);
        let host = self
            .hostname
            .as_deref()
            // "When empty, the hostname in the `Host` header of the request is used."
            .or_else(|| request.authority.and_then(host_of));
        if let Some(host) = host {
            self.push_origin(&mut location, host, request);
            if !path.starts_with('/') {
                location.push('/');
            }
            location.push_str(&path);
        } else {
            // A path that starts with `//` would name a host.
            location.push('/');
            location.push_str(path.trim_start_matches('/'));
        }
        if let Some(query) = request.uri.query() {
            location.push('?');
            location.push_str(query);
        }
        HeaderValue::from_maybe_shared(Bytes::from(location)).map_err(|_| InvalidLocation)
    }

    fn push_origin(&self, location: &mut String, host: &str, request: &RequestFacts<'_>) {
        // "When empty, the scheme of the request is used."
        let scheme = self.scheme.unwrap_or(request.scheme);
        location.push_str(scheme.as_str());
        location.push_str("://");
        location.push_str(host);
        let port = self.port(request);
        // "Implementations SHOULD NOT add the port number in the 'Location' header in the
        // following cases: [HTTP and port 80, HTTPS and port 443], whether that is determined via
        // the Listener protocol or the Scheme field".
        if port != scheme.default_port().get() {
            location.push(':');
            location.push_str(&port.to_string());
        }
    }

    /// "If no port is specified, the redirect port MUST be derived using the following rules:
    ///
    /// * If redirect scheme is not-empty, the redirect port MUST be the well-known port associated
    ///   with the redirect scheme.
    /// * If redirect scheme is empty, the redirect port MUST be the Gateway Listener port."
    ///   (`HTTPRequestRedirectFilter.Port`)
    fn port(&self, request: &RequestFacts<'_>) -> u16 {
        self.port
            .or_else(|| self.scheme.map(|scheme| scheme.default_port().get()))
            .unwrap_or_else(|| request.listener_port.get())
    }
}

/// The host in `authority`, if it is made of what hosts are made of (RFC 3986 section 3.2.2,
/// without the percent-encoding and sub-delims that no DNS name has).
fn host_of(authority: &str) -> Option<&str> {
    let host = match authority.find(']') {
        Some(end) if authority.starts_with('[') => authority.get(..=end)?,
        _ => authority
            .split_once(':')
            .map_or(authority, |(host, _port)| host),
    };
    let is_v6 = host.starts_with('[');
    let fits = |byte: u8| {
        byte.is_ascii_alphanumeric() || b"-._".contains(&byte) || (is_v6 && b"[:]".contains(&byte))
    };
    (!host.is_empty() && host.bytes().all(fits)).then_some(host)
}

#[cfg(test)]
mod tests;
