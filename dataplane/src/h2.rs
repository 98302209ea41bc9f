//! HTTP/2, on the `h2` crate: the client's end and the backend's end of an exchange.
//!
//! The crate frames, packs heads, controls the flow and defends itself (rapid resets, floods of
//! CONTINUATION, of PING and of small DATA). What is here is what it leaves open: when bytes go out
//! ([`io`]), heads in the terms of [`crate::http::message`], what a connection does over its life
//! ([`client`], [`backend`]), and which of a backend's connections a request goes over
//! ([`backend::Sessions`]).

pub(crate) mod backend;
pub(crate) mod client;
mod io;
mod receiving;
mod sending;
