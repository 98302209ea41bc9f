use super::*;

fn waiting(all: &Arc<AtomicUsize>) -> usize {
    all.load(Ordering::Relaxed)
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[expect(clippy::unnecessary_wraps, reason = "it is what `next` answers")]
fn data(text: &'static str) -> Option<Chunk> {
    Some(Chunk::Data(bytes(text)))
}

#[tokio::test]
async fn every_copy_gets_the_whole_body() {
    let all = Arc::default();
    let mut tee = Tee::default();
    let branches = [tee.branch(Arc::clone(&all)), tee.branch(Arc::clone(&all))];
    tee.restart();
    tee.pass(Some(&bytes("one")), false);
    tee.pass(Some(&bytes("two")), true);
    assert_eq!(waiting(&all), 12);
    drop(tee);
    for mut branch in branches {
        assert_eq!(branch.next().await, data("one"));
        assert_eq!(branch.next().await, data("two"));
        assert_eq!(branch.next().await, Some(Chunk::End));
    }
    assert_eq!(waiting(&all), 0);
}

#[tokio::test]
async fn what_is_sent_again_to_another_endpoint_is_copied_once() {
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::default());
    tee.pass(Some(&bytes("one")), false);
    tee.pass(Some(&bytes("two")), false);
    tee.restart();
    tee.pass(Some(&bytes("onetwo")), false);
    tee.pass(Some(&bytes("three")), true);
    tee.restart();
    tee.pass(Some(&bytes("onetwothr")), false);
    tee.pass(Some(&bytes("ee")), false);
    tee.pass(None, true);
    assert_eq!(branch.next().await, data("one"));
    assert_eq!(branch.next().await, data("two"));
    assert_eq!(branch.next().await, data("three"));
    assert_eq!(branch.next().await, Some(Chunk::End));
    drop(tee);
    assert_eq!(branch.next().await, None);
}

#[tokio::test]
async fn a_replay_that_goes_further_passes_on_its_news() {
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::default());
    tee.pass(Some(&bytes("one")), false);
    tee.restart();
    tee.pass(Some(&bytes("onetwo")), true);
    assert_eq!(branch.next().await, data("one"));
    assert_eq!(branch.next().await, data("two"));
    assert_eq!(branch.next().await, Some(Chunk::End));
}

#[tokio::test]
async fn a_body_without_its_end_was_cut_short() {
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::default());
    tee.pass(Some(&bytes("one")), false);
    drop(tee);
    assert_eq!(branch.next().await, data("one"));
    assert_eq!(branch.next().await, None);
    assert_eq!(branch.loss(), MirrorLoss::CutShort);
}

#[tokio::test]
async fn a_copy_that_does_not_keep_up_is_lost_and_the_others_are_not() {
    let all = Arc::default();
    let mut tee = Tee::default();
    let mut slow = tee.branch(Arc::clone(&all));
    let mut quick = tee.branch(Arc::clone(&all));
    let chunk = Bytes::from(vec![0; limits::MIRROR_BUFFER / 4]);
    for _ in 0..5 {
        tee.pass(Some(&chunk), false);
        assert!(quick.next().await.is_some());
    }
    tee.pass(None, true);
    assert_eq!(slow.next().await, None);
    assert_eq!(slow.loss(), MirrorLoss::Slow);
    assert_eq!(quick.next().await, Some(Chunk::End));
    drop((slow, tee));
    assert_eq!(waiting(&all), 0);
}

#[tokio::test]
async fn all_copies_together_have_their_bound_too() {
    let all = Arc::new(AtomicUsize::new(limits::MIRROR_BUFFERS));
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::clone(&all));
    tee.pass(Some(&bytes("one")), false);
    assert_eq!(branch.next().await, None);
    assert_eq!(branch.loss(), MirrorLoss::Slow);
    drop((branch, tee));
    assert_eq!(waiting(&all), limits::MIRROR_BUFFERS);
}

#[tokio::test]
async fn small_pieces_are_bounded_by_their_number() {
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::default());
    for _ in 0..=limits::MIRROR_CHUNKS {
        tee.pass(Some(&bytes("x")), false);
    }
    assert_eq!(branch.next().await, None);
    assert_eq!(branch.loss(), MirrorLoss::Slow);
}
