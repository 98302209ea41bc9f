use std::task::Waker;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Takes so many bytes of each write, and notes how often it was written to.
#[derive(Default)]
struct Sink {
    taken: Vec<u8>,
    most: Option<usize>,
    writes: usize,
    flushes: usize,
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes += 1;
        let mut room = self.most.unwrap_or(usize::MAX);
        let before = self.taken.len();
        for buf in bufs {
            let taken = buf.len().min(room);
            self.taken.extend_from_slice(&buf[..taken]);
            room -= taken;
        }
        Poll::Ready(Ok(self.taken.len() - before))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn flush(out: &mut Outgoing, sink: &mut Sink) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(out.poll_flush(sink, &mut cx), Poll::Ready(Ok(()))));
}

#[test]
fn a_head_and_its_body_are_one_write() {
    for size in [0, 10, COPIED, COPIED + 1, 100_000] {
        let (mut out, mut sink) = (Outgoing::default(), Sink::default());
        out.text().extend_from_slice(b"head");
        out.data(Bytes::from(vec![b'x'; size]));
        out.text().extend_from_slice(b"end");
        assert_eq!(out.len(), 7 + size);
        flush(&mut out, &mut sink);
        assert_eq!((sink.writes, sink.flushes), (1, 1), "{size}");
        assert_eq!(sink.taken.len(), 7 + size);
        flush(&mut out, &mut sink);
        assert_eq!((sink.writes, sink.flushes), (1, 1), "{size}");
    }
}

#[test]
fn only_what_is_too_much_is_written_before_the_flush() {
    let (mut out, mut sink) = (Outgoing::default(), Sink::default());
    let mut cx = Context::from_waker(Waker::noop());
    out.data(Bytes::from(vec![0; 10_000]));
    assert!(out.poll_write(&mut sink, 10_000, &mut cx).is_ready());
    assert_eq!(sink.writes, 0);
    assert!(out.poll_write(&mut sink, 9_999, &mut cx).is_ready());
    assert_eq!((sink.writes, out.is_empty()), (1, true));
}

proptest! {
    #[test]
    fn everything_is_written_in_its_order(
        parts in vec((any::<bool>(), 0..3 * COPIED), 0..40),
        most in 1..20_000_usize,
    ) {
        let (mut out, mut expected) = (Outgoing::default(), Vec::new());
        let mut sink = Sink { most: Some(most), ..Sink::default() };
        for (number, (is_text, size)) in parts.into_iter().enumerate() {
            let part = vec![u8::try_from(number).unwrap(); size];
            expected.extend_from_slice(&part);
            if is_text {
                out.text().extend_from_slice(&part);
            } else {
                out.data(Bytes::from(part));
            }
            if number % 5 == 4 {
                flush(&mut out, &mut sink);
            }
        }
        prop_assert_eq!(out.len(), expected.len() - sink.taken.len());
        flush(&mut out, &mut sink);
        prop_assert!(out.is_empty());
        prop_assert_eq!(sink.taken, expected);
    }
}
