//! Asking a running gateway.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a running gateway may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Why a running gateway gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("{0:?} is no admin address; expected 127.0.0.1:15000 or http://127.0.0.1:15000")]
    Address(String),
    #[error("no gateway answers at {address} ({source}); is it running, and with that --admin?")]
    Unreachable { address: String, source: io::Error },
    #[error("{address} answered {status}: {body}")]
    Refused {
        address: String,
        status: String,
        body: String,
    },
    #[error("{address} gave no answer that a gateway would give")]
    Unintelligible { address: String },
}

/// The body of `GET path`.
pub(crate) fn ask(admin: &str, path: &str) -> Result<String, AskError> {
    let address = admin
        .strip_prefix("http://")
        .unwrap_or(admin)
        .trim_end_matches('/');
    if address.contains('/') || !address.contains(':') {
        return Err(AskError::Address(admin.to_owned()));
    }
    let unreachable = |source| AskError::Unreachable {
        address: address.to_owned(),
        source,
    };
    let answer = exchange(address, path).map_err(unreachable)?;
    body(&answer, address)
}

/// A request whose answer comes in one piece and ends with the connection: HTTP/1.0.
pub(crate) fn request(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")
}

/// The body of a whole answer from `address`.
pub(crate) fn body(answer: &[u8], address: &str) -> Result<String, AskError> {
    let unintelligible = || AskError::Unintelligible {
        address: address.to_owned(),
    };
    let answer = str::from_utf8(answer).map_err(|_| unintelligible())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(unintelligible)?;
    let status_line = head.lines().next().unwrap_or_default();
    let (version, status) = status_line.split_once(' ').ok_or_else(unintelligible)?;
    if !version.starts_with("HTTP/1.") {
        return Err(unintelligible());
    }
    if !status.starts_with("200") {
        return Err(AskError::Refused {
            address: address.to_owned(),
            status: status.to_owned(),
            body: body.trim().to_owned(),
        });
    }
    Ok(body.to_owned())
}

fn exchange(address: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no such address");
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.write_all(request(path, address).as_bytes())?;
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer)?;
                return Ok(answer);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
