//! Buffers that are there only while there is something in them.
//!
//! A worker's connections take turns: whoever reads takes a buffer and, once all of it is passed on,
//! gives it back. So thousands of idle connections hold none, and a busy worker seldom more than
//! one.

use std::cell::RefCell;

use tokio::io::ReadBuf;

use crate::limits;

thread_local! {
    static SPARE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes read from one side that the other has not taken.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty one, of [`limits::FORWARD_BUFFER`] bytes.
    pub(super) fn take() -> Self {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        Self {
            bytes: spare.unwrap_or_else(|| vec![0; limits::FORWARD_BUFFER].into_boxed_slice()),
            start: 0,
            end: 0,
        }
    }

    /// One that holds `bytes`, as far as it has room for them.
    pub(super) fn holding(bytes: &[u8]) -> Self {
        let mut buffer = Self::take();
        let copied = buffer.bytes.len().min(bytes.len());
        if let (Some(to), Some(from)) = (buffer.bytes.get_mut(..copied), bytes.get(..copied)) {
            to.copy_from_slice(from);
        }
        buffer.end = copied;
        buffer
    }

    /// Where to read to.
    pub(super) fn space(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes were read.
    pub(super) fn fill(&mut self, read: usize) {
        self.end = self.bytes.len().min(self.end + read);
    }

    /// What waits.
    pub(super) fn unwritten(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Passes on what `space` has room for. Answers whether anything is left.
    pub(super) fn put(&mut self, space: &mut ReadBuf<'_>) -> bool {
        let unwritten = self.unwritten();
        let moved = unwritten.len().min(space.remaining());
        space.put_slice(unwritten.get(..moved).unwrap_or_default());
        self.advance(moved);
        !self.unwritten().is_empty()
    }

    /// So many bytes were passed on.
    pub(super) fn advance(&mut self, written: usize) {
        self.start = self.end.min(self.start + written);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // When the thread ends, its spare buffers may be gone before its connections.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < limits::SPARE_FORWARD_BUFFERS {
                spare.push(bytes);
            }
        });
    }
}
