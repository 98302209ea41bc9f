//! Every way in which a request is answered by the data plane itself.
//!
//! The mapping to statuses and bodies is here and nowhere else.

use http::StatusCode;

use super::grpc::CallStatus;
use crate::access_log::ResponseFlag;

/// Why a request was not answered by a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No Host on HTTP/1.1, an empty one, or one that is no host.
    BadHost,
    /// A request target that is no path, or not text.
    BadTarget,
    /// "A sender MUST NOT send a Content-Length header field in any message that contains a
    /// Transfer-Encoding header field" (RFC 9112 section 6.2): the usual way of smuggling one
    /// request in another.
    AmbiguousLength,
    /// More than one Content-Length, in one field or several: "the recipient of the message MUST
    /// either reject the message as invalid or replace" them (RFC 9110 section 8.6).
    RepeatedLength,
    /// A Transfer-Encoding other than `chunked`.
    UnknownCoding,
    /// A version of HTTP that is not ours.
    UnknownVersion,
    /// The request is against the protocol in another way.
    Malformed,
    /// CONNECT: this is no forward proxy.
    Connect,
    /// Longer than [`crate::limits::MAX_URI`].
    TargetTooLong,
    /// More than [`crate::limits::MAX_HEADERS`] or [`crate::limits::MAX_HEADER_LIST`].
    HeadersTooLarge,
    /// The client stopped sending its body.
    RequestTimeout,
    /// The Host belongs to another listener than the one the TLS connection was made for.
    Misdirected,
    /// The connection was let in by a port or a client validation that is no longer as it was.
    Outdated,
    /// No listener or no rule is for this request.
    NoRoute,
    /// The rule's share for this request leads to an invalid backendRef.
    InvalidBackend,
    /// The backend has no endpoint.
    NoEndpoints,
    /// No endpoint took the connection.
    ConnectFailed,
    /// The endpoint did not take the connection in time.
    ConnectTimeout,
    /// TLS with the endpoint did not come about.
    BackendTls,
    /// The endpoint broke off.
    BackendClosed,
    /// The endpoint answered against the protocol.
    BackendProtocol,
    /// The endpoint did not answer in the time the route gives.
    BackendTimeout,
    /// The client was gone before the answer was; nothing is sent.
    ClientGone,
    /// The data plane was stopped before the answer was complete; nothing more is sent.
    CutOff,
    /// Our own fault.
    Internal,
}

/// What becomes of the client's connection after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It may carry the next request.
    KeepAlive,
    /// Where it stands is not certain. Over HTTP/2 that is the stream's matter alone.
    Close,
    /// No request on it will be served: HTTP/2 says GOAWAY too.
    Leave,
}

impl Refusal {
    /// The status to answer with; `None` if there is nobody to answer.
    pub(crate) fn status(self) -> Option<StatusCode> {
        Some(match self {
            Self::BadHost
            | Self::BadTarget
            | Self::AmbiguousLength
            | Self::RepeatedLength
            | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::UnknownVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Misdirected | Self::Outdated => StatusCode::MISDIRECTED_REQUEST,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::InvalidBackend | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoEndpoints => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectFailed
            | Self::BackendTls
            | Self::BackendClosed
            | Self::BackendProtocol => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout | Self::BackendTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::ClientGone | Self::CutOff => return None,
        })
    }

    /// The status to end a gRPC call with; `None` if there is nobody to tell.
    ///
    /// As a client would make them of the HTTP statuses ("HTTP to gRPC Status Code Mapping"), with
    /// two exceptions. "When a GRPCBackendRef is invalid, `UNAVAILABLE` statuses MUST be returned"
    /// (`GRPCRouteRule.BackendRefs`). What took too long exceeded a deadline.
    pub(crate) fn call_status(self) -> Option<CallStatus> {
        Some(match self {
            Self::BadHost
            | Self::BadTarget
            | Self::AmbiguousLength
            | Self::RepeatedLength
            | Self::UnknownCoding
            | Self::UnknownVersion
            | Self::Malformed
            | Self::Internal => CallStatus::Internal,
            Self::TargetTooLong | Self::HeadersTooLarge => CallStatus::ResourceExhausted,
            Self::Connect | Self::NoRoute => CallStatus::Unimplemented,
            Self::Misdirected
            | Self::Outdated
            | Self::InvalidBackend
            | Self::NoEndpoints
            | Self::ConnectFailed
            | Self::ConnectTimeout
            | Self::BackendTls
            | Self::BackendClosed
            | Self::BackendProtocol => CallStatus::Unavailable,
            Self::RequestTimeout | Self::BackendTimeout => CallStatus::DeadlineExceeded,
            Self::ClientGone | Self::CutOff => return None,
        })
    }

