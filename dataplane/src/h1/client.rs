//! The client's end: one request after the other, and their answers.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Version};

use super::body::{Body, BodyFault};
use super::encode::{self, Answering, Receiver, Sending};
use super::head::{self, After};
use super::scan::HeadScan;
use super::wire::{ANYTHING, Broken, Sent, Wire};
use crate::http::message::{Arrived, ClientEnd, ClientError, Frame, HeadError, ResponseHead, Rest};
use crate::http::refusal::{Afterwards, Refusal};
use crate::limits;
use crate::stream::duplex::Duplex;

/// A head that goes on behind this is refused: what is answered is shorter, and the rest is room for
/// the first line.
const MAX_HEAD: usize = limits::MAX_HEADER_LIST + limits::MAX_URI;

/// A connection with a client.
#[derive(Debug)]
pub(crate) struct Connection {
    wire: Wire,
    scan: HeadScan,
    /// Of the request under way.
    method: Method,
    receiver: Receiver,
    persistence: After,
    body: Body,
    sending: Sending,
    stage: Stage,
}

/// Where the exchange under way stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none; the head of the next request is awaited.
    Head,
    /// A request is there, and no answer.
    Asked,
    /// The answer's head was sent.
    Answering,
    /// The answer is whole.
    Answered,
    /// The client was told what is not so, or nothing more: no orderly end can follow.
    Broken,
}

impl Connection {
    /// A connection from which `unread` was read already.
    pub(crate) fn new(stream: Duplex, unread: BytesMut) -> Self {
        Self {
            wire: Wire::new(stream, unread),
            scan: HeadScan::default(),
            method: Method::GET,
            receiver: Receiver::Http11,
            persistence: After::Close,
            body: Body::NONE,
            sending: Sending::Length(0),
            stage: Stage::Head,
        }
    }

    /// The head of the next request; `None`: the client ended the connection, or lost it, between
    /// requests.
    ///
    /// What is refused is to be answered, and the connection closed: where the next request begins
    /// is not known.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Arrived>, HeadError>> {
        self.stage = Stage::Head;
        loop {
            if let Some(arrived) = self.take_head().map_err(|refusal| self.refused(refusal))? {
                return Poll::Ready(Ok(Some(arrived)));
            }
            match ready!(self.wire.poll_read(ANYTHING, cx)) {
                Ok(0) | Err(_) if self.is_idle() => return Poll::Ready(Ok(None)),
                Ok(0) => {
                    let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Err(HeadError::Gone(cut)));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(HeadError::Gone(error))),
            }
        }
    }

    /// Whether nothing of the next head has come.
    pub(crate) fn is_idle(&self) -> bool {
        self.wire.unread.is_empty()
    }

    /// Whether the exchange is over and has left the connection where the next request can be read.
    pub(crate) fn can_go_on(&self) -> bool {
        self.stage == Stage::Answered
            && self.persistence == After::KeepAlive
            && self.body.is_over()
            && self.wire.out.is_empty()
    }

    /// Whether dropping it ends the connection in an orderly way: all was read and written. The end of
    /// TLS is to be said.
    pub(crate) fn can_be_dropped(&self) -> bool {
        matches!(self.stage, Stage::Head | Stage::Answered)
            && self.body.is_over()
            && self.is_idle()
            && self.wire.out.is_empty()
            && matches!(self.wire.stream(), Duplex::Plain(_))
    }

    /// Ends the connection: in an orderly way, unless it was cut off before. Where something is left
    /// unread, it is swallowed for a while: closing with unread input makes TCP reset the
    /// connection, and the client would lose what it was told (RFC 9112 section 9.6).
    pub(crate) async fn close(mut self) {
        if self.stage == Stage::Broken {
            return;
        }
        let all_read = self.body.is_over() && self.is_idle();
        let goodbye = async {
            let ended = poll_fn(|cx| self.wire.poll_shutdown(cx)).await;
            if ended.is_ok() && !all_read {
                let mut left = limits::LINGER_BYTES;
                poll_fn(|cx| self.wire.poll_swallow(&mut left, cx)).await;
            }
        };
        // Running out of time is one of the ways this is meant to end.
        let _ = tokio::time::timeout(limits::LINGER, goodbye).await;
    }

    /// The stream, and what was read of it after the last head.
    pub(crate) fn into_parts(self) -> (Duplex, BytesMut) {
        self.wire.into_parts()
    }

    /// The head that has come, if it has come to its end.
    fn take_head(&mut self) -> Result<Option<Arrived>, Refusal> {
        // "a server that is expecting to receive and parse a request-line SHOULD ignore at least
        // one empty line (CRLF) received prior to the request-line" (RFC 9112 section 2.2).
        while self.wire.unread.starts_with(b"\r\n") && !self.scan.has_line() {
            self.wire.unread.advance(2);
            self.scan = HeadScan::default();
        }
        let Some(first) = self.wire.unread.first() else {
            self.wire.rest();
            return Ok(None);
        };
        // What is no HTTP, such as TLS, need not be waited for.
        if !first.is_ascii_alphanumeric() && !b"\r!#$%&'*+-.^_`|~".contains(first) {
            return Err(Refusal::Malformed);
        }
        let end = self.scan.find(&self.wire.unread);
        let Some(end) = end.map_err(|_| Refusal::Malformed)? else {
            return self.check_growth().map(|()| None);
        };
        let raw = self.wire.unread.split_to(end).freeze();
        let head::Request {
            arrived,
            framing,
            persistence,
        } = head::request(&raw)?;
        self.stage = Stage::Asked;
        self.method.clone_from(&arrived.head.method);
        self.receiver = match arrived.head.version {
            Version::HTTP_10 => Receiver::Http10,
            _ => Receiver::Http11,
        };
        self.persistence = persistence;
        self.body = Body::new(framing);
        Ok(Some(arrived))
    }

    fn check_growth(&self) -> Result<(), Refusal> {
        let length = self.wire.unread.len();
        if !self.scan.has_line() && length > limits::MAX_URI + limits::MAX_METHOD {
            return Err(Refusal::TargetTooLong);
        }
        if length > MAX_HEAD {
            return Err(Refusal::HeadersTooLarge);
        }
        Ok(())
    }

    /// What is left cannot be told from the head that was refused.
    fn refused(&mut self, refusal: Refusal) -> HeadError {
        self.stage = Stage::Asked;
        self.persistence = After::Close;
        self.method = Method::GET;
        self.receiver = Receiver::Http11;
        self.body = Body::UntilClose;
        HeadError::Refused(refusal)
    }

    fn note(&mut self, sent: Sent) {
        match sent {
            Sent::Some => {}
            Sent::All => self.stage = Stage::Answered,
            Sent::Wrong => self.reset(),
        }
    }
}

