//! Frames (RFC 6455 section 5.2), without I/O.

/// The most bytes before a payload: two, an eight byte length and a four byte mask.
pub(super) const LONGEST_HEAD: usize = 14;

/// What comes before a payload that a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) end: End,
    pub(super) opcode: Opcode,
    pub(super) length: u64,
    mask: [u8; 4],
}

/// Whether a frame is its message's last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Final,
    Continued,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

/// What some bytes are the beginning of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A whole head.
    Head(Head),
    /// A head of which so many bytes are needed to know more.
    More(usize),
    /// Nothing a client may send.
    Invalid,
}

pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let [first, second, rest @ ..] = bytes else {
        return Parsed::More(2);
    };
    let is_reserved = first & 0x70 != 0;
    // "A server MUST close the connection upon receiving a frame that is not masked."
    let is_masked = second & 0x80 != 0;
    let Some(opcode) = Opcode::parse(first & 0x0f).filter(|_| is_masked && !is_reserved) else {
        return Parsed::Invalid;
    };
    let end = if first & 0x80 != 0 {
        End::Final
    } else {
        End::Continued
    };
    let short = second & 0x7f;
    // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
    // fragmented."
    if opcode as u8 >= 0x8 && (short > 125 || end == End::Continued) {
        return Parsed::Invalid;
    }
    let extended = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let head = 2 + extended + 4;
    let (Some(length), Some(mask)) = (rest.get(..extended), rest.get(extended..extended + 4))
    else {
        return Parsed::More(head);
    };
    let length = length
        .iter()
        .fold(0, |length, byte| length << 8 | u64::from(*byte));
    Parsed::Head(Head {
        end,
        opcode,
        length: if extended == 0 {
            u64::from(short)
        } else {
            length
        },
        mask: mask.try_into().unwrap_or_default(),
    })
}

/// A frame as a server sends it: unmasked.
pub(super) fn encode(end: End, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + LONGEST_HEAD);
    let end = match end {
        End::Final => 0x80,
        End::Continued => 0,
    };
    frame.push(end | opcode as u8);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => frame.push(short),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

impl Head {
    pub(super) fn unmask(&self, payload: &mut [u8]) {
        for (byte, mask) in payload.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
    }
}

impl Opcode {
    fn parse(code: u8) -> Option<Self> {
        match code {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }
}
