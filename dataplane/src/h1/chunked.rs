//! The chunked transfer coding (RFC 9112 section 7.1), and how it is told apart from what only looks
//! like it.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use memchr::memchr;

use super::body::{BodyFault, Step};
use super::head;
use super::scan::HeadScan;
use crate::limits;

/// A line with a chunk's size and its extensions, without CR LF.
const MAX_LINE: usize = 4096;

/// What the lines between the data may take beyond twice the data: extensions are ignored, and who
/// sends more of them than of a body wants work done for nothing.
const MAX_OVERHEAD: u64 = 16 * 1024;

/// What a line may have for nothing, as in Go's reader: a size and its ends.
const FREE: u64 = 16;

/// Decodes a chunked body.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    /// See [`MAX_OVERHEAD`].
    overhead: u64,
}

#[derive(Debug, Default)]
enum State {
    /// A chunk's size is next.
    #[default]
    Size,
    /// So much of a chunk is left.
    Data(u64),
    /// CR LF is next, after a chunk's data.
    AfterData,
    /// After the last chunk: field lines and an empty one.
    Trailers(HeadScan),
    /// Everything has been read, and these were at the end.
    Read(Box<HeaderMap>),
    /// Nothing more is to come.
    Over,
    /// What came is not this coding.
    Failed(BodyFault),
}

impl Chunked {
    /// Whether everything has been given out.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Takes the next step of the body out of `bytes`.
    pub(crate) fn next(&mut self, bytes: &mut BytesMut) -> Result<Step, BodyFault> {
        self.settle(bytes);
        match &mut self.state {
            State::Data(_) if bytes.is_empty() => Ok(Step::Starved),
            State::Data(left) => {
                let data = split(bytes, left);
                if *left == 0 {
                    self.state = State::AfterData;
                    // So that the end is known with the last piece.
                    self.settle(bytes);
                }
                Ok(Step::Data(data))
            }
            State::Read(trailers) => {
                let trailers = std::mem::take(trailers);
                self.state = State::Over;
                Ok(Step::Trailers(trailers))
            }
            State::Over => Ok(Step::End),
            State::Failed(fault) => Err(*fault),
            State::Size | State::AfterData | State::Trailers(_) => Ok(Step::Starved),
        }
    }

    /// Reads what is between the data, as far as it has come.
    fn settle(&mut self, bytes: &mut BytesMut) {
        loop {
            let next = match &mut self.state {
                State::Size => self.size(bytes),
                State::AfterData => after_data(bytes),
                State::Trailers(scan) => trailers(scan, bytes),
                State::Data(_) | State::Read(_) | State::Over | State::Failed(_) => return,
            };
            match next {
                Ok(Some(state)) => self.state = state,
                Ok(None) => return,
                Err(fault) => self.state = State::Failed(fault),
            }
        }
    }

    fn size(&mut self, bytes: &mut BytesMut) -> Result<Option<State>, BodyFault> {
        let Some(end) = memchr(b'\n', bytes) else {
            // CR may be there already.
            let is_long = bytes.len() > MAX_LINE + 1;
            return if is_long {
                Err(BodyFault::ChunkLine)
            } else {
                Ok(None)
            };
        };
        let line = bytes.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").ok_or(BodyFault::ChunkLine)?;
        if line.len() > MAX_LINE {
            return Err(BodyFault::ChunkLine);
        }
        let size = chunk_size(line).ok_or(BodyFault::ChunkLine)?;
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let allowed = FREE.saturating_add(size.saturating_mul(2));
        self.overhead = (self.overhead.saturating_add(length)).saturating_sub(allowed);
        if self.overhead > MAX_OVERHEAD {
            return Err(BodyFault::ChunkOverhead);
        }
        bytes.advance(end + 1);
        Ok(Some(match size {
            0 => State::Trailers(HeadScan::default()),
            size => State::Data(size),
        }))
    }
}

/// Takes as much as there is of `left`.
pub(crate) fn split(bytes: &mut BytesMut, left: &mut u64) -> Bytes {
    let there = bytes.len();
    match usize::try_from(*left) {
        Ok(length) if length < there => {
            *left = 0;
            bytes.split_to(length).freeze()
        }
        _ => {
            *left -= there as u64;
            bytes.split().freeze()
        }
    }
}

fn after_data(bytes: &mut BytesMut) -> Result<Option<State>, BodyFault> {
    match bytes.get(..2) {
        Some(b"\r\n") => {
            bytes.advance(2);
            Ok(Some(State::Size))
        }
        None if bytes.is_empty() || **bytes == *b"\r" => Ok(None),
        _ => Err(BodyFault::ChunkEnd),
    }
}

fn trailers(scan: &mut HeadScan, bytes: &mut BytesMut) -> Result<Option<State>, BodyFault> {
    let end = scan.find(bytes).map_err(|_| BodyFault::Trailers)?;
    if end.unwrap_or(bytes.len()) > limits::MAX_TRAILERS {
        return Err(BodyFault::TrailersTooLarge);
    }
    let Some(end) = end else { return Ok(None) };
    if end == 2 {
        bytes.advance(2);
        return Ok(Some(State::Over));
    }
    let section = bytes.split_to(end).freeze();
    let trailers = head::trailers(&section).ok_or(BodyFault::Trailers)?;
    Ok(Some(if trailers.is_empty() {
        State::Over
    } else {
        State::Read(Box::new(trailers))
    }))
}

/// `chunk-size [ chunk-ext ]`. White space may follow the size ("BWS", which some senders fill up
/// with); what is in the extensions is not looked at, but for what could end the line elsewhere.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, rest) = line.split_at_checked(digits)?;
    // Sixteen digits fill a u64.
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let blank = (rest.iter()).take_while(|&&byte| byte == b' ' || byte == b'\t');
    let rest = rest.get(blank.count()..)?;
    let is_text = rest
        .iter()
        .all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F));
    if !is_text || rest.first().is_some_and(|&byte| byte != b';') {
        return None;
    }
    Some(digits.iter().fold(0, |size, &digit| {
        let digit = char::from(digit).to_digit(16).unwrap_or_default();
        (size << 4) | u64::from(digit)
    }))
}

#[cfg(test)]
mod tests;
