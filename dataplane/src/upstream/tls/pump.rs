//! Gives a TLS connection a descriptor: a pair of sockets, the far one of which is pumped.
//!
//! One copy more of each byte; HTTP/2 carries many streams on a connection, so that most of it is
//! shared.

use std::io;

use tokio::io::{AsyncWriteExt, copy, sink, split};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::limits;
use crate::stream::socket::Socket;

/// The near end. The connection is closed once that is, and reads as ended once the backend has
/// ended it.
///
/// Errors: no descriptors to be had.
pub(super) fn start(stream: TlsStream<Socket>) -> io::Result<UnixStream> {
    let (near, far) = UnixStream::pair()?;
    tokio::spawn(pump(stream, far));
    Ok(near)
}

async fn pump(stream: TlsStream<Socket>, far: UnixStream) {
    let (mut from_backend, mut to_backend) = split(stream);
    let (mut from_us, mut to_us) = far.into_split();
    let down = async {
        // A broken connection shows as one that ended: HTTP/2 tells what was not complete.
        let _ = copy(&mut from_backend, &mut to_us).await;
        let _ = to_us.shutdown().await;
        std::future::pending::<()>().await;
    };
    let up = async {
        if copy(&mut from_us, &mut to_backend).await.is_err() {
            // Closing with something unread would take away what is still to be read.
            let _ = copy(&mut from_us, &mut sink()).await;
        }
    };
    tokio::select! {
        () = down => {}
        () = up => {}
    }
    let _ = timeout(limits::BACKEND_HANDSHAKE_TIMEOUT, to_backend.shutdown()).await;
}
