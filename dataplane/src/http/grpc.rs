//! gRPC over HTTP/2: the statuses of calls, and how long one may take.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The status of a call: in trailers, or in the head of an answer that has nothing else.
pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The status in words, percent-encoded.
pub(crate) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// How calls end that no backend answers ("Status codes and their use in gRPC").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum CallStatus {
    /// It took longer than its client or its route allows.
    DeadlineExceeded = 4,
    /// It is bigger than we take.
    ResourceExhausted = 8,
    /// There is no such service or method here.
    Unimplemented = 12,
    /// It, or what we made of it, is against the protocol.
    Internal = 13,
    /// "This is most likely a transient condition, which can be corrected by retrying with a
    /// backoff."
    Unavailable = 14,
}

impl CallStatus {
    /// As in `grpc-status`.
    pub(crate) fn code(self) -> u16 {
        self as u16
    }
}

/// The status that the head or the trailers of an answer give.
pub(crate) fn status_in(headers: &HeaderMap) -> Option<u16> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

/// How long the client gives a call: "Timeout → "grpc-timeout" TimeoutValue TimeoutUnit". `None`
/// if it says nothing. What cannot be read is for the backend to refuse.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    headers.get(GRPC_TIMEOUT).and_then(read_timeout)
}

/// "TimeoutValue → {positive integer as ASCII string of at most 8 digits}"
fn read_timeout(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    let is_number = digits.iter().all(u8::is_ascii_digit) && (1..=8).contains(&digits.len());
    let number = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        for (text, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("30S", Some(Duration::from_secs(30))),
            ("100m", Some(Duration::from_millis(100))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("0n", Some(Duration::ZERO)),
            ("123456789S", None),
            ("S", None),
            ("+1S", None),
            ("1", None),
            ("1s", None),
            ("", None),
        ] {
            let value = HeaderValue::from_static(text);
            assert_eq!(read_timeout(&value), expected, "{text}");
        }
    }

    #[test]
    fn a_status_that_is_no_number_is_none() {
        for (text, expected) in [("0", Some(0)), ("14", Some(14)), ("x", None)] {
            let headers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(text))]);
            assert_eq!(status_in(&headers), expected, "{text}");
        }
        assert_eq!(status_in(&HeaderMap::new()), None);
    }
}
