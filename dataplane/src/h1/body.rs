//! A message's body out of the bytes that follow its head.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::chunked::{self, Chunked};
use super::framing::Framing;

/// Where a body that is being read stands.
#[derive(Debug)]
pub(crate) enum Body {
    /// So many bytes are left; 0 is its end.
    Length(u64),
    Chunked(Chunked),
    /// Everything until the connection ends.
    UntilClose,
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Data, never empty.
    Data(Bytes),
    /// Trailers, never empty; the end is next.
    Trailers(Box<HeaderMap>),
    /// Nothing more.
    End,
    /// What comes next is not there yet.
    Starved,
}

/// Why the bytes are no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// No size of a chunk where one should be, or too big a one, or too long a line.
    ChunkLine,
    /// A chunk does not end where its size says.
    ChunkEnd,
    /// More is said between the data than the data would take.
    ChunkOverhead,
    /// What follows the last chunk are no fields.
    Trailers,
    /// They are more than [`crate::limits::MAX_TRAILERS`].
    TrailersTooLarge,
    /// The connection ended before the body did.
    Truncated,
}

impl BodyFault {
    /// The same in words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::ChunkLine => "bad chunk size",
            Self::ChunkEnd => "a chunk of another size than it says",
            Self::ChunkOverhead => "too many chunk extensions",
            Self::Trailers => "bad trailers",
            Self::TrailersTooLarge => "too long trailers",
            Self::Truncated => "the connection ended within the body",
        }
    }
}

impl Body {
    /// A body that is not there.
    pub(crate) const NONE: Self = Self::Length(0);

    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Whether everything has been given out.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::UntilClose => false,
        }
    }

    /// Takes what comes next out of `bytes`.
    pub(crate) fn next(&mut self, bytes: &mut BytesMut) -> Result<Step, BodyFault> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(_) | Self::UntilClose if bytes.is_empty() => Ok(Step::Starved),
            Self::Length(left) => Ok(Step::Data(chunked::split(bytes, left))),
            Self::Chunked(chunked) => chunked.next(bytes),
            Self::UntilClose => Ok(Step::Data(bytes.split().freeze())),
        }
    }

    /// The connection has ended.
    pub(crate) fn end(&mut self) -> Result<(), BodyFault> {
        if let Self::UntilClose = self {
            *self = Self::NONE;
        }
        if self.is_over() {
            Ok(())
        } else {
            Err(BodyFault::Truncated)
        }
    }

    /// How much more is certain to come, for the size of what is read into.
    pub(crate) fn expected(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(_) | Self::UntilClose => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
