//! What is known of a request, or of a forwarded connection, when it is over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, Version};
use portcullis_ir::{ListenerId, ObjectKey, RouteId};

use super::ResponseFlag;

/// One request or forwarded connection, as it is logged. Text fields are copied in (`push_str`), so
/// that a waiting record holds no connection's buffers.
#[derive(Clone, Debug)]
pub struct Record {
    /// When the request's head was read, or the connection accepted.
    pub time: SystemTime,
    /// What took it.
    pub place: Option<Arc<Place>>,
    /// The client's address as the socket says.
    pub peer: Option<SocketAddr>,
    /// The method; of a request only, as what follows to `path`.
    pub method: Method,
    /// `:authority` or Host; empty if there was none.
    pub authority: String,
    /// The request's target as sent, with its query.
    pub path: String,
    /// What the client spoke.
    pub protocol: Protocol,
    /// The status the client got; `None` when it got none.
    pub status: Option<StatusCode>,
    /// `grpc-status` of a gRPC call; `None` if it is none, or ended without one.
    pub grpc_status: Option<u16>,
    /// Bytes of the request's body, or all that the client sent.
    pub bytes_in: u64,
    /// Bytes of the answer's body, or all that the backend sent.
    pub bytes_out: u64,
    /// From [`Record::time`] to the end of the answer or of the connection.
    pub duration: Duration,
    /// The endpoint asked last.
    pub upstream: Option<SocketAddr>,
    /// Attempts at endpoints; zero if none was asked.
    pub attempts: u32,
    /// From the first attempt to that endpoint's answer head; from [`Record::time`] to the
    /// connection.
    pub upstream_duration: Option<Duration>,
    /// Why the client did not get a backend's whole answer.
    pub flag: Option<ResponseFlag>,
    /// What [`Record::flag`] leaves open, such as why a backendRef is invalid.
    pub detail: Option<Arc<str>>,
    /// `TLSv1.3`, `TLSv1.2`; `None` in clear text.
    pub tls_version: Option<&'static str>,
    /// The SNI.
    pub server_name: Option<Arc<str>>,
    /// The subject of the client's certificate.
    pub client_subject: Option<Arc<str>>,
    /// `X-Request-Id`; empty if there was none.
    pub request_id: String,
}

/// What a client spoke, as far as the listener looks into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The record is of a request.
    Http(Version),
    /// The record is of a connection on a TCP listener.
    Tcp,
    /// The record is of a connection on a TLS listener, ended here or passed through.
    Tls,
}

/// Where a request was taken. Made once per rule when the table is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The Gateway.
    pub gateway: ObjectKey,
    /// The listener, once it is known.
    pub listener: Option<ListenerId>,
    /// The route, if one took it.
    pub route: Option<RouteId>,
    /// The rule's name or, without one, its index.
    pub rule: Option<Arc<str>>,
}

/// Text buffers larger than this are not kept for the next request.
const KEPT_CAPACITY: usize = 1024;

impl Default for Record {
    fn default() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH,
            place: None,
            peer: None,
            method: Method::GET,
            authority: String::new(),
            path: String::new(),
            protocol: Protocol::Http(Version::HTTP_11),
            status: None,
            grpc_status: None,
            bytes_in: 0,
            bytes_out: 0,
            duration: Duration::ZERO,
            upstream: None,
            attempts: 0,
            upstream_duration: None,
            flag: None,
            detail: None,
            tls_version: None,
            server_name: None,
            client_subject: None,
            request_id: String::new(),
        }
    }
}

impl Record {
    /// Makes it blank, keeping the text buffers.
    pub(super) fn clear(&mut self) {
        let blank = Self {
            authority: emptied(&mut self.authority),
            path: emptied(&mut self.path),
            request_id: emptied(&mut self.request_id),
            ..Self::default()
        };
        *self = blank;
    }
}

fn emptied(text: &mut String) -> String {
    let mut text = std::mem::take(text);
    text.clear();
    text.shrink_to(KEPT_CAPACITY);
    text
}
