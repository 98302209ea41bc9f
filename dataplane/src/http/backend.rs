//! A backend's end of an attempt, over either version.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::message::{BackendEnd, BackendError, Frame, RequestHead, ResponseHead, Rest};
use crate::{h1, h2};

/// The backend's end of one attempt.
pub(crate) enum Backend {
    /// A connection of its own.
    H1(Box<h1::backend::Connection>),
    /// A stream of a connection that others use too.
    H2(Box<h2::backend::Stream>),
}

macro_rules! either {
    ($self:ident, $end:ident => $call:expr) => {
        match $self {
            Backend::H1($end) => $call,
            Backend::H2($end) => $call,
        }
    };
}

impl BackendEnd for Backend {
    fn send_head(&mut self, head: &RequestHead, rest: Rest) {
        either!(self, end => end.send_head(head, rest));
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        either!(self, end => end.poll_ready(cx))
    }

    fn send_data(&mut self, data: Bytes, rest: Rest) {
        either!(self, end => end.send_data(data, rest));
    }

    fn send_trailers(&mut self, trailers: HeaderMap) {
        either!(self, end => end.send_trailers(trailers));
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BackendError>> {
        either!(self, end => end.poll_flush(cx))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, BackendError>> {
        either!(self, end => end.poll_head(cx))
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame, BackendError>>> {
        either!(self, end => end.poll_frame(cx))
    }

    fn answer_is_over(&self) -> bool {
        either!(self, end => end.answer_is_over())
    }
}
