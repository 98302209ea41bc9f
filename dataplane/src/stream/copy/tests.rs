use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::stream::pipe::Pipe;
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

const MUCH: usize = 4 * 1024 * 1024;

/// `length` bytes from a client to a backend that reads all of them; `true` if they came unchanged.
async fn much_arrives(length: usize) -> bool {
    let ((mut client, mut from), (mut backend, mut to)) = (connection().await, connection().await);
    let sent: Vec<u8> = (0..length)
        .map(|i| u8::try_from(i * 31 % 251).unwrap())
        .collect();
    let send = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let receive = async {
        let mut seen = Vec::new();
        backend.read_to_end(&mut seen).await.unwrap();
        backend.shutdown().await.unwrap();
        seen
    };
    let mut counts = Counts::default();
    let copying = copy_both_ways(&mut from, Box::default(), &mut to, &mut counts);
    let (ending, (), seen) = tokio::join!(copying, send, receive);
    assert!(matches!(ending, Ending::Complete), "{ending:?}");
    assert_eq!(counts.client, length);
    seen == sent
}

#[tokio::test]
async fn much_goes_through_a_pipe_which_is_given_back() {
    assert!(much_arrives(MUCH).await);
    assert_eq!(Pipe::count(), (0, 1));
}

#[tokio::test]
async fn little_goes_without_a_pipe() {
    for length in [1, 1000, limits::FORWARD_BUFFER] {
        assert!(much_arrives(length).await);
    }
    assert_eq!(Pipe::count(), (0, 0));
}

#[tokio::test]
async fn without_a_pipe_to_be_had_much_goes_through_all_the_same() {
    let all: Vec<_> = std::iter::from_fn(Pipe::take).collect();
    assert_eq!(all.len(), limits::FORWARD_PIPES);
    assert!(much_arrives(MUCH).await);
    drop(all);
    assert_eq!(Pipe::count(), (0, limits::SPARE_FORWARD_PIPES));
}

#[tokio::test]
async fn a_pipe_with_something_in_it_is_not_given_to_another() {
    let ((mut client, mut from), (backend, mut to)) = (connection().await, connection().await);
    let mut counts = Counts::default();
    let chunk = vec![7; 64 * 1024];
    let fill = async {
        // The backend reads nothing: at last nothing more is taken.
        while Pipe::count().0 == 0 {
            client.write_all(&chunk).await.unwrap();
        }
        drop(client);
        drop(backend);
    };
    let copying = copy_both_ways(&mut from, Box::default(), &mut to, &mut counts);
    let (ending, ()) = tokio::join!(copying, fill);
    assert!(matches!(ending, Ending::Failed { .. }), "{ending:?}");
    assert_eq!(Pipe::count(), (0, 0));
}
