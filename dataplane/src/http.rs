//! HTTP: from a matched request to the answer.

pub mod filter;
