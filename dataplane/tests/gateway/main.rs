//! A whole data plane in this process, with real clients and backends on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backend;
mod backend_connections;
mod backend_tls;
mod backends;
mod bulk;
mod certs;
mod client;
mod datagrams;
mod edges;
mod failing;
mod filters;
mod grpc;
mod heads;
mod http1;
mod http2;
mod lifecycle;
mod mirrors;
mod outdated;
mod passthrough;
mod reports;
mod restarts;
mod retries;
mod snapshot;
mod streams;
mod terminated;
mod timeouts;
mod tls;
mod tls_backend;
