//! A request's body on its way to several receivers, of whom none can hold up the request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::{Notify, futures::OwnedNotified, mpsc};

use crate::limits;
use crate::metrics::MirrorLoss;

/// Passes a body on to copies of its request.
#[derive(Default)]
pub(crate) struct Tee {
    branches: Vec<Sender>,
}

/// The way to one copy.
struct Sender {
    chunks: mpsc::Sender<Chunk>,
    queue: Arc<Queue>,
}

/// The way to one copy, seen from there.
pub(super) struct Branch {
    chunks: mpsc::Receiver<Chunk>,
    queue: Arc<Queue>,
    overflow: Pin<Box<OwnedNotified>>,
}

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Data(Bytes),
    /// There is no more. A body without this was cut short.
    End,
}

/// What waits for one copy.
struct Queue {
    bytes: AtomicUsize,
    /// What waits for all copies of the worker.
    all: Arc<AtomicUsize>,
    /// Whether it got too much.
    is_full: AtomicBool,
    overflow: Arc<Notify>,
}

impl Queue {
    /// Whether there is room for `bytes` more, which are taken then.
    fn takes(&self, bytes: usize) -> bool {
        let own = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let all = self.all.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fits = own <= limits::MIRROR_BUFFER && all <= limits::MIRROR_BUFFERS;
        if !fits {
            self.gives(bytes);
            self.overflows();
        }
        fits
    }

    fn overflows(&self) {
        self.is_full.store(true, Ordering::Relaxed);
        self.overflow.notify_one();
    }

    fn gives(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.all.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.all.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

impl Tee {
    /// Adds a copy; `all` counts what waits for all copies of the worker.
    pub(super) fn branch(&mut self, all: Arc<AtomicUsize>) -> Branch {
        let (sender, chunks) = mpsc::channel(limits::MIRROR_CHUNKS);
        let queue = Arc::new(Queue {
            bytes: AtomicUsize::new(0),
            all,
            is_full: AtomicBool::new(false),
            overflow: Arc::default(),
        });
        self.branches.push(Sender {
            chunks: sender,
            queue: Arc::clone(&queue),
        });
        let overflow = Box::pin(Arc::clone(&queue.overflow).notified_owned());
        Branch {
            chunks,
            queue,
            overflow,
        }
    }

    /// Whether no copy waits for a body.
    pub(super) fn is_idle(&self) -> bool {
        self.branches.is_empty()
    }

    /// Passes on what was read. Copies that do not keep up are lost.
    pub(crate) fn pass(&mut self, data: &Bytes) {
        self.branches.retain(|branch| branch.data(data.clone()));
    }

    /// The body has been read to its end.
    pub(crate) fn end(self) {
        for branch in self.branches {
            branch.chunk(Chunk::End);
        }
    }
}

impl Sender {
    fn data(&self, data: Bytes) -> bool {
        let length = data.len();
        if !self.queue.takes(length) {
            return false;
        }
        let sent = self.chunk(Chunk::Data(data));
        if !sent {
            self.queue.gives(length);
        }
        sent
    }

    /// Answers whether the copy can go on.
    fn chunk(&self, chunk: Chunk) -> bool {
        match self.chunks.try_send(chunk) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.queue.overflows();
                false
            }
            // Its task is over, and has said why.
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

impl Branch {
    /// The next part; `None` if there is no use in going on.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        let chunk = ready!(self.chunks.poll_recv(cx));
        if let Some(Chunk::Data(data)) = &chunk {
            self.queue.gives(data.len());
        }
        Poll::Ready(chunk.filter(|_| !self.queue.is_full.load(Ordering::Relaxed)))
    }

    /// Ready when the copy did not keep up, whatever it waits for.
    pub(super) fn poll_overflow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.overflow.as_mut().poll(cx)
    }

    /// Why [`Branch::poll_next`] answered `None`.
    pub(super) fn loss(&self) -> MirrorLoss {
        if self.queue.is_full.load(Ordering::Relaxed) {
            MirrorLoss::Slow
        } else {
            MirrorLoss::CutShort
        }
    }
}

#[cfg(test)]
mod tests;
