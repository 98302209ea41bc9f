//! Buffers that the connections of one thread take turns with.
//!
//! A connection that waits for its next request, or in a pool, holds no buffer: ten thousand of them
//! cost next to nothing. What is read into and written from is taken here when there is something to
//! read or to write, and comes back when there is no more.

use std::cell::RefCell;

use bytes::BytesMut;

/// What is read at once where nothing more is expected: most heads, with a short body.
pub(crate) const READ: usize = 8 * 1024;

/// A buffer that is used up to here is taken along once more; it is moved to its beginning then.
const LEAST: usize = 2 * 1024;

/// Bigger buffers for writing are given back to the system.
const MOST_TEXT: usize = 16 * 1024;

/// Buffers of each kind that a thread keeps.
const KEPT: usize = 64;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { reading: Vec::new(), writing: Vec::new() }) };
}

struct Spare {
    reading: Vec<BytesMut>,
    writing: Vec<Vec<u8>>,
}

/// An empty buffer to read into.
pub(crate) fn reading() -> BytesMut {
    let spare = SPARE.with_borrow_mut(|spare| spare.reading.pop());
    let Some(mut buffer) = spare else {
        return BytesMut::with_capacity(READ);
    };
    if buffer.capacity() < LEAST {
        buffer.reserve(READ);
    }
    buffer
}

/// Takes back what [`reading`] gave, if nothing in it waits to be read. What is left in it is lost.
pub(crate) fn read(buffer: &mut BytesMut) {
    if buffer.capacity() == 0 {
        return;
    }
    let mut buffer = std::mem::take(buffer);
    // One that grew for a body is not kept; `capacity` tells only of what is not used of it.
    if buffer.capacity() > READ {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.reading.len() < KEPT {
            spare.reading.push(buffer);
        }
    });
}

/// An empty buffer to write to.
pub(crate) fn writing() -> Vec<u8> {
    let spare = SPARE.with_borrow_mut(|spare| spare.writing.pop());
    spare.unwrap_or_else(|| Vec::with_capacity(LEAST))
}

/// Takes back what [`writing`] gave.
pub(crate) fn written(buffer: &mut Vec<u8>) {
    let mut buffer = std::mem::take(buffer);
    if buffer.capacity() == 0 || buffer.capacity() > MOST_TEXT {
        return;
    }
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.writing.len() < KEPT {
            spare.writing.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_nothing_of_it_is() {
        let mut first = reading();
        let start = first.as_ptr();
        first.extend_from_slice(&[0; READ - 1]);
        let head = first.split().freeze();
        read(&mut first);
        drop(head);
        assert_eq!(reading().as_ptr(), start);
    }

    #[test]
    fn what_is_still_used_stays_as_it_is() {
        let mut first = reading();
        first.extend_from_slice(&[7; READ - 1]);
        let head = first.split().freeze();
        read(&mut first);
        let mut second = reading();
        second.extend_from_slice(&[8; READ]);
        assert!(head.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn big_buffers_are_not_kept() {
        let mut big = vec![0; MOST_TEXT + 1];
        written(&mut big);
        assert_eq!(big.capacity(), 0);
        assert!(writing().capacity() <= MOST_TEXT);
    }
}
