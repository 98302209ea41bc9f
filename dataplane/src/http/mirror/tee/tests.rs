use super::*;

fn waiting(all: &Arc<AtomicUsize>) -> usize {
    all.load(Ordering::Relaxed)
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn next(branch: &mut Branch) -> Option<Chunk> {
    std::future::poll_fn(|cx| branch.poll_next(cx)).await
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
    tee.pass(&bytes("one"));
    tee.pass(&bytes("two"));
    assert_eq!(waiting(&all), 12);
    tee.end();
    for mut branch in branches {
        assert_eq!(next(&mut branch).await, data("one"));
        assert_eq!(next(&mut branch).await, data("two"));
        assert_eq!(next(&mut branch).await, Some(Chunk::End));
    }
    assert_eq!(waiting(&all), 0);
}

#[tokio::test]
async fn a_body_without_its_end_was_cut_short() {
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::default());
    tee.pass(&bytes("one"));
    drop(tee);
    assert_eq!(next(&mut branch).await, data("one"));
    assert_eq!(next(&mut branch).await, None);
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
        tee.pass(&chunk);
        assert!(next(&mut quick).await.is_some());
    }
    tee.end();
    assert_eq!(next(&mut slow).await, None);
    assert_eq!(slow.loss(), MirrorLoss::Slow);
    assert_eq!(next(&mut quick).await, Some(Chunk::End));
    drop(slow);
    assert_eq!(waiting(&all), 0);
}

#[tokio::test]
async fn all_copies_together_have_their_bound_too() {
    let all = Arc::new(AtomicUsize::new(limits::MIRROR_BUFFERS));
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::clone(&all));
    tee.pass(&bytes("one"));
    assert_eq!(next(&mut branch).await, None);
    assert_eq!(branch.loss(), MirrorLoss::Slow);
    drop((branch, tee));
    assert_eq!(waiting(&all), limits::MIRROR_BUFFERS);
}

#[tokio::test]
async fn small_pieces_are_bounded_by_their_number() {
    let mut tee = Tee::default();
    let mut branch = tee.branch(Arc::default());
    for _ in 0..=limits::MIRROR_CHUNKS {
        tee.pass(&bytes("x"));
    }
    assert_eq!(next(&mut branch).await, None);
    assert_eq!(branch.loss(), MirrorLoss::Slow);
}
