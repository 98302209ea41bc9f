//! What is sent after a head, whichever end it goes to.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::header::{self, HeaderMap, HeaderName};

use crate::http::message::Rest;

/// So much may be sent before anybody looks whether there is room for it: an answer that is not
/// long never asks.
const UNASKED: usize = 16 * 1024;

/// The body and the trailers of a message of ours.
pub(super) struct Sending {
    stream: SendStream<Bytes>,
    /// Bytes sent since there was room.
    unasked: usize,
    /// Whether the crate took all that was sent.
    failed: bool,
}

/// Nothing more can be sent: the stream is reset or its connection gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Sending {
    pub(super) fn new(stream: SendStream<Bytes>) -> Self {
        Self {
            stream,
            unasked: 0,
            failed: false,
        }
    }

    /// Ready when a piece more may be sent: when less waits here than the peer would take now and
    /// than [`crate::limits::H2_SEND_BUFFER`].
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.failed {
            return Poll::Ready(Err(Broken));
        }
        if self.unasked < UNASKED {
            return Poll::Ready(Ok(()));
        }
        // One byte tells as well as many, and what is reserved and not used is lost to all other
        // streams of the connection.
        self.stream.reserve_capacity(1);
        if self.stream.capacity() == 0 {
            let room = ready!(self.stream.poll_capacity(cx));
            if !matches!(room, Some(Ok(_))) {
                self.failed = true;
                return Poll::Ready(Err(Broken));
            }
        }
        self.unasked = 0;
        Poll::Ready(Ok(()))
    }

    pub(super) fn send_data(&mut self, data: Bytes, rest: Rest) {
        self.unasked += data.len();
        let sent = self.stream.send_data(data, rest == Rest::Nothing);
        self.failed |= sent.is_err();
    }

    pub(super) fn send_trailers(&mut self, mut trailers: HeaderMap) {
        strip(&mut trailers);
        self.failed |= self.stream.send_trailers(trailers).is_err();
    }

    pub(super) fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// Ready when the peer has reset the stream, or the connection is gone.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reason, h2::Error>> {
        self.stream.poll_reset(cx)
    }
}

/// Takes out what HTTP/2 has no place for.
///
/// "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields"
/// (RFC 9113 section 8.2.2); the crate would refuse to send it.
fn strip(trailers: &mut HeaderMap) {
    const FIELDS: [HeaderName; 6] = [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    for name in FIELDS {
        trailers.remove(name);
    }
}
