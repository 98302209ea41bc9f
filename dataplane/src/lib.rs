//! Listeners, TLS and proxying for one Gateway's snapshot.

pub mod access_log;
pub mod http;
pub mod metrics;
