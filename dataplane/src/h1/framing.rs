//! Where a message's body ends: decided here and nowhere else.

use http::{Method, StatusCode, Version};

use crate::http::message::Length;
use crate::http::refusal::Refusal;

/// What a head's fields say of the body and of the connection.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    lengths: Lengths,
    codings: Codings,
    /// "close" or "keep-alive", as `Connection` says.
    pub(crate) persistence: Persistence,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lengths {
    #[default]
    None,
    One(u64),
    /// Several, be they alike.
    Several,
    /// What is no number, or too big a one.
    Invalid,
}

/// What `Transfer-Encoding` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Codings {
    #[default]
    None,
    Chunked,
    /// Something else, with `chunked` at the end.
    BeforeChunked,
    /// Something that does not end with `chunked`, or has it twice.
    Endless,
}

/// What `Connection` says of the connection's future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Persistence {
    #[default]
    Unsaid,
    KeepAlive,
    /// Beats the other where both are said.
    Close,
}

/// How the bytes of a body are told from what follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes; 0 also for messages that have no body.
    Length(u64),
    Chunked,
    /// Until the connection ends.
    UntilClose,
}

/// Why an answer's body has no certain end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramingFault {
    Ambiguous,
    RepeatedLength,
    InvalidLength,
    UnknownCoding,
}

impl FramingFault {
    /// The same in words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Ambiguous => "both content-length and transfer-encoding",
            Self::RepeatedLength => "more than one content-length",
            Self::InvalidLength => "invalid content-length",
            Self::UnknownCoding => "unknown transfer-encoding",
        }
    }
}

impl Fields {
    /// A `Content-Length`.
    pub(crate) fn length(&mut self, value: &[u8]) {
        self.lengths = match self.lengths {
            Lengths::None if value.contains(&b',') => Lengths::Several,
            Lengths::None => number(value).map_or(Lengths::Invalid, Lengths::One),
            Lengths::One(_) | Lengths::Several => Lengths::Several,
            Lengths::Invalid => Lengths::Invalid,
        };
    }

    /// A `Transfer-Encoding`.
    pub(crate) fn coding(&mut self, value: &[u8]) {
        for coding in value.split(|&byte| byte == b',') {
            let is_chunked = coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
            self.codings = match (self.codings, is_chunked) {
                (Codings::None, true) => Codings::Chunked,
                (Codings::None, false) => Codings::Endless,
                (Codings::Endless, true) => Codings::BeforeChunked,
                // Nothing may follow `chunked`, not even itself.
                _ => return self.codings = Codings::Endless,
            };
        }
    }