    /// The body, one line. Of a gRPC call: the status in words, which need no encoding.
    pub(crate) fn body(self) -> &'static str {
        match self {
            Self::BadHost => "bad host\n",
            Self::BadTarget => "bad request target\n",
            Self::AmbiguousLength => "both content-length and transfer-encoding\n",
            Self::RepeatedLength => "more than one content-length\n",
            Self::UnknownCoding => "unknown transfer-encoding\n",
            Self::UnknownVersion => "unknown version of HTTP\n",
            Self::Malformed => "bad request\n",
            Self::Connect => "method not allowed\n",
            Self::TargetTooLong => "request target too long\n",
            Self::HeadersTooLarge => "request header too large\n",
            Self::RequestTimeout => "request took too long\n",
            Self::Misdirected => "misdirected request\n",
            Self::Outdated => "connection out of date\n",
            Self::NoRoute => "no route\n",
            Self::InvalidBackend => "invalid backend\n",
            Self::NoEndpoints => "no endpoints\n",
            Self::ConnectFailed => "cannot connect to backend\n",
            Self::ConnectTimeout => "backend took too long to connect\n",
            Self::BackendTls => "no TLS with backend\n",
            Self::BackendClosed => "backend closed the connection\n",
            Self::BackendProtocol => "bad answer from backend\n",
            Self::BackendTimeout => "backend took too long\n",
            Self::ClientGone | Self::CutOff => "",
            Self::Internal => "internal error\n",
        }
    }

    /// What it is logged and counted as.
    pub(crate) fn flag(self) -> ResponseFlag {
        match self {
            Self::BadHost
            | Self::BadTarget
            | Self::AmbiguousLength
            | Self::RepeatedLength
            | Self::UnknownCoding
            | Self::UnknownVersion
            | Self::Malformed => ResponseFlag::BadRequest,
            Self::Connect => ResponseFlag::MethodNotAllowed,
            Self::TargetTooLong => ResponseFlag::UriTooLong,
            Self::HeadersTooLarge => ResponseFlag::HeadersTooLarge,
            Self::RequestTimeout => ResponseFlag::ClientTimeout,
            Self::Misdirected | Self::Outdated => ResponseFlag::Misdirected,
            Self::NoRoute => ResponseFlag::NoRoute,
            Self::InvalidBackend => ResponseFlag::InvalidBackend,
            Self::NoEndpoints => ResponseFlag::NoEndpoints,
            Self::ConnectFailed | Self::ConnectTimeout => ResponseFlag::ConnectFailed,
            Self::BackendTls => ResponseFlag::BackendTls,
            Self::BackendClosed => ResponseFlag::BackendClosed,
            Self::BackendProtocol => ResponseFlag::BackendProtocol,
            Self::BackendTimeout => ResponseFlag::Timeout,
            Self::ClientGone => ResponseFlag::ClientClosed,
            Self::CutOff => ResponseFlag::Draining,
            Self::Internal => ResponseFlag::Internal,
        }
    }

    /// Whether the next request can be found after this one.
    pub(crate) fn afterwards(self) -> Afterwards {
        match self {
            Self::Misdirected
            | Self::NoRoute
            | Self::InvalidBackend
            | Self::NoEndpoints
            | Self::TargetTooLong => Afterwards::KeepAlive,
            Self::Outdated => Afterwards::Leave,
            Self::BadHost
            | Self::BadTarget
            | Self::AmbiguousLength
            | Self::RepeatedLength
            | Self::UnknownCoding
            | Self::UnknownVersion
            | Self::Malformed
            | Self::Connect
            | Self::HeadersTooLarge
            | Self::RequestTimeout
            | Self::ConnectFailed
            | Self::ConnectTimeout
            | Self::BackendTls
            | Self::BackendClosed
            | Self::BackendProtocol
            | Self::BackendTimeout
            | Self::ClientGone
            | Self::CutOff
            | Self::Internal => Afterwards::Close,
        }
    }
}
