//! Pipes, through which bytes go from one socket to another without leaving the kernel.
//!
//! A pipe is taken when there is something to put into it and, once it is empty, given back: a
//! connection that waits for its peer holds none. Their number is bounded; who gets none copies.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::unistd::pipe2;

use crate::limits;

thread_local! {
    static SPARE: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
    /// Pipes of this worker that hold something.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Ends {
    read: OwnedFd,
    write: OwnedFd,
}

/// A pipe, empty when it is taken.
#[derive(Debug)]
pub(super) struct Pipe {
    /// There until it is dropped.
    ends: Option<Ends>,
    held: usize,
}

impl Pipe {
    /// `None`: this worker has [`limits::FORWARD_PIPES`] in use, or there are no descriptors.
    pub(super) fn take() -> Option<Self> {
        let taken = TAKEN.get();
        if taken >= limits::FORWARD_PIPES {
            return None;
        }
        let ends = SPARE.with_borrow_mut(Vec::pop).or_else(Ends::open)?;
        TAKEN.set(taken + 1);
        Some(Self {
            ends: Some(ends),
            held: 0,
        })
    }

    /// How many of this worker hold something, and how many are kept for later.
    #[cfg(test)]
    pub(super) fn count() -> (usize, usize) {
        (TAKEN.get(), SPARE.with_borrow(Vec::len))
    }

    /// How much is in it.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Moves what `socket` has into it, at most `most` bytes and what it has room for. Answers how
    /// much; zero is the end. Never waits for the socket.
    pub(super) fn fill(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        let Some(Ends { read: _, write }) = &self.ends else {
            return Ok(0);
        };
        let moved = splice(socket, None, write, None, most, flags())?;
        self.held += moved;
        Ok(moved)
    }

    /// Moves what is in it to `socket`. Answers how much. Never waits for the socket.
    pub(super) fn drain(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let Some(Ends { read, write: _ }) = &self.ends else {
            return Ok(0);
        };
        let moved = splice(read, None, socket, None, self.held, flags())?;
        self.held = self.held.saturating_sub(moved);
        Ok(moved)
    }
}

fn flags() -> SpliceFFlags {
    SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK
}

impl Ends {
    fn open() -> Option<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).ok()?;
        Some(Self { read, write })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // When the thread ends, its spare pipes may be gone before its connections.
        let _ = TAKEN.try_with(|taken| taken.set(taken.get().saturating_sub(1)));
        if self.held > 0 {
            return;
        }
        let Some(ends) = self.ends.take() else { return };
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < limits::SPARE_FORWARD_PIPES {
                spare.push(ends);
            }
        });
    }
}
