//! A whole data plane in this process, with real clients and backends on loopback.

mod backend;
mod certs;
mod client;
mod http1;
mod snapshot;
mod tls;
