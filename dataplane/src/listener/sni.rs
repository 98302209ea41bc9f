//! Reading a ClientHello, to choose the listener before anything is answered.
//!
//! Bounded in size; the caller bounds the time. rustls parses: a parser of our own would have to
//! agree with it to the byte.

use std::io;

use bytes::BytesMut;
use rustls::server::{Accepted, Acceptor};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits;

pub(crate) mod foreign;

/// Collects a ClientHello from pieces of any size.
pub(crate) struct HelloReader {
    acceptor: Acceptor,
    seen: BytesMut,
}

/// What [`HelloReader::push`] found.
pub(crate) enum Progress {
    /// The ClientHello is not complete.
    More,
    /// It is.
    Complete(Box<Accepted>),
}

/// A ClientHello.
pub(crate) struct Hello {
    /// As rustls has read it, ready to go on with the handshake.
    pub(crate) accepted: Box<Accepted>,
    /// Every byte that was read, to be passed on as it is if TLS does not end here.
    pub(crate) bytes: BytesMut,
}

/// Why there is no ClientHello.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelloError {
    /// The client closed before it was complete.
    #[error("the client closed the connection before its ClientHello was complete")]
    Closed {
        /// How much had arrived.
        after: usize,
    },
    /// Longer than [`limits::MAX_CLIENT_HELLO`].
    #[error("the ClientHello is longer than {} bytes", limits::MAX_CLIENT_HELLO)]
    TooLong,
    /// Not TLS, or not a ClientHello.
    #[error("not a TLS ClientHello: {error}")]
    Malformed {
        /// What rustls says.
        error: rustls::Error,
        /// The alert to send.
        alert: Vec<u8>,
        /// Every byte that was read.
        bytes: BytesMut,
    },
    /// The connection broke.
    #[error("reading the ClientHello: {0}")]
    Io(#[from] io::Error),
}

impl HelloReader {
    pub(crate) fn new() -> Self {
        Self {
            acceptor: Acceptor::default(),
            seen: BytesMut::new(),
        }
    }

    /// Takes further bytes from the client.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<Progress, HelloError> {
        if self.seen.len() + bytes.len() > limits::MAX_CLIENT_HELLO {
            return Err(HelloError::TooLong);
        }
        self.seen.extend_from_slice(bytes);
        while !bytes.is_empty() {
            self.acceptor.read_tls(&mut bytes)?;
            match self.acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return Ok(Progress::Complete(Box::new(accepted))),
                Err((error, mut alert)) => {
                    let mut record = Vec::new();
                    alert.write_all(&mut record)?;
                    return Err(HelloError::Malformed {
                        error,
                        alert: record,
                        bytes: std::mem::take(&mut self.seen),
                    });
                }
            }
        }
        Ok(Progress::More)
    }
}

/// Reads a ClientHello from `io`.
///
/// What follows it in the same read belongs to the handshake, and a client may send nothing there
/// before it is answered: reading record by record is not needed, since rustls keeps the rest.
pub(crate) async fn read_hello(io: &mut (impl AsyncRead + Unpin)) -> Result<Hello, HelloError> {
    let mut reader = HelloReader::new();
    let mut chunk = [0; 4096];
    loop {
        let read = io.read(&mut chunk).await?;
        if read == 0 {
            return Err(HelloError::Closed {
                after: reader.seen.len(),
            });
        }
        let bytes = chunk.get(..read).unwrap_or_default();
        if let Progress::Complete(accepted) = reader.push(bytes)? {
            return Ok(Hello {
                accepted,
                bytes: reader.seen,
            });
        }
    }
}

/// The fatal alert `unrecognized_name` (112) in a record of its own: "If the server understood the
/// ClientHello extension but does not recognize the server name, the server SHOULD take one of two
/// actions: either abort the handshake by sending a fatal-level unrecognized_name(112) alert or
/// continue the handshake" (RFC 6066 section 3).
pub(crate) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The fatal alert `internal_error` (80).
pub(crate) const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

#[cfg(test)]
mod tests;