    /// A `Connection`.
    pub(crate) fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.persistence = Persistence::Close;
            } else if self.persistence == Persistence::Unsaid
                && option.eq_ignore_ascii_case(b"keep-alive")
            {
                self.persistence = Persistence::KeepAlive;
            }
        }
    }

    /// Whether the connection may carry another message after one of this version.
    pub(crate) fn persists(&self, version: Version) -> bool {
        match self.persistence {
            Persistence::Close => false,
            Persistence::KeepAlive => true,
            Persistence::Unsaid => version == Version::HTTP_11,
        }
    }

    /// Where a request's body ends.
    ///
    /// "If a Transfer-Encoding header field is present in a request and the chunked transfer coding
    /// is not the final encoding, the message body length cannot be determined reliably; the server
    /// MUST respond with the 400 (Bad Request) status code" (RFC 9112 section 6.3). "A server that
    /// receives a request message with a transfer coding it does not understand SHOULD respond with
    /// 501" (section 6.1). "A server or client that receives an HTTP/1.0 message containing a
    /// Transfer-Encoding header field MUST treat the message as if the framing is faulty".
    pub(crate) fn of_request(&self, version: Version) -> Result<(Framing, Length), Refusal> {
        match (self.codings, self.lengths) {
            (Codings::None, Lengths::None) => Ok((Framing::Length(0), Length::Nothing)),
            (Codings::None, Lengths::One(length)) => {
                Ok((Framing::Length(length), Length::Known(length)))
            }
            (Codings::None, Lengths::Several) => Err(Refusal::RepeatedLength),
            (Codings::None, Lengths::Invalid) => Err(Refusal::Malformed),
            (_, Lengths::One(_) | Lengths::Several | Lengths::Invalid) => {
                Err(Refusal::AmbiguousLength)
            }
            (_, Lengths::None) if version != Version::HTTP_11 => Err(Refusal::Malformed),
            (Codings::Chunked, Lengths::None) => Ok((Framing::Chunked, Length::Open)),
            (Codings::BeforeChunked, Lengths::None) => Err(Refusal::UnknownCoding),
            (Codings::Endless, Lengths::None) => Err(Refusal::Malformed),
        }
    }

    /// Where the body of an answer to a request with `method` ends.
    ///
    /// "Any response to a HEAD request and any response with a 1xx (Informational), 204 (No
    /// Content), or 304 (Not Modified) status code is always terminated by the first empty line
    /// after the header fields, regardless of the header fields present in the message" (RFC 9112
    /// section 6.3).
    ///
    /// Deviation: an answer that has both `Transfer-Encoding` and `Content-Length` is refused even
    /// then, and so is one with a coding that we would have to undo.
    pub(crate) fn of_response(
        &self,
        version: Version,
        status: StatusCode,
        method: &Method,
    ) -> Result<(Framing, Length), FramingFault> {
        let framing = match (self.codings, self.lengths) {
            (Codings::None, Lengths::None) => (Framing::UntilClose, Length::Open),
            (Codings::None, Lengths::One(length)) => {
                (Framing::Length(length), Length::Known(length))
            }
            (Codings::None, Lengths::Several) => return Err(FramingFault::RepeatedLength),
            (Codings::None, Lengths::Invalid) => return Err(FramingFault::InvalidLength),
            (_, Lengths::One(_) | Lengths::Several | Lengths::Invalid) => {
                return Err(FramingFault::Ambiguous);
            }
            (Codings::Chunked, Lengths::None) if version == Version::HTTP_11 => {
                (Framing::Chunked, Length::Open)
            }
            (Codings::Chunked | Codings::BeforeChunked | Codings::Endless, Lengths::None) => {
                return Err(FramingFault::UnknownCoding);
            }
        };
        if has_no_body(status, method) {
            return Ok((Framing::Length(0), Length::Nothing));
        }
        Ok(framing)
    }
}

