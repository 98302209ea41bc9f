//! Many calls, and slow ones beside quick ones.

use futures_util::{StreamExt, stream};
use tonic::codegen::Bytes;

use super::backend::serving;
use super::client::Caller;
use super::to_backend;
use crate::snapshot::{Plane, config};

#[tokio::test]
async fn a_thousand_streams_at_once_share_few_connections() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        let caller = Caller::open(plane.at(80)).await;
        for _ in 0..100 {
            let (sender, messages) = tokio::sync::mpsc::channel(16);
            let messages = stream::unfold(messages, |mut messages| async move {
                Some((messages.recv().await?, messages))
            });
            sender.try_send(Bytes::from_static(b"first")).unwrap();
            let echoed = caller.call("Late", messages).await.unwrap().into_inner();
            streams.push((sender, echoed));
        }
    }
    backend.seen.open(1000).await;
    // 100 to a connection; two workers, each with some that it did not fill.
    assert!(
        backend.server.connections() <= 22,
        "{}",
        backend.server.connections()
    );
    for (sender, _) in &streams {
        for _ in 0..10 {
            sender.try_send(Bytes::from(vec![1; 1000])).unwrap();
        }
    }
    for (sender, echoed) in streams {
        drop(sender);
        let lengths = echoed.map(|message| message.unwrap().len());
        assert_eq!(lengths.fold(0, async |all, one| all + one).await, 10_005);
    }
    backend.seen.open(0).await;
}

#[tokio::test]
async fn clients_that_do_not_read_hold_up_no_others() {
    let backend = serving(usize::MAX).await;
    let one = portcullis_dataplane::Config {
        workers: std::num::NonZeroUsize::MIN,
        ..config()
    };
    let plane = Plane::start(&to_backend(&[backend.server.at]), one).await;
    let mut unread = Vec::new();
    for _ in 0..10 {
        let caller = Caller::open(plane.at(80)).await;
        let sent = stream::iter([Bytes::from_static(b"100")]);
        let mut answers = caller.call("Repeat", sent).await.unwrap().into_inner();
        answers.message().await.unwrap().unwrap();
        unread.push((caller, answers));
    }
    let caller = Caller::open(plane.at(80)).await;
    for _ in 0..100 {
        let echoed = caller.unary("Echo", "hello").await.unwrap();
        assert_eq!(echoed.get_ref(), "hello");
    }
    for (_caller, answers) in unread {
        let count = answers.map(Result::unwrap).count().await;
        assert_eq!(count, 99);
    }
}

/// Both directions are full all the time.
#[tokio::test]
async fn long_streams_in_both_directions_do_not_block_each_other() {
    let backend = serving(usize::MAX).await;
    let plane = Plane::serving(&to_backend(&[backend.server.at])).await;
    let caller = Caller::open(plane.at(80)).await;
    let message = Bytes::from(vec![5; 32 << 10]);
    let sent = stream::iter(std::iter::repeat_n(message, 400));
    let echoed = caller.call("Echo", sent).await.unwrap().into_inner();
    assert_eq!(echoed.map(Result::unwrap).count().await, 400);
}
