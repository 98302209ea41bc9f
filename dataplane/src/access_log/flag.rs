//! Why a request or connection did not end with a backend's whole answer.

use crate::metrics::labels;

labels! {
    /// Why a request or connection did not end with a backend's whole answer (a forwarded connection
    /// is reset where a request gets the status that is named here); also the reasons of
    /// `portcullis_rejected_total`.
    pub enum ResponseFlag {
        /// No listener or route takes the request: 404.
        NoRoute = "no_route",
        /// The rule names no backend at all: 500.
        NoBackend = "no_backend",
        /// The chosen backendRef is invalid (does not exist, not permitted, unknown kind): 500.
        InvalidBackend = "invalid_backend",
        /// The backend has no ready endpoint: 503.
        NoEndpoints = "no_endpoints",
        /// No connection to an endpoint came about: 502 or 503.
        ConnectFailed = "connect_failed",
        /// TLS with an endpoint did not come about: 502.
        BackendTls = "backend_tls",
        /// The endpoint closed or reset the connection before its answer was complete: 502.
        BackendClosed = "backend_closed",
        /// The endpoint's answer is not HTTP, or too large: 502.
        BackendProtocol = "backend_protocol",
        /// A timeout of the route ran out: 504.
        Timeout = "timeout",
        /// The request is for a listener that its connection is not for: 421.
        Misdirected = "misdirected",
        /// The client went away before its answer was complete.
        ClientClosed = "client_closed",
        /// The client was too slow to send its request or to take its answer: 408, or closed.
        ClientTimeout = "client_timeout",
        /// The request is malformed or ambiguous: 400; or its transfer coding is unknown: 501.
        BadRequest = "bad_request",
        /// The method is not served: 405.
        MethodNotAllowed = "method_not_allowed",
        /// The request's headers are too large or too many: 431.
        HeadersTooLarge = "headers_too_large",
        /// The request's target is too long: 414.
        UriTooLong = "uri_too_long",
        /// One side of a forwarded connection had ended, and nothing came from the other for an hour.
        IdleTimeout = "idle_timeout",
        /// Too many connections or streams.
        Overload = "overload",
        /// The data plane is shutting down or the listener was removed.
        Draining = "draining",
        /// A defect of the data plane: 500.
        Internal = "internal",
    }
}
