//! As much of HTTP/1.1 as backend and loads need, without I/O: no chunked bodies, no pipelining.

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;

/// The longest head that is waited for, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerHead {
    pub(crate) status: u16,
    /// Of the body, in bytes.
    pub(crate) length: u64,
    /// Of the head, in bytes.
    pub(crate) head: usize,
}

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestHead<'a> {
    pub(crate) path: &'a str,
    /// Of the body, in bytes.
    pub(crate) length: u64,
    /// Of the head, in bytes.
    pub(crate) head: usize,
    pub(crate) then: Then,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    KeepAlive,
    Close,
    WebSocket,
}

/// `None` until the head is complete.
pub(crate) fn parse_answer(bytes: &[u8]) -> Result<Option<AnswerHead>> {
    let Some(head) = complete_head(bytes)? else {
        return Ok(None);
    };
    let status = head.get(9..12).context("no status")?.parse()?;
    let length = match status {
        101 | 204 | 304 => 0,
        _ => content_length(head)?.context("an answer without Content-Length")?,
    };
    Ok(Some(AnswerHead {
        status,
        length,
        head: head.len(),
    }))
}

/// `None` until the head is complete.
pub(crate) fn parse_request(bytes: &[u8]) -> Result<Option<RequestHead<'_>>> {
    let Some(head) = complete_head(bytes)? else {
        return Ok(None);
    };
    let path = head.split(' ').nth(1).context("no path")?;
    ensure!(
        field(head, "transfer-encoding").is_none(),
        "chunked requests are not understood"
    );
    let then = if field(head, "upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket")) {
        Then::WebSocket
    } else if field(head, "connection").is_some_and(|what| what.eq_ignore_ascii_case("close")) {
        Then::Close
    } else {
        Then::KeepAlive
    };
    Ok(Some(RequestHead {
        path,
        length: content_length(head)?.unwrap_or(0),
        head: head.len(),
        then,
    }))
}

/// How long an answer `path` asks for: `/any/thing/b1024` for 1,024 bytes.
pub(crate) fn asked_length(path: &str) -> Option<u64> {
    let path = path.split('?').next()?;
    let last = path.rsplit('/').next()?;
    last.strip_prefix('b')?.parse().ok()
}

fn complete_head(bytes: &[u8]) -> Result<Option<&str>> {
    match memmem::find(bytes, b"\r\n\r\n") {
        Some(end) => {
            let head = bytes.get(..end + 4).unwrap_or(bytes);
            Ok(Some(std::str::from_utf8(head)?))
        }
        None if bytes.len() > LONGEST_HEAD => bail!("a head without end"),
        None => Ok(None),
    }
}

fn content_length(head: &str) -> Result<Option<u64>> {
    let length = field(head, "content-length").map(str::parse);
    length.transpose().context("Content-Length")
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_parsed_once_it_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(parse_answer(&answer[..30]).unwrap(), None);
        let head = AnswerHead {
            status: 200,
            length: 5,
            head: 38,
        };
        assert_eq!(parse_answer(answer).unwrap(), Some(head));
    }

    #[test]
    fn an_answer_must_say_how_long_it_is() {
        assert!(parse_answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn what_becomes_of_the_connection_is_in_the_request() {
        let cases = [
            ("", Then::KeepAlive),
            ("Connection: keep-alive\r\n", Then::KeepAlive),
            ("connection: Close\r\n", Then::Close),
            (
                "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                Then::WebSocket,
            ),
        ];
        for (fields, then) in cases {
            let request = format!("GET /a HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
            let head = parse_request(request.as_bytes()).unwrap().unwrap();
            assert_eq!((head.path, head.length, head.then), ("/a", 0, then));
        }
    }

    #[test]
    fn the_last_segment_asks_for_a_length() {
        let cases = [
            ("/b0", Some(0)),
            ("/service-1/b65536", Some(65536)),
            ("/b7?page=1", Some(7)),
            ("/echo", None),
            ("/b", None),
        ];
        for (path, length) in cases {
            assert_eq!(asked_length(path), length, "{path}");
        }
    }
}