impl ClientEnd for Connection {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, ClientError>>> {
        let frame = ready!(self.wire.poll_frame(&mut self.body, cx));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|broken| {
                self.persistence = After::Close;
                match broken {
                    Broken::Fault(BodyFault::Truncated) => {
                        ClientError::Gone(io::ErrorKind::UnexpectedEof.into())
                    }
                    Broken::Fault(fault) => ClientError::Malformed(fault.text()),
                    Broken::Io(error) => ClientError::Gone(error),
                }
            })
        }))
    }

    fn request_is_over(&self) -> bool {
        self.body.is_over()
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<ClientError> {
        // The next request, or what is not yet taken of this one, was its last sign of life.
        if !self.wire.unread.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.wire.poll_read(0, cx)) {
            Ok(0) => Poll::Ready(ClientError::Gone(io::ErrorKind::ConnectionAborted.into())),
            Ok(_) => Poll::Pending,
            Err(error) => Poll::Ready(ClientError::Gone(error)),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        self.wire.poll_ready(cx).map_err(ClientError::Gone)
    }

    /// "A server MUST NOT send a 1xx response to an HTTP/1.0 client" (RFC 9110 section 15.2).
    fn send_interim(&mut self, head: ResponseHead) {
        if self.receiver == Receiver::Http11 && self.stage == Stage::Asked {
            encode::interim(self.wire.out.text(), &head);
        }
    }

    fn send_head(&mut self, head: ResponseHead, rest: Rest) {
        // What is left of the request would be taken for the next one.
        if !self.body.is_over() {
            self.persistence = After::Close;
        }
        let answer = Answering {
            method: &self.method,
            receiver: self.receiver,
            persistence: self.persistence,
        };
        self.sending = encode::response(self.wire.out.text(), &head, answer, rest);
        if self.sending == Sending::UntilClose {
            self.persistence = After::Close;
        }
        self.stage = Stage::Answering;
        if rest == Rest::Nothing && head.status != StatusCode::SWITCHING_PROTOCOLS {
            // The length of an answer to HEAD is that of another.
            let is_whole = matches!(self.sending, Sending::Length(0));
            self.note(if is_whole { Sent::All } else { Sent::Wrong });
        }
    }

    fn send_data(&mut self, data: Bytes, rest: Rest) {
        if self.stage == Stage::Answering {
            let sent = self.wire.send_data(&mut self.sending, data, rest);
            self.note(sent);
        }
    }

    fn send_trailers(&mut self, trailers: HeaderMap) {
        if self.stage == Stage::Answering {
            let sent = self.wire.send_trailers(&mut self.sending, &trailers);
            self.note(sent);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        if self.stage == Stage::Broken {
            let cut = io::Error::from(io::ErrorKind::ConnectionAborted);
            return Poll::Ready(Err(ClientError::Gone(cut)));
        }
        self.wire.poll_flush(cx).map_err(ClientError::Gone)
    }

    fn close_after(&mut self, afterwards: Afterwards) {
        match afterwards {
            Afterwards::KeepAlive => {}
            Afterwards::Close | Afterwards::Leave => self.persistence = After::Close,
        }
    }

    /// An answer without length or chunks would end with an orderly end of the connection.
    fn reset(&mut self) {
        if self.sending == Sending::UntilClose {
            self.wire.stream().socket().reset_when_closed();
        }
        self.wire.out.clear();
        self.persistence = After::Close;
        self.stage = Stage::Broken;
    }
}

#[cfg(test)]
mod tests;
