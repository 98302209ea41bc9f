//! The backend's end: a request at a time, and its answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use tokio::io::{AsyncRead, ReadBuf};

use super::body::{Body, BodyFault};
use super::encode::{self, Sending};
use super::framing::Framing;
use super::head::{self, After};
use super::scan::HeadScan;
use super::wire::{ANYTHING, Broken, Sent, Wire};
use crate::http::message::{BackendEnd, BackendError, Frame, RequestHead, ResponseHead, Rest};
use crate::limits;
use crate::stream::duplex::Duplex;

/// A connection with an endpoint.
#[derive(Debug)]
pub(crate) struct Connection {
    wire: Wire,
    scan: HeadScan,
    /// Of the request under way.
    method: Method,
    sending: Sending,
    upload: Upload,
    /// Where the request's head ends in all that is written.
    head_end: u64,
    answer: Answer,
    body: Body,
    persistence: After,
}

/// How far the request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Going,
    /// All of it is written, or waits to be.
    Whole,
    /// Nothing more of it can be written.
    Broken,
}

/// How far the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Awaited,
    /// Its head was read.
    Begun,
}

impl Connection {
    pub(crate) fn new(stream: Duplex) -> Self {
        Self {
            wire: Wire::new(stream, BytesMut::new()),
            scan: HeadScan::default(),
            method: Method::GET,
            sending: Sending::Length(0),
            upload: Upload::Whole,
            head_end: 0,
            answer: Answer::Awaited,
            body: Body::NONE,
            persistence: After::KeepAlive,
        }
    }

    /// Whether the next request can be sent: the exchange is over, and both sides have left the
    /// connection where the next begins. What came beyond the answer belongs to no request.
    pub(crate) fn can_be_reused(&self) -> bool {
        self.answer_is_over()
            && self.upload == Upload::Whole
            && self.persistence == After::KeepAlive
            && self.wire.out.is_empty()
            && self.wire.unread.is_empty()
    }

    /// Whether nothing has come on a connection that rests, as far as the runtime knows: its end, or
    /// what nobody asked for.
    pub(crate) fn is_alive(&mut self) -> bool {
        if let Duplex::Plain(socket) = self.wire.stream() {
            return socket.seems_quiet();
        }
        let mut cx = Context::from_waker(Waker::noop());
        let mut byte = [0];
        let mut room = ReadBuf::new(&mut byte);
        Pin::new(self.wire.stream_mut())
            .poll_read(&mut cx, &mut room)
            .is_pending()
    }

    /// The same, as far as the system knows.
    pub(crate) fn look(&mut self) -> bool {
        self.wire.stream().socket().is_quiet()
    }

    /// The stream, and what was read of it after the last head.
    pub(crate) fn into_parts(self) -> (Duplex, BytesMut) {
        self.wire.into_parts()
    }

    /// The head that has come, if it has come to its end.
    fn take_head(&mut self) -> Result<Option<ResponseHead>, BackendError> {
        if self.wire.unread.first().is_some_and(|&first| first != b'H') {
            return Err(BackendError::Protocol("not the head of an answer"));
        }
        let end = self.scan.find(&self.wire.unread);
        let end = end.map_err(|_| BackendError::Protocol("a line that ends with LF alone"))?;
        if end.unwrap_or(self.wire.unread.len()) > limits::MAX_HEADER_LIST {
            return Err(BackendError::Protocol("too long a head"));
        }
        let Some(end) = end else { return Ok(None) };
        let raw = self.wire.unread.split_to(end).freeze();
        let answer = head::response(&raw, &self.method).map_err(BackendError::Protocol)?;
        let head::Response {
            head,
            framing,
            persistence,
        } = answer;
        let is_tunnel = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if head.status.is_informational() && !is_tunnel {
            return Ok(Some(head));
        }
        self.answer = Answer::Begun;
        self.body = Body::new(framing);
        if framing == Framing::UntilClose || is_tunnel || persistence == After::Close {
            self.persistence = After::Close;
        }
        self.rest_if_over();
        Ok(Some(head))
    }

    /// Gives back the buffer with the last piece.
    fn rest_if_over(&mut self) {
        if self.body.is_over() {
            self.wire.rest();
        }
    }

    /// Writing failed. The answer may be there all the same: who answers early, and closes, resets
    /// what is sent after that.
    fn give_up(&mut self, error: io::Error) -> BackendError {
        let error = self.broken(error);
        self.upload = Upload::Broken;
        self.wire.out.clear();
        self.wire.read_now(limits::MAX_HEADER_LIST);
        error
    }

    /// Without the end of its head there is no request; with it, the backend may have begun.
    fn broken(&self, error: io::Error) -> BackendError {
        if self.wire.out.total() < self.head_end {
            BackendError::Write(error)
        } else {
            BackendError::Closed
        }
    }

    fn note(&mut self, sent: Sent) {
        match sent {
            Sent::Some => {}
            Sent::All => self.upload = Upload::Whole,
            Sent::Wrong => {
                self.upload = Upload::Broken;
                self.wire.out.clear();
            }
        }
    }
}

impl BackendEnd for Connection {
    fn send_head(&mut self, head: &RequestHead, rest: Rest) {
        self.method.clone_from(&head.method);
        self.answer = Answer::Awaited;
        self.body = Body::NONE;
        self.sending = encode::request(self.wire.out.text(), head, rest);
        self.head_end = self.wire.out.end();
        self.upload = match (rest, self.sending) {
            (Rest::More, _) => Upload::Going,
            (Rest::Nothing, Sending::Length(0)) => Upload::Whole,
            (Rest::Nothing, _) => Upload::Broken,
        };
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        let ready = ready!(self.wire.poll_ready(cx));
        Poll::Ready(ready.map_err(|error| self.give_up(error)))
    }

    fn send_data(&mut self, data: Bytes, rest: Rest) {
        if self.upload == Upload::Going {
            let sent = self.wire.send_data(&mut self.sending, data, rest);
            self.note(sent);
        }
    }

    fn send_trailers(&mut self, trailers: HeaderMap) {
        if self.upload == Upload::Going {
            let sent = self.wire.send_trailers(&mut self.sending, &trailers);
            self.note(sent);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        if self.upload == Upload::Broken {
            let cut = io::Error::from(io::ErrorKind::BrokenPipe);
            return Poll::Ready(Err(self.broken(cut)));
        }
        let flushed = ready!(self.wire.poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.give_up(error)))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, BackendError>> {
        loop {
            if let Some(head) = self.take_head()? {
                return Poll::Ready(Ok(head));
            }
            match ready!(self.wire.poll_read(ANYTHING, cx)) {
                Ok(0) if self.wire.unread.is_empty() => {
                    return Poll::Ready(Err(BackendError::Closed));
                }
                Ok(0) => {
                    let cut = "the connection ended within a head";
                    return Poll::Ready(Err(BackendError::Protocol(cut)));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(BackendError::Read(error))),
            }
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, BackendError>>> {
        let frame = ready!(self.wire.poll_frame(&mut self.body, cx));
        self.rest_if_over();
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|broken| {
                self.persistence = After::Close;
                match broken {
                    Broken::Fault(BodyFault::Truncated) => BackendError::Closed,
                    Broken::Fault(fault) => BackendError::Protocol(fault.text()),
                    Broken::Io(error) => BackendError::Read(error),
                }
            })
        }))
    }

    fn answer_is_over(&self) -> bool {
        self.answer == Answer::Begun && self.body.is_over()
    }
}

#[cfg(test)]
mod tests;
