//! Heads of messages out of their bytes.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};

use super::framing::{Fields, Framing, FramingFault};
use super::names::{self, Name, Names, Role};
use super::target::{self, Target};
use crate::http::message::{Arrived, Length, RequestHead, ResponseHead, Spelling};
use crate::http::rare::Rares;
use crate::http::refusal::Refusal;
use crate::limits;

/// Room for the fields that we and filters add, so that the map need not grow.
const ADDED: usize = 4;

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) arrived: Arrived,
    pub(crate) framing: Framing,
    pub(crate) persistence: After,
}

/// An answer, or an interim one.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) framing: Framing,
    pub(crate) persistence: After,
}

/// What may become of the connection after a message, for all that its head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It may carry another.
    KeepAlive,
    /// It carries no other.
    Close,
}

/// Reads the head of a request, all of it and no more.
///
/// A refusal in [`Request::arrived`] is of a request that could be read; any other is of what is
/// none.
pub(crate) fn request(raw: &Bytes) -> Result<Request, Refusal> {
    let mut slots = [const { MaybeUninit::uninit() }; limits::MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(raw, &mut slots) {
        Ok(httparse::Status::Complete(length)) if length == raw.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadersTooLarge),
        Err(httparse::Error::Version) => return Err(Refusal::UnknownVersion),
        Ok(_) | Err(_) => return Err(Refusal::Malformed),
    }
    let (Some(method), Some(path)) = (parsed.method, parsed.path) else {
        return Err(Refusal::Malformed);
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::Malformed)?;
    if path.len() > limits::MAX_URI {
        return Err(Refusal::TargetTooLong);
    }
    let version = version(parsed.version);
    let target = target::read(&method, raw.slice_ref(path.as_bytes()))?;
    let read = Read::fields(raw, parsed.headers).ok_or(Refusal::Malformed)?;
    Ok(read.into_request(method, target, version, raw.len()))
}

/// Reads the head of an answer to a request with `method`, all of it and no more.
pub(crate) fn response(raw: &Bytes, method: &Method) -> Result<Response, &'static str> {
    let mut slots = [const { MaybeUninit::uninit() }; limits::MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut parsed, raw, &mut slots) {
        Ok(httparse::Status::Complete(length)) if length == raw.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err("too many header fields"),
        Ok(_) | Err(_) => return Err("not the head of an answer"),
    }
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or("not a status")?;
    let version = version(parsed.version);
    let read = Read::fields(raw, parsed.headers).ok_or("not a header field")?;
    let Read {
        headers,
        rares,
        fields,
        spelling,
        hosts: _,
    } = read;
    let framing = fields.of_response(version, status, method);
    let (framing, length) = framing.map_err(FramingFault::text)?;
    Ok(Response {
        head: ResponseHead {
            status,
            headers,
            rares,
            length,
            spelling,
        },
        framing,
        persistence: After::of(&fields, version),
    })
}

/// Reads a trailer section, its empty line included. `None`: it is none.
///
/// "A sender MUST NOT generate a trailer field unless the sender knows the corresponding header
/// field name's definition permits" it, which those for framing, routing, authentication and the
/// like do not (RFC 9110 section 6.5.1): these are left out, since backends that merge trailers
/// into the head would be told something that we did not look at.
pub(crate) fn trailers(raw: &Bytes) -> Option<HeaderMap> {
    let mut slots = [httparse::EMPTY_HEADER; limits::MAX_HEADERS];
    let Ok(httparse::Status::Complete((length, fields))) = httparse::parse_headers(raw, &mut slots)
    else {
        return None;
    };
    if length != raw.len() {
        return None;
    }
    names::with(|names| {
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let (Name { lower, .. }, value) = read_field(names, raw, field)?;
            if may_trail(&lower) {
                trailers.try_append(lower, value).ok()?;
            }
        }
        Some(trailers)
    })
}

fn may_trail(name: &http::HeaderName) -> bool {
    !matches!(
        *name,
        header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONNECTION
            | header::CONTENT_ENCODING
            | header::CONTENT_LENGTH
            | header::CONTENT_RANGE
            | header::CONTENT_TYPE
            | header::COOKIE
            | header::EXPECT
            | header::HOST
            | header::PROXY_AUTHORIZATION
            | header::SET_COOKIE
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    ) && !matches!(name.as_str(), "keep-alive" | "proxy-connection")
        && !name.as_str().starts_with("x-forwarded-")
}

