//! Heads, chunks and trailers as bytes.

use std::io::Write as _;
use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::framing::{self, has_no_body};
use super::head::After;
use super::spelling::Speller;
use crate::http::message::{Length, RequestHead, ResponseHead, Rest};

/// How the body of what is written is told from what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// So many bytes are still to be written; 0 is the end.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Until the connection ends.
    UntilClose,
}

/// What the receiver of an answer understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// HTTP/1.1.
    Http11,
    /// HTTP/1.0, without chunks.
    Http10,
}

/// Writes the head of a request; how its body is to be written is returned.
///
/// "A user agent SHOULD send Content-Length in a request when the method defines a meaning for
/// enclosed content and it is not sending Transfer-Encoding" (RFC 9110 section 8.6), also of none.
pub(crate) fn request(text: &mut Vec<u8>, head: &RequestHead, rest: Rest) -> Sending {
    let RequestHead {
        method,
        uri,
        version: _,
        headers,
        rares: _,
        length,
        spelling,
    } = head;
    text.extend_from_slice(method.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(target_of(uri));
    text.extend_from_slice(b" HTTP/1.1\r\n");
    let means_content = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    let sending = match (length, rest) {
        (Length::Known(length), _) => Sending::Length(*length),
        (Length::Open, Rest::More) => Sending::Chunked,
        (Length::Open | Length::Nothing, _) => Sending::Length(0),
    };
    let says_length = *length != Length::Nothing || means_content;
    let mut fields = FieldWriter::new(text, &spelling.0);
    let has_length = fields.write(headers, LengthField::of(sending), |_| true);
    match sending {
        Sending::Chunked => fields.line(b"transfer-encoding", b"chunked"),
        Sending::Length(length) if says_length && !has_length => fields.length(length),
        Sending::Length(_) | Sending::UntilClose => {}
    }
    text.extend_from_slice(b"\r\n");
    sending
}

fn target_of(uri: &http::Uri) -> &[u8] {
    let target = uri.path_and_query();
    target.map_or(b"/", |target| target.as_str().as_bytes())
}

/// Writes the head of an answer to a request with `method`; how its body is to be written is
/// returned.
pub(crate) fn response(
    text: &mut Vec<u8>,
    head: &ResponseHead,
    answer: Answering<'_>,
    rest: Rest,
) -> Sending {
    let ResponseHead {
        status,
        headers,
        rares: _,
        length,
        spelling,
    } = head;
    let status = *status;
    status_line(text, status);
    let bodiless = has_no_body(status, answer.method);
    let sending = match (length, rest) {
        _ if bodiless => Sending::Length(0),
        (Length::Known(length), _) => Sending::Length(*length),
        (Length::Open, Rest::More) if answer.receiver == Receiver::Http11 => Sending::Chunked,
        (Length::Open, Rest::More) => Sending::UntilClose,
        (Length::Open | Length::Nothing, _) => Sending::Length(0),
    };
    let is_tunnel = status == StatusCode::SWITCHING_PROTOCOLS;
    // "A server MUST NOT send a Content-Length header field in any response with a status code of
    // 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6). That of an answer to HEAD, and
    // of a 304, is the length of another.
    let length_field = if status.is_informational() || status == StatusCode::NO_CONTENT {
        LengthField::None
    } else if bodiless {
        LengthField::Any
    } else {
        LengthField::of(sending)
    };
    let mut fields = FieldWriter::new(text, &spelling.0);
    let has_length = fields.write(headers, length_field, |name| {
        is_tunnel || *name != header::CONNECTION
    });
    if is_tunnel {
        text.extend_from_slice(b"\r\n");
        return sending;
    }
    match sending {
        Sending::Chunked => fields.line(b"transfer-encoding", b"chunked"),
        Sending::Length(length) if !bodiless && !has_length => fields.length(length),
        Sending::Length(_) | Sending::UntilClose => {}
    }
    match answer.persistence {
        After::KeepAlive if sending != Sending::UntilClose => {
            fields.line(b"connection", b"keep-alive");
        }
        After::KeepAlive | After::Close => fields.line(b"connection", b"close"),
    }
    text.extend_from_slice(b"\r\n");
    sending
}

/// What an answer's head depends on beside itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answering<'a> {
    /// The method of the request.
    pub(crate) method: &'a Method,
    pub(crate) receiver: Receiver,
    pub(crate) persistence: After,
}

