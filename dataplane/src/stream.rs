//! Connections that are forwarded as they are: TLSRoute and TCPRoute.

pub(crate) mod duplex;
pub(crate) mod socket;
pub(crate) mod spot;
