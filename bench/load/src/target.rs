//! What is asked for, and where.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::http1;
use crate::http1::Then;

/// Where a load goes and what it asks for.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The proxy
    #[arg(long)]
    pub(crate) connect: SocketAddr,
    /// Lines of `HOST PATH`, asked for in turn; the last segment of a path is `b` and the length
    /// of the answer in bytes
    #[arg(long)]
    targets: PathBuf,
    /// `NAME: VALUE`, sent with every request; repeatable
    #[arg(long)]
    header: Vec<String>,
    /// Speak TLS, and trust this certificate
    #[arg(long)]
    pub(crate) trust: Option<PathBuf>,
}

/// One request, and what its answer must be.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) path: String,
    /// The request as HTTP/1.1 has it.
    pub(crate) request: Bytes,
    /// Of the body of the answer, in bytes.
    pub(crate) length: u64,
}

impl Where {
    /// At least one.
    pub(crate) fn read_targets(&self, then: Then) -> Result<Vec<Target>> {
        let text = fs::read_to_string(&self.targets)?;
        let targets: Vec<Target> = text
            .lines()
            .map(|line| self.target(line, then).with_context(|| line.to_owned()))
            .collect::<Result<_>>()?;
        anyhow::ensure!(!targets.is_empty(), "no targets");
        Ok(targets)
    }

    fn target(&self, line: &str, then: Then) -> Result<Target> {
        let (host, path) = line.split_once(' ').context("not `HOST PATH`")?;
        let more: String = self
            .header
            .iter()
            .flat_map(|field| [field, "\r\n"])
            .collect();
        let connection = match then {
            Then::KeepAlive => "",
            Then::Close => "Connection: close\r\n",
            Then::WebSocket => {
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            }
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{connection}{more}\r\n");
        Ok(Target {
            host: host.to_owned(),
            path: path.to_owned(),
            request: request.into(),
            length: http1::asked_length(path).unwrap_or(0),
        })
    }
}
