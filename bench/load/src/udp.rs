//! Datagrams that come back, on several flows.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use tokio::net::UdpSocket;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::gate::{self, Budget, Outcome};
use crate::latency::Latencies;

/// After this a datagram is lost, which fails the load: nothing here overflows a socket's buffer.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    connect: SocketAddr,
    /// Flows, each a socket of its own
    #[arg(long)]
    flows: usize,
    /// Datagrams on their way at a time, on each flow
    #[arg(long)]
    window: usize,
    /// Of a datagram, in bytes
    #[arg(long)]
    size: usize,
    /// How many in all, of those that come back
    #[arg(long)]
    datagrams: u64,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let Args {
        connect,
        flows,
        window,
        size,
        datagrams,
    } = args;
    let payload: Rc<[u8]> = vec![b'd'; size].into();
    let mut sockets = Vec::with_capacity(flows);
    for _ in 0..flows {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(connect).await?;
        socket.send(&payload).await?;
        receive(&socket, size).await?;
        sockets.push(socket);
    }
    let started = gate::ready().await?;
    let budget = Rc::new(Budget::new(datagrams));
    let tasks = sockets.into_iter().map(|socket| {
        let (payload, budget) = (Rc::clone(&payload), Rc::clone(&budget));
        spawn_local(async move { flow(&socket, &payload, window, &budget).await })
    });
    let shares: Vec<Result<()>> = try_join_all(tasks).await?;
    shares.into_iter().collect::<Result<()>>()?;
    let outcome = Outcome {
        count: datagrams,
        bytes: datagrams * size as u64,
        wall: started.elapsed(),
        latencies: Latencies::default(),
    };
    Ok(gate::done(outcome).await?)
}

/// Keeps `window` datagrams on their way until the budget is spent and all are back.
async fn flow(socket: &UdpSocket, payload: &[u8], window: usize, budget: &Budget) -> Result<()> {
    let mut on_the_way = 0;
    loop {
        while on_the_way < window && budget.take() {
            socket.send(payload).await?;
            on_the_way += 1;
        }
        if on_the_way == 0 {
            return Ok(());
        }
        receive(socket, payload.len()).await?;
        on_the_way -= 1;
    }
}

async fn receive(socket: &UdpSocket, size: usize) -> Result<()> {
    let mut buffer = [0; 2048];
    let received = timeout(PATIENCE, socket.recv(&mut buffer)).await;
    let length = received.context("a datagram was lost")??;
    ensure!(length == size, "a datagram of {length} bytes came back");
    Ok(())
}
