//! The thread that formats and writes.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use super::output::Output;
use super::record::Record;
use super::{Records, Spare, line};
use crate::metrics::Metrics;

/// What the hot path sends.
#[derive(Debug)]
pub(super) enum Message {
    /// To be written.
    Record(Box<Record>),
    /// Answer when everything before is written.
    Flush(SyncSender<()>),
}

/// After a batch the writer sleeps this long before it looks at the queue again. While it sleeps,
/// submitting a record wakes nobody and so costs no system call.
const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// Lines are written when this much has been formatted.
const BATCH_BYTES: usize = 64 * 1024;

/// How often losses are mentioned in the log.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Writer {
    messages: Receiver<Message>,
    output: Output,
    spare: Arc<Spare>,
    metrics: Arc<Metrics>,
    lines: Vec<u8>,
    written: Records,
    waiting: Vec<SyncSender<()>>,
    complaints: Complaints,
}

/// What was last said about losses.
#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
    dropped: u64,
    error: Option<io::Error>,
}

impl Writer {
    pub(super) fn new(
        messages: Receiver<Message>,
        output: Output,
        spare: Arc<Spare>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let complaints = Complaints {
            dropped: metrics.access_log_dropped.value(),
            ..Complaints::default()
        };
        Self {
            messages,
            output,
            spare,
            metrics,
            lines: Vec::new(),
            written: Vec::new(),
            waiting: Vec::new(),
            complaints,
        }
    }

    /// Writes until the last sender is gone.
    pub(super) fn run(mut self) {
        while let Ok(message) = self.messages.recv() {
            self.take(message);
            while self.drain() {
                std::thread::sleep(BATCH_INTERVAL);
            }
        }
        self.write();
    }

    /// Empties the queue. Whether there was anything in it, or taken before.
    fn drain(&mut self) -> bool {
        let mut any = !self.written.is_empty();
        while let Ok(message) = self.messages.try_recv() {
            any = true;
            self.take(message);
        }
        self.write();
        any
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Record(record) => {
                // Writing to a Vec fails only if serializing does, which a Line does not.
                if line::write(&record, &mut self.lines).is_err() {
                    self.metrics.access_log_dropped.increment();
                }
                self.written.push(record);
                if self.lines.len() >= BATCH_BYTES {
                    self.write();
                }
            }
            Message::Flush(done) => {
                self.write();
                self.waiting.push(done);
            }
        }
    }

    /// Writes what is formatted, and answers who waited for it.
    fn write(&mut self) {
        if !self.lines.is_empty() {
            if let Err(error) = self.output.write(&self.lines) {
                let lost = u64::try_from(self.written.len()).unwrap_or(u64::MAX);
                self.metrics.access_log_dropped.add(lost);
                self.complaints.error = Some(error);
            }
            self.lines.clear();
            self.spare.put_all(&mut self.written);
            self.written.clear();
        }
        for done in self.waiting.drain(..) {
            // Who asked may have stopped waiting.
            let _ = done.send(());
        }
        self.complaints.raise(&self.metrics);
    }
}

impl Complaints {
    fn raise(&mut self, metrics: &Metrics) {
        let dropped = metrics.access_log_dropped.value();
        let recent = self
            .last
            .is_some_and(|last| last.elapsed() < COMPLAINT_INTERVAL);
        if dropped == self.dropped || recent {
            return;
        }
        let lost = dropped - self.dropped;
        if let Some(error) = self.error.take() {
            tracing::warn!(lost, %error, "access log records lost");
        } else {
            tracing::warn!(lost, "access log records lost: the writer does not keep up");
        }
        self.last = Some(Instant::now());
        self.dropped = dropped;
    }
}
