//! One forwarded connection from its arrival to its end.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_table::Host;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::choose::{Refused, Target, choose};
use super::copy::{Ending, Side, copy_both_ways};
use super::duplex::Duplex;
use super::report::{Arrival, Report};
use super::socket::Socket;
use crate::access_log::{Protocol, ResponseFlag};
use crate::listener::accept::Entrance;
use crate::state;
use crate::upstream::connect::{Connected, FailedAttempt, connect};

/// Serves a connection on a TCP listener.
pub(crate) async fn serve_tcp(stream: TcpStream, peer: SocketAddr, entrance: &Entrance) {
    let client = Client {
        stream: Duplex::Plain(Socket::new(stream)),
        head: Box::default(),
    };
    let chosen = {
        let live = entrance.worker.shared.live.load();
        let port = live.routing.table.port(state::tcp(entrance.port));
        port.and_then(|port| port.listener(&Host::NONE))
            .map(|listener| choose(listener, &Host::NONE))
    };
    // Without a listener, the port is about to be closed.
    let Some(chosen) = chosen else {
        client.stream.socket().reset_when_closed();
        return;
    };
    let arrival = Arrival {
        at: Instant::now(),
        peer,
        protocol: Protocol::Tcp,
        tls_version: None,
        server_name: None,
        client_subject: None,
    };
    serve(client, arrival, chosen, entrance).await;
}

/// A client's connection, and what was read from it already.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: Duplex,
    pub(crate) head: Box<[u8]>,
}

/// Forwards a connection, or resets it, and reports it.
pub(crate) async fn serve(
    client: Client,
    arrival: Arrival,
    chosen: Result<Target, Refused>,
    entrance: &Entrance,
) {
    let log = entrance.worker.shared.access_log.clone();
    let gateway = Arc::clone(&entrance.gateway);
    match chosen {
        Ok(Target { spot, upstream }) => {
            let place = Arc::clone(&spot.place);
            let route = Some(Arc::clone(&spot.metrics));
            let mut report = Report::new(log, gateway, arrival, place, route);
            let target = Target { spot, upstream };
            forward(client, &target, &mut report).await;
        }
        Err(Refused {
            place,
            flag,
            detail,
        }) => {
            client.stream.socket().reset_when_closed();
            let mut report = Report::new(log, gateway, arrival, place, None);
            report.flag = Some(flag);
            report.detail = detail;
        }
    }
}

async fn forward(client: Client, target: &Target, report: &mut Report) {
    let Client { mut stream, head } = client;
    let Some(mut backend) = reach(&stream, target, report).await else {
        stream.socket().reset_when_closed();
        return;
    };
    let open = target.spot.metrics.open();
    let ending = copy_both_ways(&mut stream, head, &mut backend, report).await;
    drop(open);
    if !matches!(ending, Ending::Complete) {
        stream.socket().reset_when_closed();
        backend.socket().reset_when_closed();
    }
    (report.flag, report.detail) = match ending {
        Ending::Complete => (None, None),
        Ending::Failed { side, error } => {
            let flag = match side {
                Side::Client => ResponseFlag::ClientClosed,
                Side::Backend => ResponseFlag::BackendClosed,
            };
            (Some(flag), Some(error.to_string().into()))
        }
        Ending::Stale => (Some(ResponseFlag::IdleTimeout), None),
    };
}

/// Connects to the backend, for as long as the client is there.
async fn reach(client: &Duplex, target: &Target, report: &mut Report) -> Option<Duplex> {
    let mut failed = Vec::new();
    let watch = client.socket().watch();
    let connected = tokio::select! {
        biased;
        error = watch.failed() => Err(error),
        connected = connect(&target.upstream.cluster, &mut failed) => Ok(connected),
    };
    for FailedAttempt { label, .. } in &failed {
        target.spot.metrics.connect_failures[*label].increment();
    }
    let (flag, detail) = match connected {
        Ok(Some(Connected { stream, address })) => {
            report.upstream = Some(address);
            report.connected_after = Some(report.elapsed());
            return Some(stream);
        }
        Ok(None) if failed.is_empty() => (ResponseFlag::NoEndpoints, None),
        Ok(None) => (ResponseFlag::ConnectFailed, Some(in_words(&failed))),
        Err(error) => (ResponseFlag::ClientClosed, Some(error.to_string())),
    };
    report.flag = Some(flag);
    report.detail = detail.map(Arc::from);
    None
}

fn in_words(failed: &[FailedAttempt]) -> String {
    let mut text = String::new();
    for attempt in failed {
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a String does not fail.
        let _ = write!(text, "{separator}{attempt}");
    }
    text
}
