//! The end of a data plane.

use portcullis_dataplane::Drained;

use super::{Client, Counting, Led, naming};
use crate::snapshot::{config, scene};

#[tokio::test]
async fn draining_lets_an_answer_pass_that_a_client_waits_for() {
    let backend = Led::new().await;
    let scene = scene()
        .udp("led", 53, &[("led", 1)])
        .endpoints("led", &[backend.at]);
    let plane = Counting::start(&scene, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    client.send("?").await;
    let (_, session) = backend.next().await;
    let drain = plane.plane.plane.drain();
    let answer = async {
        backend.send("!", session).await;
        assert_eq!(client.receive().await, b"!");
    };
    let (drained, ()) = tokio::join!(biased; drain, answer);
    assert_eq!(drained, Drained::Completely);
    assert_eq!(plane.sessions(), 0);
    client.send("?").await;
    let refused = client.0.recv(&mut [0; 8]).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn draining_ends_sessions() {
    let scene = scene()
        .udp("one", 53, &[("a", 1)])
        .endpoints("a", &[naming("a").await]);
    let plane = Counting::start(&scene, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    client.who_answers().await;
    assert_eq!(plane.plane.plane.drain().await, Drained::Completely);
    assert_eq!(plane.sessions(), 0);
}
