//! `portcullis-samples`: the sample backends as a program.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use portcullis_samples::{App, Helloworld, Server, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Sample backends for trying out and testing gateways.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    sample: Sample,
}

#[derive(Debug, Subcommand)]
enum Sample {
    /// Answers as the request asks: /status/418, /delay/1, /headers, /get, /anything and more
    Httpbin {
        /// Where to listen
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000")]
        addr: SocketAddr,
    },
    /// Greets with its version and instance at /hello
    Helloworld {
        /// Where to listen
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5000")]
        addr: SocketAddr,
        #[command(flatten)]
        identity: Identity,
    },
    /// Answers every request with a text
    Text {
        /// Where to listen
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
        addr: SocketAddr,
        /// The text
        #[arg(long)]
        text: String,
    },
    /// httpbin and helloworld, in one process
    All {
        /// Where httpbin listens
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000")]
        httpbin: SocketAddr,
        /// Where helloworld listens
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5000")]
        helloworld: SocketAddr,
        #[command(flatten)]
        identity: Identity,
    },
}

/// Who helloworld says it is.
#[derive(Debug, clap::Args)]
struct Identity {
    /// The version in the greeting
    #[arg(long, default_value = "v1")]
    version: String,
    /// The instance in the greeting
    #[arg(long, env = "HOSTNAME", default_value = "helloworld")]
    instance: String,
}

impl Sample {
    /// What to serve where.
    fn apps(self) -> Vec<(SocketAddr, App)> {
        match self {
            Self::Httpbin { addr } => vec![(addr, App::Httpbin)],
            Self::Helloworld { addr, identity } => vec![(addr, identity.app())],
            Self::Text { addr, text } => vec![(addr, App::Text(text))],
            Self::All {
                httpbin,
                helloworld,
                identity,
            } => vec![(httpbin, App::Httpbin), (helloworld, identity.app())],
        }
    }
}

impl Identity {
    fn app(self) -> App {
        let Self { version, instance } = self;
        App::Helloworld(Helloworld { version, instance })
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut servers = Vec::new();
    for (address, app) in args.sample.apps() {
        servers.push(start(address, app).await?);
    }
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    for server in servers {
        server.stop().await;
    }
    Ok(())
}

async fn start(address: SocketAddr, app: App) -> io::Result<Server> {
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let name = match &app {
        App::Httpbin => "httpbin",
        App::Helloworld(_) => "helloworld",
        App::Text(_) => "text",
    };
    let server = serve(listener, app)?;
    writeln!(io::stdout(), "{name} at http://{}", server.local_addr())?;
    Ok(server)
}
