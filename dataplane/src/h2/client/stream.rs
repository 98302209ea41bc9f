//! One exchange on a client's connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, Version};

use crate::h2::receiving::Receiving;
use crate::h2::sending::{Broken, Sending};
use crate::http::message::{ClientEnd, ClientError, Frame, Length, ResponseHead, Rest};
use crate::http::refusal::Afterwards;

/// The client's side of one exchange. Dropped before the answer is complete, it resets the stream.
pub(crate) struct Stream {
    request: Receiving,
    answer: Answer,
    leaving: Arc<Leaving>,
}

/// How far the answer is.
enum Answer {
    /// Nothing but interim answers have been sent.
    Due(SendResponse<Bytes>),
    /// More is to come.
    Begun(Sending),
    /// All was sent. The handle tells of the client's going away.
    Complete(Sending),
    /// The crate did not take it, or it was cut off.
    Failed,
}

/// Whether one of a connection's exchanges wants its client to leave.
#[derive(Debug, Default)]
pub(super) struct Leaving(AtomicBool);

impl Leaving {
    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked since the last time.
    pub(super) fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

impl Stream {
    pub(super) fn new(
        body: RecvStream,
        respond: SendResponse<Bytes>,
        leaving: Arc<Leaving>,
    ) -> Self {
        Self {
            request: Receiving::new(body),
            answer: Answer::Due(respond),
            leaving,
        }
    }

    /// What of the request follows its head.
    pub(super) fn rest(&self) -> Rest {
        if self.request.is_over() {
            Rest::Nothing
        } else {
            Rest::More
        }
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reason, h2::Error>> {
        match &mut self.answer {
            Answer::Due(respond) => respond.poll_reset(cx),
            Answer::Begun(sending) | Answer::Complete(sending) => sending.poll_reset(cx),
            Answer::Failed => Poll::Ready(Ok(Reason::INTERNAL_ERROR)),
        }
    }
}

impl ClientEnd for Stream {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, ClientError>>> {
        let frame = self.request.poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(of_request)))
    }

    fn request_is_over(&self) -> bool {
        self.request.is_over()
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<ClientError> {
        Poll::Ready(match ready!(self.poll_reset(cx)) {
            Ok(reason) => ClientError::Gone(io::Error::other(reason.description())),
            Err(error) => gone(error),
        })
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        match &mut self.answer {
            Answer::Due(_) | Answer::Complete(_) => Poll::Ready(Ok(())),
            Answer::Begun(sending) => sending
                .poll_ready(cx)
                .map_err(|Broken| ClientError::Gone(io::ErrorKind::BrokenPipe.into())),
            Answer::Failed => Poll::Ready(Err(ClientError::Gone(io::ErrorKind::BrokenPipe.into()))),
        }
    }

    fn send_interim(&mut self, head: ResponseHead) {
        if let Answer::Due(respond) = &mut self.answer {
            // An error means that the client is gone, which the answer itself will find.
            let _ = respond.send_informational(response(head, Rest::More));
        }
    }

    fn send_head(&mut self, head: ResponseHead, rest: Rest) {
        let Answer::Due(mut respond) = std::mem::replace(&mut self.answer, Answer::Failed) else {
            return;
        };
        let sent = respond.send_response(response(head, rest), rest == Rest::Nothing);
        match sent {
            Ok(stream) => {
                let sending = Sending::new(stream);
                self.answer = match rest {
                    Rest::More => Answer::Begun(sending),
                    Rest::Nothing => Answer::Complete(sending),
                };
            }
            // The client has reset the stream, or the head is none that HTTP/2 could carry.
            Err(_) => respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    fn send_data(&mut self, data: Bytes, rest: Rest) {
        if let Answer::Begun(sending) = &mut self.answer {
            sending.send_data(data, rest);
            if rest == Rest::Nothing {
                self.answer.completes();
            }
        }
    }

    fn send_trailers(&mut self, trailers: HeaderMap) {
        if let Answer::Begun(sending) = &mut self.answer {
            sending.send_trailers(trailers);
            self.answer.completes();
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        Poll::Ready(match self.answer {
            Answer::Failed => Err(ClientError::Gone(io::ErrorKind::BrokenPipe.into())),
            Answer::Due(_) | Answer::Begun(_) | Answer::Complete(_) => Ok(()),
        })
    }

    fn close_after(&mut self, afterwards: Afterwards) {
        match afterwards {
            Afterwards::Leave => self.leaving.ask(),
            // "Over HTTP/2 that is the stream's matter alone."
            Afterwards::KeepAlive | Afterwards::Close => {}
        }
    }

    fn reset(&mut self) {
        match std::mem::replace(&mut self.answer, Answer::Failed) {
            Answer::Due(mut respond) => respond.send_reset(Reason::INTERNAL_ERROR),
            Answer::Begun(mut sending) => sending.reset(Reason::INTERNAL_ERROR),
            Answer::Complete(_) | Answer::Failed => {}
        }
    }
}

impl Answer {
    fn completes(&mut self) {
        if let Self::Begun(sending) = std::mem::replace(self, Self::Failed) {
            *self = Self::Complete(sending);
        }
    }
}

/// The head as the crate takes it.
fn response(head: ResponseHead, rest: Rest) -> Response<()> {
    let ResponseHead {
        status,
        headers,
        rares: _,
        length,
        spelling: _,
    } = head;
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_2;
    *response.headers_mut() = headers;
    // Where nothing follows, the end of the stream says it all.
    if let (Length::Known(length), Rest::More) = (length, rest)
        && !response.headers().contains_key(header::CONTENT_LENGTH)
    {
        let length = HeaderValue::from(length);
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
    }
    response
}

/// Why there is no more of the request.
fn of_request(error: h2::Error) -> ClientError {
    if error.is_reset() && error.is_library() {
        // Other than its head says, or trailers that are none.
        ClientError::Malformed("a body against the protocol")
    } else {
        gone(error)
    }
}

fn gone(error: h2::Error) -> ClientError {
    ClientError::Gone(match error.get_io() {
        Some(io) => io.kind().into(),
        None => io::Error::other(error),
    })
}
