//! What comes after a head, whichever end it comes from.

use std::task::{Context, Poll, ready};

use h2::RecvStream;

use crate::http::message::Frame;

/// The body and the trailers of a message.
#[derive(Debug)]
pub(super) struct Receiving {
    stream: RecvStream,
    stage: Stage,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A piece of the body, if there is more of it.
    Body,
    /// Trailers, if there are any.
    Trailers,
    /// Nothing.
    Over,
}

impl Receiving {
    pub(super) fn new(stream: RecvStream) -> Self {
        let stage = if stream.is_end_stream() {
            Stage::Over
        } else {
            Stage::Body
        };
        Self { stream, stage }
    }

    /// Whether what was read last was the last.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// The next piece; `None` is the end, however often it is asked for. Its sender is given room
    /// for as much more.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, h2::Error>>> {
        while self.stage == Stage::Body {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // An error would mean that more was released than came.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    if self.stream.is_end_stream() {
                        self.stage = Stage::Over;
                    }
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::Data(data))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.stage = Stage::Trailers,
            }
        }
        if self.stage == Stage::Over {
            return Poll::Ready(None);
        }
        let trailers = ready!(self.stream.poll_trailers(cx));
        if trailers.is_ok() {
            self.stage = Stage::Over;
        }
        let trailers = trailers.transpose();
        Poll::Ready(trailers.map(|found| found.map(|fields| Frame::Trailers(Box::new(fields)))))
    }
}
