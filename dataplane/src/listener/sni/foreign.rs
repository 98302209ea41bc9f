//! The server name of a ClientHello that rustls does not take.
//!
//! rustls ends TLS 1.2 and 1.3 only, and refuses the hello of a client that offers neither as soon as
//! it has read it. Where TLS is passed through, what is offered is between client and backend. So a
//! hello that was refused is read once more, for its name alone, and only to choose among listeners
//! that pass TLS through: what ends here, rustls alone decides.

/// A refused hello in which a name may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignHello {
    /// The name, lower case.
    pub(crate) server_name: Option<String>,
}

/// Reads the records of one whole ClientHello; `None` if they are none.
pub(crate) fn read(records: &[u8]) -> Option<ForeignHello> {
    let message = handshake_bytes(records)?;
    let mut message = Bytes(&message);
    let is_hello = message.number(1)? == CLIENT_HELLO;
    let mut hello = Bytes(message.list(3)?);
    let (_version, _random) = (hello.take(2)?, hello.take(32)?);
    let (_session, _ciphers, _compressions) = (hello.list(1)?, hello.list(2)?, hello.list(1)?);
    // SSL 3.0 has no extensions.
    let extensions = if hello.is_empty() {
        &[]
    } else {
        hello.list(2)?
    };
    is_hello.then_some(extensions).and_then(named_in)
}

const HANDSHAKE_RECORD: usize = 22;
const CLIENT_HELLO: usize = 1;
const SERVER_NAME: usize = 0;
const HOST_NAME: usize = 0;

/// What handshake records hold, one after the other. `None` if another kind of record, or a part of
/// one, is among them.
fn handshake_bytes(records: &[u8]) -> Option<Vec<u8>> {
    let mut records = Bytes(records);
    let mut message = Vec::new();
    while !records.is_empty() {
        let kind = records.number(1)?;
        let major = records.number(1)?;
        let _minor = records.take(1)?;
        if (kind, major) != (HANDSHAKE_RECORD, 3) {
            return None;
        }
        message.extend_from_slice(records.list(2)?);
    }
    Some(message)
}

/// A hello with such extensions.
fn named_in(extensions: &[u8]) -> Option<ForeignHello> {
    let mut extensions = Bytes(extensions);
    while !extensions.is_empty() {
        let kind = extensions.number(2)?;
        let mut content = Bytes(extensions.list(2)?);
        if kind == SERVER_NAME {
            let mut names = Bytes(content.list(2)?);
            let is_host = names.number(1)? == HOST_NAME;
            let name = std::str::from_utf8(names.list(2)?).ok()?;
            // "Literal IPv4 and IPv6 addresses are not permitted" (RFC 6066 section 3); clients that
            // send one are taken as without a name, as rustls does.
            let is_name = is_host && name.is_ascii() && name.parse::<std::net::IpAddr>().is_err();
            return Some(ForeignHello {
                server_name: is_name.then(|| name.to_ascii_lowercase()),
            });
        }
    }
    Some(ForeignHello { server_name: None })
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of so many bytes.
    fn number(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        Some(bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
    }

    /// Bytes after their count, which is so many bytes wide.
    fn list(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(length)
    }
}