fn version(minor: Option<u8>) -> Version {
    match minor {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}

impl After {
    fn of(fields: &Fields, version: Version) -> Self {
        if fields.persists(version) {
            Self::KeepAlive
        } else {
            Self::Close
        }
    }
}

/// The fields of a head, and what they say.
struct Read {
    headers: HeaderMap,
    rares: Rares,
    fields: Fields,
    hosts: Hosts,
    spelling: Spelling,
}

/// The values of `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    None,
    One(HeaderValue),
    Several,
}

impl Read {
    fn fields(raw: &Bytes, parsed: &[httparse::Header<'_>]) -> Option<Self> {
        let mut headers = HeaderMap::with_capacity(parsed.len() + ADDED);
        let mut rares = Rares::default();
        let mut fields = Fields::default();
        let mut hosts = Hosts::None;
        names::with(|names| {
            for field in parsed {
                let (named, value) = read_field(names, raw, field)?;
                match named.role {
                    Role::Other => {}
                    Role::Length => fields.length(value.as_bytes()),
                    Role::Connection => fields.connection(value.as_bytes()),
                    Role::Host if hosts == Hosts::None => hosts = Hosts::One(value.clone()),
                    Role::Host => hosts = Hosts::Several,
                    Role::Coding => {
                        fields.coding(value.as_bytes());
                        continue;
                    }
                }
                rares.note(named.rare);
                headers.try_append(named.lower, value).ok()?;
            }
            Some(())
        })?;
        let spelling = (parsed.first()).map_or_else(Spelling::default, |first| lines(raw, first));
        Some(Self {
            headers,
            rares,
            fields,
            hosts,
            spelling,
        })
    }

    fn into_request(
        self,
        method: Method,
        target: Target,
        version: Version,
        head_bytes: usize,
    ) -> Request {
        let Self {
            mut headers,
            rares,
            fields,
            hosts,
            spelling,
        } = self;
        let Target { uri, authority } = target;
        let host = check_host(&hosts, version, authority.as_ref());
        if let Some(authority) = authority {
            headers.insert(header::HOST, authority);
        }
        let framing = fields.of_request(version);
        let (framing_or_none, length) = framing.unwrap_or((Framing::Length(0), Length::Nothing));
        let refusal = [too_large(head_bytes), host, framing.err()];
        let persistence = if framing.is_ok() {
            After::of(&fields, version)
        } else {
            After::Close
        };
        Request {
            arrived: Arrived {
                head: RequestHead {
                    method,
                    uri,
                    version,
                    headers,
                    rares,
                    length,
                    spelling,
                },
                refusal: refusal.into_iter().flatten().next(),
            },
            framing: framing_or_none,
            persistence,
        }
    }
}

fn too_large(head_bytes: usize) -> Option<Refusal> {
    (head_bytes > limits::MAX_HEADER_LIST).then_some(Refusal::HeadersTooLarge)
}

/// "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
/// lacks a Host header field and to any request message that contains more than one Host header
/// field line or a Host header field with an invalid field value" (RFC 9112 section 3.2).
///
/// Deviation: a target in absolute form stands in for a Host that is not there. One that is
/// another than the target's is refused, though it would be ignored: not all ignore it.
fn check_host(hosts: &Hosts, version: Version, authority: Option<&HeaderValue>) -> Option<Refusal> {
    let is_good = match (hosts, authority) {
        (Hosts::Several, _) => false,
        (Hosts::None, Some(_)) => true,
        (Hosts::None, None) => version != Version::HTTP_11,
        (Hosts::One(host), authority) => {
            !host.is_empty()
                && target::is_host(host.as_bytes())
                && authority.is_none_or(|it| it.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
        }
    };
    (!is_good).then_some(Refusal::BadHost)
}

fn read_field(
    names: &mut Names,
    raw: &Bytes,
    field: &httparse::Header<'_>,
) -> Option<(Name, HeaderValue)> {
    let name = names.find(field.name.as_bytes())?;
    let value = HeaderValue::from_maybe_shared(raw.slice_ref(field.value)).ok()?;
    Some((name, value))
}

/// The field lines of a head, which begin with `first`.
fn lines(raw: &Bytes, first: &httparse::Header<'_>) -> Spelling {
    let start = first.name.as_ptr().addr() - raw.as_ptr().addr();
    Spelling(
        raw.get(start..)
            .map_or_else(Bytes::new, |lines| raw.slice_ref(lines)),
    )
}

#[cfg(test)]
mod tests;
