//! One attempt on a connection to a backend.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::header::HeaderMap;
use http::{Method, StatusCode};

use super::session::Session;
use super::{failure, head};
use crate::h2::receiving::Receiving;
use crate::h2::sending::Sending;
use crate::http::message::{BackendEnd, BackendError, Frame, RequestHead, ResponseHead, Rest};

/// The backend's side of one attempt. Dropped before its end, it resets the stream.
pub(crate) struct Stream {
    request: Request,
    answer: Answer,
    // Dropped last: the place is free when the stream is.
    session: Arc<Session>,
}

/// How far the request is.
enum Request {
    /// Nothing has been sent.
    Due(SendRequest<Bytes>),
    /// More is to come.
    Begun(Sending),
    /// All was sent, or nothing was and the answer says why. What is left of the stream is held.
    Over(#[expect(dead_code, reason = "held until the answer is over")] Option<Sending>),
}

/// How far the answer is.
enum Answer {
    /// No request has been sent.
    NotAsked,
    /// The request could not be sent.
    Failed(BackendError),
    /// Its head is to come.
    Head(Box<Asked>),
    /// The rest is.
    Body(Receiving),
}

/// A request that has been sent.
struct Asked {
    response: ResponseFuture,
    method: Method,
}

impl Stream {
    /// A stream on `session`, where it has a place already.
    pub(super) fn new(session: Arc<Session>, sender: SendRequest<Bytes>) -> Self {
        Self {
            request: Request::Due(sender),
            answer: Answer::NotAsked,
            session,
        }
    }

    /// Takes no further streams on the connection of this one: one waited in vain, and nothing else
    /// would tell if the backend hangs.
    pub(crate) fn distrust(&self) {
        self.session.close();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.session.leave();
    }
}

impl BackendEnd for Stream {
    fn send_head(&mut self, head: &RequestHead, rest: Rest) {
        let Request::Due(mut sender) = std::mem::replace(&mut self.request, Request::Over(None))
        else {
            return;
        };
        let request = head::request(head, self.session.scheme());
        match sender.send_request(request, rest == Rest::Nothing) {
            Ok((response, stream)) => {
                let sending = Sending::new(stream);
                self.request = match rest {
                    Rest::More => Request::Begun(sending),
                    Rest::Nothing => Request::Over(Some(sending)),
                };
                let method = head.method.clone();
                self.answer = Answer::Head(Box::new(Asked { response, method }));
            }
            Err(error) => self.answer = Answer::Failed(failure::of_sending(&error)),
        }
    }

    // What the backend has against the rest of a request is in its answer, or what comes instead.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        match &mut self.request {
            Request::Begun(sending) => match ready!(sending.poll_ready(cx)) {
                Ok(()) => Poll::Ready(Ok(())),
                Err(_) => Poll::Pending,
            },
            Request::Due(_) => Poll::Ready(Ok(())),
            Request::Over(_) => Poll::Pending,
        }
    }

    fn send_data(&mut self, data: Bytes, rest: Rest) {
        if let Request::Begun(sending) = &mut self.request {
            sending.send_data(data, rest);
            if rest == Rest::Nothing {
                self.request.ends();
            }
        }
    }

    fn send_trailers(&mut self, trailers: HeaderMap) {
        if let Request::Begun(sending) = &mut self.request {
            sending.send_trailers(trailers);
            self.request.ends();
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, BackendError>> {
        let asked = match &mut self.answer {
            Answer::Head(asked) => asked,
            Answer::NotAsked => return Poll::Pending,
            Answer::Body(_) => return Poll::Ready(Err(BackendError::Closed)),
            Answer::Failed(error) => {
                return Poll::Ready(Err(std::mem::replace(error, BackendError::Closed)));
            }
        };
        if let Some(interim) = ready!(asked.response.poll_informational(cx)) {
            let interim = interim.map_err(failure::of)?;
            if interim.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(BackendError::Protocol("101 over HTTP/2")));
            }
            return Poll::Ready(Ok(head::interim(interim)));
        }
        let response = ready!(Pin::new(&mut asked.response).poll(cx)).map_err(failure::of)?;
        let (parts, body) = response.into_parts();
        let receiving = Receiving::new(body);
        let rest = if receiving.is_over() {
            Rest::Nothing
        } else {
            Rest::More
        };
        let head = head::response(parts, &asked.method, rest)?;
        self.answer = Answer::Body(receiving);
        Poll::Ready(Ok(head))
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, BackendError>>> {
        match &mut self.answer {
            Answer::Body(receiving) => {
                let frame = receiving.poll_frame(cx);
                frame.map(|frame| frame.map(|frame| frame.map_err(failure::of)))
            }
            Answer::NotAsked | Answer::Failed(_) | Answer::Head(_) => Poll::Pending,
        }
    }

    fn answer_is_over(&self) -> bool {
        matches!(&self.answer, Answer::Body(receiving) if receiving.is_over())
    }
}

impl Request {
    fn ends(&mut self) {
        if let Self::Begun(sending) = std::mem::replace(self, Self::Over(None)) {
            *self = Self::Over(Some(sending));
        }
    }
}
