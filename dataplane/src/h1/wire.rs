//! A connection's stream with what was read ahead of it and what waits to be written to it.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::body::{Body, BodyFault, Step};
use super::encode::{self, Sending};
use super::outgoing::Outgoing;
use super::spare;
use crate::http::message::{Frame, Rest};
use crate::limits;
use crate::stream::duplex::Duplex;

/// What of a body is read at once when the bytes come faster than they are taken.
const READ_MOST: usize = 64 * 1024;

/// What is expected where nobody knows: a head, and whatever comes behind it.
pub(crate) const ANYTHING: u64 = u64::MAX;

/// One end of an HTTP/1 connection, whichever.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Duplex,
    pub(crate) unread: BytesMut,
    pub(crate) out: Outgoing,
    /// The last read filled all the room there was.
    fills: Fills,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fills {
    Yes,
    No,
}

/// Why no more of a body comes.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It is none.
    Fault(BodyFault),
    /// Reading failed.
    Io(io::Error),
}

impl Wire {
    pub(crate) fn new(stream: Duplex, unread: BytesMut) -> Self {
        Self {
            stream,
            unread,
            out: Outgoing::default(),
            fills: Fills::No,
        }
    }

    pub(crate) fn stream(&self) -> &Duplex {
        &self.stream
    }

    pub(crate) fn stream_mut(&mut self) -> &mut Duplex {
        &mut self.stream
    }

    pub(crate) fn into_parts(self) -> (Duplex, BytesMut) {
        (self.stream, self.unread)
    }

    /// Reads on; 0 is the end of the stream. Of what there is, `expected` is certain to be wanted.
    ///
    /// While nothing is there, no buffer is held.
    pub(crate) fn poll_read(
        &mut self,
        expected: u64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let read = loop {
            if let Duplex::Plain(socket) = &self.stream
                && socket.poll_readable(cx).is_pending()
            {
                break Poll::Pending;
            }
            self.make_room(expected);
            let room = self.unread.capacity() - self.unread.len();
            let read = match &mut self.stream {
                Duplex::Plain(socket) => match socket.try_read_buf(&mut self.unread) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    read => Poll::Ready(read),
                },
                Duplex::Tls(stream) => pin!(stream.read_buf(&mut self.unread)).poll(cx),
            };
            self.fills = match read {
                Poll::Ready(Ok(read)) if read == room => Fills::Yes,
                Poll::Ready(_) | Poll::Pending => Fills::No,
            };
            break read;
        };
        if read.is_pending() {
            self.rest();
        }
        read
    }

    fn make_room(&mut self, expected: u64) {
        if self.unread.capacity() == 0 {
            self.unread = spare::reading();
        }
        let most = match self.fills {
            Fills::Yes => READ_MOST,
            Fills::No => spare::READ,
        };
        let wanted = usize::try_from(expected).map_or(most, |expected| expected.clamp(1024, most));
        // Room for a fourth is enough: a buffer is used to its end before it is asked to be moved.
        if self.unread.capacity() - self.unread.len() < wanted / 4 {
            self.unread.reserve(wanted);
        }
    }

    /// Reads until the end, and keeps nothing; not much more than `left` bytes.
    pub(crate) fn poll_swallow(&mut self, left: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.unread.clear();
            match ready!(self.poll_read(0, cx)) {
                Ok(read) if read > 0 && read < *left => *left -= read,
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Reads what has come without TLS, about `most`, whether the runtime knows of it or not.
    pub(crate) fn read_now(&mut self, most: usize) {
        let Duplex::Plain(socket) = &self.stream else {
            return;
        };
        let mut read = [0; 4096];
        while let Ok(length @ 1..) = socket.read_now(&mut read) {
            let read = read.get(..length).unwrap_or_default();
            self.unread.extend_from_slice(read);
            if self.unread.len() > most {
                break;
            }
        }
    }

    /// Gives back the buffer, if nothing in it waits.
    pub(crate) fn rest(&mut self) {
        if self.unread.is_empty() {
            spare::read(&mut self.unread);
        }
    }

    /// The next piece of `body`; `None` is its end.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Body,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, Broken>>> {
        loop {
            match body.next(&mut self.unread) {
                Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::Data(data)))),
                Ok(Step::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::Trailers(trailers))));
                }
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::Starved) => {}
                Err(fault) => return Poll::Ready(Some(Err(Broken::Fault(fault)))),
            }
            match ready!(self.poll_read(body.expected(), cx)) {
                Ok(0) => {
                    if let Err(fault) = body.end() {
                        return Poll::Ready(Some(Err(Broken::Fault(fault))));
                    }
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(Broken::Io(error)))),
            }
        }
    }

    /// Ready when there is room for a piece of a body.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out
            .poll_write(&mut self.stream, limits::WRITE_BUFFER, cx)
    }

    /// Ready when nothing waits to be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.poll_flush(&mut self.stream, cx)
    }

    /// Ends the sending side.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Writes a piece of a body as `sending` has it. Whether that was the end, and in order, is
    /// returned.
    pub(crate) fn send_data(&mut self, sending: &mut Sending, data: Bytes, rest: Rest) -> Sent {
        match sending {
            Sending::Length(left) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let Some(after) = left.checked_sub(length) else {
                    return Sent::Wrong;
                };
                *left = after;
                self.out.data(data);
                match (rest, after) {
                    (Rest::Nothing, 0) => Sent::All,
                    (Rest::Nothing, _) => Sent::Wrong,
                    (Rest::More, _) => Sent::Some,
                }
            }
            Sending::Chunked => {
                if !data.is_empty() {
                    encode::chunk_head(self.out.text(), data.len());
                    self.out.data(data);
                    self.out.text().extend_from_slice(encode::CHUNK_END);
                }
                if rest == Rest::More {
                    return Sent::Some;
                }
                self.out.text().extend_from_slice(encode::LAST_CHUNK);
                Sent::All
            }
            Sending::UntilClose => {
                self.out.data(data);
                match rest {
                    Rest::More => Sent::Some,
                    Rest::Nothing => Sent::All,
                }
            }
        }
    }

    /// Ends a body with trailers, where they have a place.
    pub(crate) fn send_trailers(&mut self, sending: &mut Sending, trailers: &HeaderMap) -> Sent {
        match sending {
            Sending::Chunked => {
                encode::trailers(self.out.text(), trailers);
                Sent::All
            }
            Sending::Length(_) | Sending::UntilClose => {
                self.send_data(sending, Bytes::new(), Rest::Nothing)
            }
        }
    }
}

/// Where a message that is written stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// More of it is to come.
    Some,
    /// It is whole.
    All,
    /// It is not as its head says, and cannot be brought to an end.
    Wrong,
}