/// Writes an interim answer.
pub(crate) fn interim(text: &mut Vec<u8>, head: &ResponseHead) {
    status_line(text, head.status);
    let mut fields = FieldWriter::new(text, &head.spelling.0);
    fields.write(&head.headers, LengthField::None, |name| {
        *name != header::CONNECTION
    });
    text.extend_from_slice(b"\r\n");
}

fn status_line(text: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return text.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    text.extend_from_slice(b"HTTP/1.1 ");
    text.extend_from_slice(status.as_str().as_bytes());
    text.push(b' ');
    let reason = status.canonical_reason().unwrap_or_default();
    text.extend_from_slice(reason.as_bytes());
    text.extend_from_slice(b"\r\n");
}

/// Writes the size of a chunk.
pub(crate) fn chunk_head(text: &mut Vec<u8>, size: usize) {
    // Writing to memory does not fail.
    let _ = write!(text, "{size:x}\r\n");
}

/// Writes what follows a chunk's data.
pub(crate) const CHUNK_END: &[u8] = b"\r\n";

/// Writes the last chunk, of a body without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes the last chunk and what follows it.
pub(crate) fn trailers(text: &mut Vec<u8>, trailers: &HeaderMap) {
    text.extend_from_slice(b"0\r\n");
    FieldWriter::new(text, &Bytes::new()).write(trailers, LengthField::None, |_| true);
    text.extend_from_slice(b"\r\n");
}

/// Which `Content-Length` a head may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LengthField {
    None,
    /// This one, once: what a filter says of it does not move the end of the body.
    Is(u64),
    Any,
}

impl LengthField {
    fn of(sending: Sending) -> Self {
        match sending {
            Sending::Length(length) => Self::Is(length),
            Sending::Chunked | Sending::UntilClose => Self::None,
        }
    }

    fn allows(self, value: &HeaderValue) -> bool {
        match self {
            Self::None => false,
            Self::Is(length) => framing::number(value.as_bytes()) == Some(length),
            Self::Any => true,
        }
    }
}

/// Writes field lines.
struct FieldWriter<'a> {
    text: &'a mut Vec<u8>,
    speller: Speller<'a>,
}

impl<'a> FieldWriter<'a> {
    fn new(text: &'a mut Vec<u8>, lines: &'a Bytes) -> Self {
        Self {
            text,
            speller: Speller::new(lines),
        }
    }

    /// Writes those that `keep` keeps, and tells whether `Content-Length` is one of them. What says
    /// where the body ends is not taken from the head: its coding never, its length only if it is so.
    fn write(
        &mut self,
        headers: &HeaderMap,
        length: LengthField,
        keep: impl Fn(&HeaderName) -> bool,
    ) -> bool {
        let mut has_length = false;
        // Lines that follow each other as they came are written at once.
        let mut run = 0..0;
        for (name, value) in headers {
            let is_length = *name == header::CONTENT_LENGTH;
            let is_dropped = *name == header::TRANSFER_ENCODING
                || (is_length && (has_length || !length.allows(value)));
            if is_dropped || !keep(name) {
                continue;
            }
            has_length |= is_length;
            match self.speller.line_of(name, value) {
                Some(line) if line.start == run.end => run.end = line.end,
                Some(line) => self.run(std::mem::replace(&mut run, line)),
                None => {
                    self.run(std::mem::take(&mut run));
                    let name = self.speller.spell(name, value);
                    self.line(name, value.as_bytes());
                }
            }
        }
        self.run(run);
        has_length
    }

    fn run(&mut self, place: Range<usize>) {
        self.text.extend_from_slice(self.speller.lines(place));
    }

    fn line(&mut self, name: &[u8], value: &[u8]) {
        self.text.reserve(name.len() + value.len() + 4);
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
    }

    fn length(&mut self, length: u64) {
        // Writing to memory does not fail.
        let _ = write!(self.text, "content-length: {length}\r\n");
    }
}

#[cfg(test)]
mod tests;
