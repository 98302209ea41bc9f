//! From a request's head to what is done with it.

use std::sync::Arc;

use http::{Uri, Version, header};
use pingora_http::RequestHeader;
use portcullis_ir::filter::RedirectScheme;
use portcullis_ir::{ListenerId, ListenerProtocol};
use portcullis_table::{
    Authority, Destination, Host, ListenerTable, PathMatched, PortTable, RequestParts, Rule,
};

use super::filter::{Filters, RequestFacts};
use super::refusal::Refusal;
use crate::limits;
use crate::listener::connection::Connection;
use crate::state::{self, Live, Upstream};
use crate::upstream::cluster::Cluster;

/// What is done with a request.
pub(crate) enum Choice {
    /// A backend is asked.
    Forward(Forward),
    /// It is answered with a redirect.
    Redirect {
        listener: ListenerId,
        rule: Arc<Rule<Upstream>>,
        status: http::StatusCode,
        location: http::HeaderValue,
    },
}

/// Where a request is forwarded to.
pub(crate) struct Forward {
    pub(crate) listener: ListenerId,
    pub(crate) rule: Arc<Rule<Upstream>>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) filters: Arc<Filters>,
    /// How many bytes of the path the match's prefix took.
    pub(crate) prefix: Option<usize>,
}

/// A refusal, with what was found before it.
pub(crate) struct Refused {
    pub(crate) listener: Option<ListenerId>,
    pub(crate) rule: Option<Arc<Rule<Upstream>>>,
    pub(crate) refusal: Refusal,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            listener: None,
            rule: None,
            refusal,
        }
    }
}

/// Refuses what is too large; `head_bytes` is the head's length on the wire, if it was one.
pub(crate) fn check_size(
    request: &RequestHeader,
    head_bytes: Option<usize>,
) -> Result<(), Refusal> {
    if request.raw_path().len() > limits::MAX_URI {
        return Err(Refusal::TargetTooLong);
    }
    let head_bytes = head_bytes.unwrap_or_default();
    if request.headers.len() > limits::MAX_HEADERS || head_bytes > limits::MAX_HEADER_LIST {
        return Err(Refusal::HeadersTooLarge);
    }
    Ok(())
}

/// Refuses a head with both Content-Length and Transfer-Encoding.
///
/// pingora takes the Content-Length away before anyone can see it ("Transfer-Encoding overrides"),
/// so `raw` is the head as it came.
pub(crate) fn check_framing(request: &RequestHeader, raw: &[u8]) -> Result<(), Refusal> {
    let chunked = request.headers.contains_key(header::TRANSFER_ENCODING);
    if chunked && raw.split(|&byte| byte == b'\n').any(is_content_length) {
        return Err(Refusal::AmbiguousLength);
    }
    Ok(())
}

fn is_content_length(line: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length";
    line.get(..NAME.len())
        .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
}

/// Finds the rule for a request, and the backend whose turn it is.
pub(crate) fn choose(
    live: &Live,
    connection: &Connection,
    request: &RequestHeader,
) -> Result<Choice, Refused> {
    let authority = authority(request)?;
    let host = Host::new(authority.unwrap_or_default());
    let port = live
        .routes
        .port(state::tcp(connection.port))
        .ok_or(Refusal::NoRoute)?;
    let listener = listener(port, connection, &host)?;
    let with_listener = |refusal| Refused {
        listener: Some(listener.id.clone()),
        rule: None,
        refusal,
    };
    let parts = parts(request).map_err(with_listener)?;
    let selected = listener
        .select(&host, &parts)
        .ok_or(Refusal::NoRoute)
        .map_err(with_listener)?;
    let prefix = match selected.path {
        PathMatched::Prefix { length } => Some(length),
        PathMatched::Exact | PathMatched::Regex => None,
    };
    let found = Found {
        live,
        listener,
        rule: selected.rule,
        prefix,
    };
    if state::has_redirect(&selected.rule.filters) {
        return found.redirect(connection, &request.uri, authority);
    }
    found.forward()
}

