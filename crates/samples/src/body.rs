//! Bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Any body of an answer.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A body that is there at once.
pub(crate) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).boxed()
}

/// Bytes that look random but are the same for the same seed, made as they are sent.
#[derive(Debug)]
pub(crate) struct SeededBytes {
    left: u64,
    chunk: usize,
    state: u64,
    length: Length,
}

/// Whether the length of a body is declared before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// As Content-Length.
    Declared,
    /// HTTP/1.1 sends it chunked.
    Open,
}

impl SeededBytes {
    /// `length` bytes in pieces of at most `chunk` (not zero) bytes.
    pub(crate) fn new(bytes: u64, chunk: usize, seed: u64, length: Length) -> Self {
        Self {
            left: bytes,
            chunk: chunk.max(1),
            state: seed,
            length,
        }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl HttpBody for SeededBytes {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        let wanted = wanted.min(self.chunk);
        let mut piece = BytesMut::with_capacity(wanted + 8);
        while piece.len() < wanted {
            piece.extend_from_slice(&self.next().to_le_bytes());
        }
        piece.truncate(wanted);
        self.left = self.left.saturating_sub(wanted as u64);
        Poll::Ready(Some(Ok(Frame::data(piece.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Length::Declared => SizeHint::with_exact(self.left),
            Length::Open => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bytes(chunk: usize, seed: u64) -> Bytes {
        let body = SeededBytes::new(1000, chunk, seed, Length::Open);
        body.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_seed_decides_all_bytes() {
        assert_eq!(bytes(1024, 7).await, bytes(1024, 7).await);
        assert_ne!(bytes(1024, 7).await, bytes(1024, 8).await);
        assert_eq!(bytes(1024, 7).await.len(), 1000);
    }

    #[tokio::test]
    async fn chunks_are_of_the_size_asked_for() {
        let mut body = SeededBytes::new(1000, 300, 0, Length::Declared);
        assert_eq!(body.size_hint().exact(), Some(1000));
        let mut sizes = Vec::new();
        while let Some(frame) = body.frame().await {
            sizes.push(frame.unwrap().into_data().unwrap().len());
        }
        assert_eq!(sizes, [300, 300, 300, 100]);
    }
}
