//! From a request's head to what is done with it.

use std::net::Ipv6Addr;
use std::sync::Arc;

use http::{Version, header};
use portcullis_ir::ListenerProtocol;
use portcullis_ir::filter::HttpScheme;
use portcullis_ir::route::Timeouts;
use portcullis_table::{
    Authority, Destination, Family, Host, ListenerTable, PathMatched, PortTable, RequestParts,
    Rule, Selected,
};

use super::filter::cors::is_preflight;
use super::filter::{Cors, Redirect, RequestFacts};
use super::message::RequestHead;
use super::refusal::Refusal;
use super::retry::Policy;
use super::routing::{Action, Carried, Upstream};
use super::spot::Spot;
use crate::listener::connection::Connection;
use crate::state::{self, Live};

/// What is done with a request.
pub(crate) enum Choice {
    /// A backend is asked.
    Forward(Forward),
    /// It is answered with a redirect.
    Redirect {
        spot: Arc<Spot>,
        status: http::StatusCode,
        location: http::HeaderValue,
        cors: Option<Arc<Cors>>,
    },
    /// A browser asks for leave to send a request, and is answered by the filter.
    Preflight { spot: Arc<Spot>, cors: Arc<Cors> },
}

/// Where a request is forwarded to.
pub(crate) struct Forward {
    pub(crate) spot: Arc<Spot>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Option<Arc<Policy>>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) cors: Option<Arc<Cors>>,
    /// How many bytes of the path the match's prefix took.
    pub(crate) prefix: Option<usize>,
}

/// A refusal, with what was found before it.
pub(crate) struct Refused {
    pub(crate) spot: Option<Arc<Spot>>,
    pub(crate) cors: Option<Arc<Cors>>,
    pub(crate) refusal: Refusal,
    /// What the refusal leaves open.
    pub(crate) detail: Option<Arc<str>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            spot: None,
            cors: None,
            refusal,
            detail: None,
        }
    }
}

/// Finds the rule for a request, and the backend whose turn it is.
pub(crate) fn choose(
    live: &Live,
    connection: &Connection,
    request: &RequestHead,
) -> Result<Choice, Refused> {
    let nowhere = |refusal| refused(&live.routing.nowhere, refusal);
    let authority = authority(request)?;
    let host = Host::new(authority.unwrap_or_default());
    let port = live.routing.table.port(state::tcp(connection.port));
    let port = port.ok_or_else(|| nowhere(Refusal::NoRoute))?;
    check_connection(live, port.family(), connection).map_err(nowhere)?;
    let listener = listener(port, connection, &host).map_err(nowhere)?;
    let unrouted = |refusal| refused(&listener.attached, refusal);
    let selected = listener.select(&host, &parts(request));
    let Selected { rule, path } = selected.ok_or_else(|| unrouted(Refusal::NoRoute))?;
    let prefix = match path {
        PathMatched::Prefix { length } => Some(length),
        PathMatched::Exact | PathMatched::Regex | PathMatched::Call => None,
    };
    let facts = RequestFacts {
        scheme: scheme(&listener.protocol),
        listener_port: connection.port,
        authority,
        uri: &request.uri,
        prefix: prefix.and_then(|length| request.uri.path().get(..length)),
    };
    dispatch(rule, request, &facts, prefix)
}

fn refused(spot: &Arc<Spot>, refusal: Refusal) -> Refused {
    Refused {
        spot: Some(Arc::clone(spot)),
        ..Refused::from(refusal)
    }
}

/// What the rule does with a request: its own filters first, then those of the backendRef whose
/// turn it is.
fn dispatch(
    rule: &Rule<Carried>,
    request: &RequestHead,
    facts: &RequestFacts<'_>,
    prefix: Option<usize>,
) -> Result<Choice, Refused> {
    let Action {
        spot,
        timeouts,
        retry,
        redirect,
        cors,
    } = &rule.attached;
    if let Some(choice) = answer(redirect.as_deref(), cors.as_ref(), request, facts, spot) {
        return choice;
    }
    match rule.backends.pick() {
        Destination::Backend(upstream) => {
            let filters = &upstream.filters;
            let cors = filters.cors();
            let answered = answer(filters.redirect(), cors, request, facts, spot);
            answered.unwrap_or_else(|| {
                Ok(Choice::Forward(Forward {
                    spot: Arc::clone(spot),
                    timeouts: *timeouts,
                    retry: retry.clone(),
                    upstream: Arc::clone(upstream),
                    cors: cors.cloned(),
                    prefix,
                }))
            })
        }
        Destination::Invalid { reason } => Err(Refused {
            detail: Some(Arc::clone(reason)),
            cors: cors.clone(),
            ..refused(spot, Refusal::InvalidBackend)
        }),
    }
}

