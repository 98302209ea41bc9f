//! A record as a JSON line.
//!
//! Control characters, quotes and line ends in what clients sent are escaped by JSON itself, so a
//! record is always exactly one line.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::Version;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Place, Protocol, Record};
use crate::metrics::Variants;

/// Appends `record` and a line end to `out`.
pub(super) fn write(record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line::of(record))?;
    out.push(b'\n');
    Ok(())
}

/// The line's fields, in the order they are written. What does not apply is left out.
#[derive(Serialize)]
struct Line<'a> {
    time: Text<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<Text<&'a portcullis_ir::ObjectKey>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<SocketAddr>,
    #[serde(flatten)]
    request: Option<RequestLine<'a>>,
    protocol: &'static str,
    /// Zero when the client got no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_status: Option<u16>,
    bytes_in: u64,
    bytes_out: u64,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<SocketAddr>,
    /// Left out unless there was a retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_flag: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate_subject: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

/// What only requests have.
#[derive(Serialize)]
struct RequestLine<'a> {
    method: &'a str,
    authority: &'a str,
    path: &'a str,
}

impl<'a> Line<'a> {
    fn of(record: &'a Record) -> Self {
        let Record {
            time,
            place,
            peer,
            method,
            authority,
            path,
            protocol,
            status,
            grpc_status,
            bytes_in,
            bytes_out,
            duration,
            upstream,
            attempts,
            upstream_duration,
            flag,
            detail,
            tls_version,
            server_name,
            client_subject,
            request_id,
        } = record;
        let place = place.as_deref();
        let is_request = matches!(protocol, Protocol::Http(_));
        Self {
            time: Text(Time(*time)),
            gateway: place.map(|place| Text(&place.gateway)),
            listener: place.and_then(listener),
            route: place.and_then(|place| Some(place.route.as_ref()?.as_str())),
            rule: place.and_then(|place| place.rule.as_deref()),
            client: *peer,
            request: is_request.then(|| RequestLine {
                method: method.as_str(),
                authority,
                path,
            }),
            protocol: protocol_name(*protocol),
            status: is_request.then(|| status.map_or(0, |status| status.as_u16())),
            grpc_status: *grpc_status,
            bytes_in: *bytes_in,
            bytes_out: *bytes_out,
            duration_ms: millis(*duration),
            upstream: *upstream,
            attempts: Some(*attempts).filter(|attempts| *attempts > 1),
            upstream_duration_ms: upstream_duration.map(millis),
            response_flag: flag.map(Variants::as_str),
            detail: detail.as_deref(),
            tls_version: *tls_version,
            sni: server_name.as_deref(),
            client_certificate_subject: client_subject.as_deref(),
            request_id,
        }
    }
}

fn listener(place: &Place) -> Option<&str> {
    Some(place.listener.as_ref()?.as_str())
}

fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http(Version::HTTP_10) => "HTTP/1.0",
        Protocol::Http(Version::HTTP_11) => "HTTP/1.1",
        Protocol::Http(Version::HTTP_2) => "HTTP/2",
        Protocol::Http(_) => "unknown",
        Protocol::Tcp => "TCP",
        Protocol::Tls => "TLS",
    }
}

/// With three digits after the point up to an hour, with none beyond: up to 49 days.
fn millis(duration: Duration) -> f64 {
    match u32::try_from(duration.as_micros()) {
        Ok(micros) => f64::from(micros) / 1000.0,
        Err(_) => f64::from(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)),
    }
}

/// A value written as its `Display` text.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// RFC 3339 in UTC with milliseconds.
struct Time(SystemTime);

impl Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = Timestamp::try_from(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        write!(f, "{time:.3}")
    }
}
