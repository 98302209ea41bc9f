//! HTTP/2 with a client: its requests side by side, all in the connection's task.

use bytes::BytesMut;
use tracing::debug;

use super::Stage;
use super::accept::Entrance;
use super::connection::Connection;
use crate::h2::client::Connection as Http2;
use crate::http::deadline::Timer;
use crate::stream::duplex::Duplex;

/// Serves a connection until it ends.
pub(crate) async fn serve(
    stream: Duplex,
    unread: BytesMut,
    connection: &Connection,
    entrance: &Entrance,
) {
    let http2 = match Http2::handshake(stream, unread).await {
        Ok(http2) => http2,
        Err(error) => {
            debug!(peer = %connection.peer, %error, "HTTP/2 did not begin");
            return;
        }
    };
    let mut stage = entrance.signals.stage.clone();
    let leaving = async {
        // An error means that the data plane is gone, which is as good.
        let _ = stage.wait_for(|stage| *stage > Stage::Open).await;
    };
    let gateway = &entrance.worker.gateway;
    let served = http2.serve(leaving, |arrived, mut stream| async move {
        let mut timer = Timer::default();
        // Tunnels are HTTP/1's.
        let _ = (gateway.serve(&mut stream, arrived, connection, &mut timer)).await;
    });
    if let Err(error) = served.await {
        debug!(peer = %connection.peer, %error, "HTTP/2 broke");
    }
}