/// The answer that filters have themselves, if they have one. A preflight comes first: a browser
/// follows no redirect of one.
fn answer(
    redirect: Option<&Redirect>,
    cors: Option<&Arc<Cors>>,
    request: &RequestHead,
    facts: &RequestFacts<'_>,
    spot: &Arc<Spot>,
) -> Option<Result<Choice, Refused>> {
    if let Some(cors) = cors
        && is_preflight(&request.method, &request.headers)
    {
        return Some(Ok(Choice::Preflight {
            spot: Arc::clone(spot),
            cors: Arc::clone(cors),
        }));
    }
    let redirect = redirect?;
    let location = redirect.location(facts);
    let location = location.map_err(|_| refused(spot, Refusal::BadTarget));
    Some(location.map(|location| Choice::Redirect {
        spot: Arc::clone(spot),
        status: redirect.status(),
        location,
        cors: cors.cloned(),
    }))
}

fn scheme(protocol: &ListenerProtocol) -> HttpScheme {
    match protocol {
        ListenerProtocol::Https(_) => HttpScheme::Https,
        ListenerProtocol::Http
        | ListenerProtocol::TlsTerminate(_)
        | ListenerProtocol::TlsPassthrough
        | ListenerProtocol::Tcp
        | ListenerProtocol::Udp => HttpScheme::Http,
    }
}

/// Refuses a connection that was let in by rules which are no longer in force: it would carry
/// requests past the TLS or the client validation that a new connection meets.
///
/// A listener that is gone is no matter of this: its requests find no route.
fn check_connection(live: &Live, family: Family, connection: &Connection) -> Result<(), Refusal> {
    let in_force = match (&connection.tls, family) {
        (None, Family::Http) => true,
        (Some(tls), Family::Tls) => (live.terminators.get(&tls.listener))
            .is_none_or(|now| now.asks_clients_like(&tls.terminator)),
        (None, Family::Tls) | (Some(_), Family::Http) | (_, Family::Tcp | Family::Udp) => false,
    };
    in_force.then_some(()).ok_or(Refusal::Outdated)
}

fn listener<'t>(
    port: &'t PortTable<Carried>,
    connection: &Connection,
    host: &Host<'_>,
) -> Result<&'t ListenerTable<Carried>, Refusal> {
    let Some(tls) = &connection.tls else {
        let listener = port.listener(host).ok_or(Refusal::NoRoute)?;
        return Ok(listener);
    };
    match port.authority(&tls.listener, host) {
        Authority::Own(listener) => Ok(listener),
        Authority::Misdirected => Err(Refusal::Misdirected),
        Authority::Unknown => Err(Refusal::NoRoute),
    }
}

/// The Host of a request; `None` for HTTP/1.0 without one.
fn authority(request: &RequestHead) -> Result<Option<&str>, Refusal> {
    let host = request.headers.get(header::HOST);
    match (host.map(http::HeaderValue::as_bytes), request.version) {
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

/// `uri-host [ ":" port ]` (RFC 9112 section 3.2), without the percent-encoding that no DNS name has.
fn is_host(authority: &str) -> bool {
    let literal = authority.strip_prefix('[');
    if let Some((address, port)) = literal.and_then(|literal| literal.split_once(']')) {
        return address.parse::<Ipv6Addr>().is_ok() && is_port(port);
    }
    let colon = authority.find(':').unwrap_or(authority.len());
    let (name, port) = authority.split_at_checked(colon).unwrap_or_default();
    is_name(name) && is_port(port)
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

/// Nothing, or `":" *DIGIT`.
fn is_port(rest: &str) -> bool {
    let digits = rest.strip_prefix(':');
    rest.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn parts(request: &RequestHead) -> RequestParts<'_> {
    RequestParts {
        version: request.version,
        method: &request.method,
        path: request.uri.path(),
        query: request.uri.query(),
        headers: &request.headers,
    }
}

#[cfg(test)]
mod tests;
