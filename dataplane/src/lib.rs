//! Listeners, TLS and proxying for one Gateway's snapshot.

pub mod http;
