//! A whole data plane in this process, with real clients and backends on loopback.

mod backend;
mod backends;
mod certs;
mod client;
mod http1;
mod lifecycle;
mod snapshot;
mod tls;