/// Whether an answer ends with its head, whatever its fields say.
pub(crate) fn has_no_body(status: StatusCode, method: &Method) -> bool {
    method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

/// "Content-Length = 1*DIGIT".
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in lines {
            match *name {
                "cl" => fields.length(value.as_bytes()),
                "te" => fields.coding(value.as_bytes()),
                _ => fields.connection(value.as_bytes()),
            }
        }
        fields
    }

    #[test]
    fn a_request_has_one_length_or_is_chunked_and_nothing_else() {
        let length = |length| Ok((Framing::Length(length), Length::Known(length)));
        let chunked = Ok((Framing::Chunked, Length::Open));
        let (bad, repeated) = (Err(Refusal::Malformed), Err(Refusal::RepeatedLength));
        let (unknown, both) = (Err(Refusal::UnknownCoding), Err(Refusal::AmbiguousLength));
        let cases: &[(&[(&str, &str)], _)] = &[
            (&[], Ok((Framing::Length(0), Length::Nothing))),
            (&[("cl", "0")], length(0)),
            (&[("cl", "4")], length(4)),
            (&[("cl", "004")], length(4)),
            (&[("cl", "18446744073709551615")], length(u64::MAX)),
            (&[("cl", "18446744073709551616")], bad),
            (&[("cl", "")], bad),
            (&[("cl", "+4")], bad),
            (&[("cl", "-4")], bad),
            (&[("cl", "0x4")], bad),
            (&[("cl", "4 4")], bad),
            (&[("cl", "4;")], bad),
            (&[("cl", "4,")], repeated),
            (&[("cl", "4, 4")], repeated),
            (&[("cl", "4"), ("cl", "4")], repeated),
            (&[("cl", "4"), ("cl", "5")], repeated),
            (&[("te", "chunked")], chunked),
            (&[("te", " Chunked\t")], chunked),
            (&[("te", "gzip, chunked")], unknown),
            (&[("te", "identity,chunked")], unknown),
            (&[("te", "gzip"), ("te", "chunked")], unknown),
            (&[("te", "")], bad),
            (&[("te", "gzip")], bad),
            (&[("te", "identity")], bad),
            (&[("te", "xchunked")], bad),
            (&[("te", "chunked;a=b")], bad),
            (&[("te", "chunked,")], bad),
            (&[("te", "chunked, chunked")], bad),
            (&[("te", "chunked"), ("te", "chunked")], bad),
            (&[("te", "chunked, gzip")], bad),
            (&[("te", "chunked"), ("te", "identity")], bad),
            (&[("te", "chunked"), ("cl", "4")], both),
            (&[("cl", "4"), ("te", "chunked")], both),
            (&[("cl", "0"), ("te", "identity")], both),
            (&[("cl", "x"), ("te", "chunked")], both),
        ];
        for (lines, expected) in cases {
            let framing = fields(lines).of_request(Version::HTTP_11);
            assert_eq!(framing, *expected, "{lines:?}");
        }
        let old = fields(&[("te", "chunked")]).of_request(Version::HTTP_10);
        assert_eq!(old, bad);
    }

    #[test]
    fn an_answer_ends_with_its_length_its_chunks_or_its_connection() {
        type Expected = Result<(Framing, Length), FramingFault>;
        type Case<'a> = (&'a [(&'a str, &'a str)], Version, u16, Method, Expected);
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        let nothing = Ok((Framing::Length(0), Length::Nothing));
        let cases: &[Case<'_>] = &[
            (
                &[],
                new,
                200,
                Method::GET,
                Ok((Framing::UntilClose, Length::Open)),
            ),
            (
                &[],
                old,
                200,
                Method::GET,
                Ok((Framing::UntilClose, Length::Open)),
            ),
            (
                &[("cl", "3")],
                new,
                200,
                Method::GET,
                Ok((Framing::Length(3), Length::Known(3))),
            ),
            (
                &[("te", "chunked")],
                new,
                200,
                Method::GET,
                Ok((Framing::Chunked, Length::Open)),
            ),
            (
                &[("te", "chunked")],
                old,
                200,
                Method::GET,
                Err(FramingFault::UnknownCoding),
            ),
            (
                &[("te", "gzip, chunked")],
                new,
                200,
                Method::GET,
                Err(FramingFault::UnknownCoding),
            ),
            (
                &[("te", "gzip")],
                new,
                200,
                Method::GET,
                Err(FramingFault::UnknownCoding),
            ),
            (
                &[("cl", "3"), ("cl", "3")],
                new,
                200,
                Method::GET,
                Err(FramingFault::RepeatedLength),
            ),
            (
                &[("cl", "x")],
                new,
                200,
                Method::GET,
                Err(FramingFault::InvalidLength),
            ),
            (
                &[("cl", "3"), ("te", "chunked")],
                new,
                200,
                Method::GET,
                Err(FramingFault::Ambiguous),
            ),
            (
                &[("cl", "3"), ("te", "chunked")],
                new,
                200,
                Method::HEAD,
                Err(FramingFault::Ambiguous),
            ),
            (&[("cl", "3")], new, 200, Method::HEAD, nothing),
            (&[("te", "chunked")], new, 200, Method::HEAD, nothing),
            (&[], new, 200, Method::HEAD, nothing),
            (&[("cl", "3")], new, 204, Method::GET, nothing),
            (&[("cl", "3")], new, 304, Method::GET, nothing),
            (&[], new, 103, Method::GET, nothing),
        ];
        for (lines, version, status, method, expected) in cases {
            let status = StatusCode::from_u16(*status).unwrap();
            let framing = fields(lines).of_response(*version, status, method);
            assert_eq!(
                framing, *expected,
                "{lines:?} {version:?} {status} {method}"
            );
        }
    }

    #[test]
    fn connections_persist_as_their_version_has_it_unless_something_else_is_said() {
        let cases = [
            ("", Version::HTTP_11, true),
            ("", Version::HTTP_10, false),
            ("keep-alive", Version::HTTP_10, true),
            ("x, Keep-Alive", Version::HTTP_10, true),
            ("close", Version::HTTP_11, false),
            ("x ,CLOSE, keep-alive", Version::HTTP_11, false),
            ("keep-alive, close", Version::HTTP_11, false),
            ("closed", Version::HTTP_11, true),
        ];
        for (value, version, expected) in cases {
            let fields = fields(&[("connection", value)]);
            assert_eq!(fields.persists(version), expected, "{value:?} {version:?}");
        }
    }
}
