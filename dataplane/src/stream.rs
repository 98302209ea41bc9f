//! Connections that are forwarded as they are: TLSRoute and TCPRoute.
//!
//! A connection's route and backend are chosen once, when it arrives. What is applied later does not
//! touch it: neither other routes nor other endpoints, nor the end of its own route, backend or
//! listener. It ends when the two sides end it, or when the data plane has been drained
//! ([`crate::DrainConfig::max`]). So a database connection outlives a week of edits; who wants to cut
//! one off restarts the backend or the data plane.
//!
//! What cannot be forwarded is reset rather than closed: "the underlying implementation MUST actively
//! reject connection attempts to this backend" (`TCPRouteRule.BackendRefs`). An orderly end would
//! look to the client like an empty answer.

pub(crate) mod buffer;
pub(crate) mod choose;
pub(crate) mod copy;
pub(crate) mod duplex;
mod pipe;
pub(crate) mod report;
pub(crate) mod session;
pub(crate) mod socket;
pub(crate) mod spot;
