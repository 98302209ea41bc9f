//! `bench-load`: the backend of the benchmarks, and the loads that wrk and h2load cannot make.
//!
//! A load connects, warms every connection up, prints `ready` and waits for a line on stdin; then
//! it does what it was told, prints its outcome as one line of JSON and waits for another line
//! before it closes anything. So whoever reads the proxy's CPU time at these two lines has the cost
//! of the load alone. Any failure ends it with status 1: it counts no half-done work.

#![expect(clippy::print_stdout, reason = "the outcome goes to stdout")]

mod backend;
mod client;
mod connections;
mod echo;
mod gate;
mod grpc;
mod http1;
mod idle;
mod keepalive;
mod latency;
mod pace;
mod streams;
mod target;
mod tls;
mod udp;
mod websocket;

use clap::Parser;
use tokio::runtime;
use tokio::task::LocalSet;

#[derive(Parser)]
#[command(about = "Backend and loads of the benchmarks")]
enum Command {
    /// Serve all protocols until killed
    Backend(backend::Args),
    /// HTTP/1.1 requests on open connections, as fast as they go or at a fixed rate
    Http(keepalive::Args),
    /// HTTP/2 requests at a fixed rate
    Http2(streams::Args),
    /// A new connection for every HTTP/1.1 request
    Connections(connections::Args),
    /// Messages echoed on gRPC streams
    Grpc(grpc::Args),
    /// Messages echoed on WebSockets
    Websocket(websocket::Args),
    /// Datagrams echoed
    Udp(udp::Args),
    /// Connections that do nothing after their first request
    Idle(idle::Args),
}

fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, run(command))
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Backend(args) => backend::run(args).await,
        Command::Http(args) => keepalive::run(args).await,
        Command::Http2(args) => streams::run(args).await,
        Command::Connections(args) => connections::run(args).await,
        Command::Grpc(args) => grpc::run(args).await,
        Command::Websocket(args) => websocket::run(args).await,
        Command::Udp(args) => udp::run(args).await,
        Command::Idle(args) => idle::run(args).await,
    }
}
