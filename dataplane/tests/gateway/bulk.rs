//! Connections on TCP listeners through which much goes, which the kernel then moves alone.

use std::io::ErrorKind;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::snapshot::Plane;
use crate::streams::{all, forwarding, held, joined};

const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 4096;

/// What the chunk with that number consists of.
fn chunk(number: usize) -> Vec<u8> {
    (0..CHUNK)
        .map(|i| u8::try_from((i * 31 + number * 7) % 251).unwrap())
        .collect()
}

/// All chunks there are.
fn patterns() -> Vec<Vec<u8>> {
    (0..251).map(chunk).collect()
}

async fn write_chunks(to: &mut (impl AsyncWrite + Unpin), count: usize) {
    let patterns = patterns();
    for number in 0..count {
        to.write_all(&patterns[number % 251]).await.unwrap();
    }
    to.shutdown().await.unwrap();
}

async fn expect_chunks(from: &mut (impl AsyncRead + Unpin), count: usize) {
    let patterns = patterns();
    let mut seen = vec![0; CHUNK];
    for number in 0..count {
        from.read_exact(&mut seen).await.unwrap();
        assert!(seen == patterns[number % 251], "chunk {number}");
    }
    assert_eq!(from.read(&mut seen).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_goes_both_ways_at_once() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    let (client, server) = joined(&plane, &backend).await;
    let ends = [client, server].map(|end| {
        let (mut read, mut write) = end.into_split();
        let writer = tokio::spawn(async move { write_chunks(&mut write, CHUNKS).await });
        let reader = tokio::spawn(async move { expect_chunks(&mut read, CHUNKS).await });
        (writer, reader)
    });
    for (writer, reader) in ends {
        writer.await.unwrap();
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_side_may_end_while_much_goes_the_other_way() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    let (mut client, mut server) = joined(&plane, &backend).await;
    client.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), "");
    let writer = tokio::spawn(async move { write_chunks(&mut server, 256).await });
    expect_chunks(&mut client, 256).await;
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_bulk_alternate() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    let (mut client, mut server) = joined(&plane, &backend).await;
    let bulk: Vec<u8> = (0..32).flat_map(chunk).collect();
    for round in 0..8 {
        let request = format!("message {round}");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut seen = vec![0; request.len()];
        server.read_exact(&mut seen).await.unwrap();
        assert_eq!(seen, request.as_bytes());
        let mut seen = vec![0; bulk.len()];
        let (written, read) = tokio::join!(server.write_all(&bulk), client.read_exact(&mut seen));
        written.unwrap();
        read.unwrap();
        assert!(seen == bulk, "round {round}");
    }
}

fn reset(stream: TcpStream) {
    let now = Some(Duration::ZERO);
    SockRef::from(&stream).set_linger(now).unwrap();
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_amid_much_resets_the_other_side() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    for writer_resets in [true, false] {
        let (mut client, mut server) = joined(&plane, &backend).await;
        let bulk: Vec<u8> = (0..256).flat_map(chunk).collect();
        let mut seen = vec![0; CHUNK * 64];
        let half = async {
            server.read_exact(&mut seen).await.unwrap();
        };
        tokio::select! {
            _ = client.write_all(&bulk) => {}
            () = half => {}
        }
        let (reset_one, mut kept) = if writer_resets {
            (client, server)
        } else {
            (server, client)
        };
        reset(reset_one);
        let error = kept.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

/// Writes until nothing more is taken; how much was.
async fn fill(stream: &mut TcpStream) -> usize {
    let chunk = chunk(0);
    let mut written = 0;
    // The kernels' buffers grow for a while.
    let patience = Duration::from_millis(300);
    while let Ok(more) = tokio::time::timeout(patience, stream.write(&chunk)).await {
        written += more.unwrap();
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_up_the_writer_and_gets_everything() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    let (mut client, mut server) = joined(&plane, &backend).await;
    // Much has gone already, so that a pipe is in use.
    let bulk: Vec<u8> = (0..64).flat_map(chunk).collect();
    let mut seen = vec![0; bulk.len()];
    let (written, read) = tokio::join!(client.write_all(&bulk), server.read_exact(&mut seen));
    written.unwrap();
    read.unwrap();
    let mut total = fill(&mut client).await;
    assert!(total < 64 * 1024 * 1024, "{total} bytes are buffered");
    let mut small = vec![0; 1000];
    for _ in 0..1000 {
        server.read_exact(&mut small).await.unwrap();
        total -= small.len();
    }
    client.shutdown().await.unwrap();
    let rest = server.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(rest, total);
}
