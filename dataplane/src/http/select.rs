//! From a request's head to what is done with it.

use std::sync::Arc;

use http::{Version, header};
use pingora_http::RequestHeader;
use portcullis_ir::ListenerProtocol;
use portcullis_ir::filter::RedirectScheme;
use portcullis_ir::route::Timeouts;
use portcullis_table::{
    Authority, Destination, Host, ListenerTable, PathMatched, PortTable, RequestParts, Rule,
    Selected,
};

use super::filter::{Filters, RequestFacts};
use super::refusal::Refusal;
use super::spot::Spot;
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
        spot: Spot,
        status: http::StatusCode,
        location: http::HeaderValue,
    },
}

/// Where a request is forwarded to.
pub(crate) struct Forward {
    pub(crate) spot: Spot,
    pub(crate) timeouts: Timeouts,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) filters: Arc<Filters>,
    /// How many bytes of the path the match's prefix took.
    pub(crate) prefix: Option<usize>,
}

/// A refusal, with what was found before it.
pub(crate) struct Refused {
    pub(crate) spot: Option<Spot>,
    pub(crate) refusal: Refusal,
    /// What the refusal leaves open.
    pub(crate) detail: Option<Arc<str>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            spot: None,
            refusal,
            detail: None,
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
    let port = live.routing.table.port(state::tcp(connection.port));
    let port = port.ok_or_else(|| nowhere(live))?;
    let listener = listener(port, connection, &host).map_err(|refusal| Refused {
        spot: Some(live.routing.spots.nowhere()),
        ..Refused::from(refusal)
    })?;
    let unrouted = |refusal| Refused {
        spot: Some(live.routing.spots.of_listener(&listener.id)),
        ..Refused::from(refusal)
    };
    let parts = parts(request).map_err(unrouted)?;
    let selected = listener.select(&host, &parts);
    let Selected { rule, path } = selected.ok_or_else(|| unrouted(Refusal::NoRoute))?;
    let prefix = match path {
        PathMatched::Prefix { length } => Some(length),
        PathMatched::Exact | PathMatched::Regex => None,
    };
    let spot = live
        .routing
        .spots
        .of_rule(&listener.id, &rule.route, rule.index);
    if state::has_redirect(&rule.filters) {
        let facts = RequestFacts {
            scheme: scheme(&listener.protocol),
            listener_port: connection.port,
            authority,
            uri: &request.uri,
            prefix: prefix.and_then(|length| request.uri.path().get(..length)),
        };
        return redirect(live, rule, &facts, spot);
    }
    forward(rule, prefix, spot)
}

fn nowhere(live: &Live) -> Refused {
    Refused {
        spot: Some(live.routing.spots.nowhere()),
        ..Refused::from(Refusal::NoRoute)
    }
}

fn forward(rule: &Rule<Upstream>, prefix: Option<usize>, spot: Spot) -> Result<Choice, Refused> {
    let target = rule.backends.pick();
    match &target.destination {
        Destination::Backend { id: _, handle } => Ok(Choice::Forward(Forward {
            spot,
            timeouts: rule.timeouts,
            cluster: Arc::clone(&handle.cluster),
            filters: handle.filters(rule, target),
            prefix,
        })),
        Destination::Invalid { reason } => Err(Refused {
            spot: Some(spot),
            refusal: Refusal::InvalidBackend,
            detail: Some(reason.as_str().into()),
        }),
    }
}

fn redirect(
    live: &Live,
    rule: &Rule<Upstream>,
    facts: &RequestFacts<'_>,
    spot: Spot,
) -> Result<Choice, Refused> {
    let redirect = live
        .routing
        .redirects
        .get(&(rule.route.clone(), rule.index));
    let found = redirect.ok_or(Refusal::Internal).and_then(|redirect| {
        let location = redirect.location(facts).map_err(|_| Refusal::BadTarget)?;
        Ok((redirect.status(), location))
    });
    match found {
        Ok((status, location)) => Ok(Choice::Redirect {
            spot,
            status,
            location,
        }),
        Err(refusal) => Err(Refused {
            spot: Some(spot),
            ..Refused::from(refusal)
        }),
    }
}

fn scheme(protocol: &ListenerProtocol) -> RedirectScheme {
    match protocol {
        ListenerProtocol::Https(_) => RedirectScheme::Https,
        ListenerProtocol::Http
        | ListenerProtocol::TlsTerminate(_)
        | ListenerProtocol::TlsPassthrough
        | ListenerProtocol::Tcp
        | ListenerProtocol::Udp => RedirectScheme::Http,
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
