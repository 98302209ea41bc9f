//! A request's body on its way to several receivers, of whom none can hold up the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use crate::limits;
use crate::metrics::MirrorLoss;

/// Passes a body on to copies of its request.
#[derive(Default)]
pub(crate) struct Tee {
    branches: Vec<Sender>,
    /// How much of the body the attempt under way has read.
    position: usize,
    /// How much of it has been passed on.
    passed: usize,
    has_ended: bool,
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
    overflow: Notify,
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
            overflow: Notify::new(),
        });
        self.branches.push(Sender {
            chunks: sender,
            queue: Arc::clone(&queue),
        });
        Branch { chunks, queue }
    }

    /// Whether no copy waits for a body.
    pub(super) fn is_idle(&self) -> bool {
        self.branches.is_empty()
    }

    /// The body is read from its beginning: the request is tried again.
    pub(crate) fn restart(&mut self) {
        self.position = 0;
    }

    /// Passes on what was read, except for what an earlier attempt read already. Copies that do not
    /// keep up are lost.
    pub(crate) fn pass(&mut self, data: Option<&Bytes>, is_last: bool) {
        let read = data.map_or(0, Bytes::len);
        let known = self.passed.saturating_sub(self.position).min(read);
        self.position += read;
        self.passed = self.passed.max(self.position);
        if let Some(data) = data.filter(|_| known < read) {
            let news = data.slice(known..);
            self.branches.retain(|branch| branch.data(news.clone()));
        }
        if is_last && self.position == self.passed && !self.has_ended {
            self.has_ended = true;
            self.branches.retain(|branch| branch.chunk(Chunk::End));
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
    pub(super) async fn next(&mut self) -> Option<Chunk> {
        let chunk = self.chunks.recv().await;
        if let Some(Chunk::Data(data)) = &chunk {
            self.queue.gives(data.len());
        }
        chunk.filter(|_| !self.queue.is_full.load(Ordering::Relaxed))
    }

    /// Ready when the copy did not keep up, whatever it waits for.
    pub(super) fn overflow(&self) -> impl Future<Output = ()> + use<> {
        let queue = Arc::clone(&self.queue);
        async move { queue.overflow.notified().await }
    }

    /// Why [`Branch::next`] answered `None`.
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