/// A rule that was found for a request.
struct Found<'a> {
    live: &'a Live,
    listener: &'a ListenerTable<Upstream>,
    rule: &'a Arc<Rule<Upstream>>,
    prefix: Option<usize>,
}

impl Found<'_> {
    fn refused(&self, refusal: Refusal) -> Refused {
        let listener = Some(self.listener.id.clone());
        Refused {
            listener,
            rule: Some(Arc::clone(self.rule)),
            refusal,
        }
    }

    fn forward(&self) -> Result<Choice, Refused> {
        let target = self.rule.backends.pick();
        match &target.destination {
            Destination::Backend { id: _, handle } => Ok(Choice::Forward(Forward {
                listener: self.listener.id.clone(),
                rule: Arc::clone(self.rule),
                cluster: Arc::clone(&handle.cluster),
                filters: handle.filters(self.rule, target),
                prefix: self.prefix,
            })),
            Destination::Invalid { reason: _ } => Err(self.refused(Refusal::InvalidBackend)),
        }
    }

    fn redirect(
        &self,
        connection: &Connection,
        uri: &Uri,
        authority: Option<&str>,
    ) -> Result<Choice, Refused> {
        let key = (self.rule.route.clone(), self.rule.index);
        let redirect = self.live.redirects.get(&key);
        let redirect = redirect.ok_or_else(|| self.refused(Refusal::Internal))?;
        let tls = matches!(self.listener.protocol, ListenerProtocol::Https(_));
        let location = redirect.location(&RequestFacts {
            scheme: if tls {
                RedirectScheme::Https
            } else {
                RedirectScheme::Http
            },
            listener_port: connection.port,
            authority,
            uri,
            prefix: self.prefix.and_then(|length| uri.path().get(..length)),
        });
        Ok(Choice::Redirect {
            listener: self.listener.id.clone(),
            rule: Arc::clone(self.rule),
            status: redirect.status(),
            location: location.map_err(|_| self.refused(Refusal::BadTarget))?,
        })
    }
}

fn listener<'t>(
    port: &'t PortTable<Upstream>,
    connection: &Connection,
    host: &Host<'_>,
) -> Result<&'t ListenerTable<Upstream>, Refusal> {
    let Some(tls) = &connection.tls else {
        return port
            .listener(host)
            .map(|found| &**found)
            .ok_or(Refusal::NoRoute);
    };
    match port.authority(&tls.listener, host) {
        Authority::Own => {}
        Authority::Misdirected => return Err(Refusal::Misdirected),
        Authority::Unknown => return Err(Refusal::NoRoute),
    }
    port.listener(host)
        .map(|found| &**found)
        .ok_or(Refusal::NoRoute)
}

/// The Host of a request; `None` for HTTP/1.0 without one.
fn authority(request: &RequestHeader) -> Result<Option<&str>, Refusal> {
    let of_target = request.uri.authority().map(http::uri::Authority::as_str);
    let of_header = request
        .headers
        .get(header::HOST)
        .map(http::HeaderValue::as_bytes);
    match (of_target.map(str::as_bytes).or(of_header), request.version) {
        (Some(host), _) => std::str::from_utf8(host)
            .ok()
            .filter(|host| is_host(host))
            .map(Some)
            .ok_or(Refusal::BadHost),
        (None, Version::HTTP_10) => Ok(None),
        // "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request
        // message that lacks a Host header field" (RFC 9112 section 3.2).
        (None, _) => Err(Refusal::BadHost),
    }
}

/// `uri-host [":" port]`, without the percent-encoding that no DNS name has.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:[]".contains(&b))
}

fn parts(request: &RequestHeader) -> Result<RequestParts<'_>, Refusal> {
    if !request.raw_path_is_utf8() {
        return Err(Refusal::BadTarget);
    }
    Ok(RequestParts {
        method: &request.method,
        path: request.uri.path(),
        query: request.uri.query(),
        headers: &request.headers,
    })
}

#[cfg(test)]
mod tests;
