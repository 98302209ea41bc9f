use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::stream::socket::Socket;

#[derive(Default)]
struct Counts {
    client: usize,
    backend: usize,
}

impl Tally for Counts {
    fn passed_on(&mut self, side: Side, bytes: usize) {
        match side {
            Side::Client => self.client += bytes,
            Side::Backend => self.backend += bytes,
        }
    }
}

/// A peer, and the connection with it as the gateway has it.
async fn connection() -> (TcpStream, Duplex) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(at), listener.accept());
    let (accepted, _) = accepted.unwrap();
    (peer.unwrap(), Duplex::Plain(Socket::new(accepted)))
}

#[tokio::test]
async fn what_was_read_before_goes_first_and_all_is_counted() {
    let ((mut client, mut from), (mut backend, mut to)) = (connection().await, connection().await);
    let mut counts = Counts::default();
    client.write_all(b" and this").await.unwrap();
    client.shutdown().await.unwrap();
    let answer = async {
        let mut seen = String::new();
        backend.read_to_string(&mut seen).await.unwrap();
        backend.write_all(b"fine").await.unwrap();
        drop(backend);
        seen
    };
    let head = b"this".as_slice().into();
    let copying = copy_both_ways(&mut from, head, &mut to, &mut counts);
    let (ending, seen) = tokio::join!(copying, answer);
    assert!(matches!(ending, Ending::Complete), "{ending:?}");
    assert_eq!(seen, "this and this");
    assert_eq!((counts.client, counts.backend), (13, 4));
}

#[tokio::test(start_paused = true)]
async fn half_a_connection_without_a_byte_ends_at_last() {
    let ((mut client, mut from), (_backend, mut to)) = (connection().await, connection().await);
    client.shutdown().await.unwrap();
    let mut counts = Counts::default();
    let start = tokio::time::Instant::now();
    let ending = copy_both_ways(&mut from, Box::default(), &mut to, &mut counts).await;
    assert!(matches!(ending, Ending::Stale), "{ending:?}");
    assert!(start.elapsed() >= limits::HALF_CLOSED_IDLE);
}

#[tokio::test(start_paused = true)]
async fn a_whole_connection_may_be_silent_for_ever() {
    let ((_client, mut from), (_backend, mut to)) = (connection().await, connection().await);
    let mut counts = Counts::default();
    let copying = copy_both_ways(&mut from, Box::default(), &mut to, &mut counts);
    let year = Duration::from_hours(24 * 365);
    tokio::time::timeout(year, copying).await.unwrap_err();
}

#[tokio::test]
async fn the_side_that_failed_is_named() {
    for broken in [Side::Client, Side::Backend] {
        let ((client, mut from), (backend, mut to)) = (connection().await, connection().await);
        let (reset, kept) = match broken {
            Side::Client => (client, backend),
            Side::Backend => (backend, client),
        };
        socket2::SockRef::from(&reset)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(reset);
        let mut counts = Counts::default();
        let ending = copy_both_ways(&mut from, Box::default(), &mut to, &mut counts).await;
        let Ending::Failed { side, .. } = ending else {
            panic!("{ending:?}");
        };
        assert_eq!(side, broken);
        drop(kept);
    }
}
