//! One JSON line per request, and per connection that is forwarded as it is, written by a thread of
//! its own.
//!
//! The request path fills a recycled [`Record`] and moves it into a bounded queue; it never waits,
//! formats or writes. When the queue is full the record is dropped and counted
//! (`portcullis_access_log_dropped_total`), and the writer says so in the log now and then.
//!
//! ```ignore
//! if let Some(mut record) = access_log.record() {
//!     record.status = Some(status);
//!     record.path.push_str(uri.path());
//!     access_log.submit(record);
//! }
//! ```

mod flag;
mod line;
mod output;
mod record;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};

use parking_lot::Mutex;

use crate::metrics::Metrics;
pub use flag::ResponseFlag;
pub use record::{Place, Protocol, Record};

use output::Output;
use writer::{Message, Writer};

/// Records waiting for the writer. At 100,000 requests per second it covers 80 ms.
const QUEUE: usize = 8192;

/// Blank records kept for the next requests.
const SPARE_RECORDS: usize = 512;

/// Where access log records go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// To standard output.
    Stdout,
    /// Appended to a file. It is opened again soon after another process renamed or removed it
    /// (log rotation).
    File(PathBuf),
    /// Nowhere; [`AccessLog::record`] is always `None`.
    #[default]
    Off,
}

/// The hot path's end of the access log. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AccessLog {
    queue: Option<Arc<Queue>>,
}

#[derive(Debug)]
struct Queue {
    sender: SyncSender<Message>,
    spare: Arc<Spare>,
    metrics: Arc<Metrics>,
}

// Records move between threads: boxed, that is eight bytes each.
type Records = Vec<Box<Record>>;

/// Blank records, which keep the buffers they have grown.
#[derive(Debug, Default)]
struct Spare {
    records: Mutex<Records>,
}

impl AccessLog {
    /// An access log that takes nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Starts the writer thread. It ends when the last clone is dropped.
    ///
    /// Fails when the file cannot be opened or the thread not be started; trying again helps once
    /// the cause is gone.
    pub fn start(target: &Target, metrics: &Arc<Metrics>) -> io::Result<Self> {
        let output = match target {
            Target::Off => return Ok(Self::off()),
            Target::Stdout => Output::stdout(),
            Target::File(path) => Output::file(path)?,
        };
        Self::with_output(output, metrics, QUEUE)
    }

    fn with_output(output: Output, metrics: &Arc<Metrics>, queue: usize) -> io::Result<Self> {
        let (sender, messages) = mpsc::sync_channel(queue);
        let spare = Arc::new(Spare::default());
        let writer = Writer::new(messages, output, Arc::clone(&spare), Arc::clone(metrics));
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.run())?;
        Ok(Self {
            queue: Some(Arc::new(Queue {
                sender,
                spare,
                metrics: Arc::clone(metrics),
            })),
        })
    }

    /// A blank record to fill and [`AccessLog::submit`]; `None` when nothing is logged.
    pub fn record(&self) -> Option<Box<Record>> {
        let queue = self.queue.as_deref()?;
        Some(queue.spare.take())
    }

    /// Hands a record to the writer, or drops and counts it when the queue is full.
    pub fn submit(&self, record: Box<Record>) {
        let Some(queue) = self.queue.as_deref() else {
            return;
        };
        match queue.sender.try_send(Message::Record(record)) {
            Ok(()) => {}
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                queue.metrics.access_log_dropped.increment();
                if let Message::Record(record) = message {
                    queue.spare.put(record);
                }
            }
        }
    }

    /// Waits until everything submitted before is written. Blocks: for shutdown, not for requests.
    pub fn flush(&self) {
        let Some(queue) = self.queue.as_deref() else {
            return;
        };
        let (done, flushed) = mpsc::sync_channel(1);
        if queue.sender.send(Message::Flush(done)).is_ok() {
            // An error means that the writer is gone: nothing is left to wait for.
            let _ = flushed.recv();
        }
    }
}

impl Spare {
    fn take(&self) -> Box<Record> {
        self.records.lock().pop().unwrap_or_default()
    }

    fn put(&self, mut record: Box<Record>) {
        record.clear();
        let mut records = self.records.lock();
        if records.len() < SPARE_RECORDS {
            records.push(record);
        }
    }

    fn put_all(&self, filled: &mut Records) {
        for record in filled.iter_mut() {
            record.clear();
        }
        let mut records = self.records.lock();
        let room = SPARE_RECORDS.saturating_sub(records.len());
        filled.truncate(room);
        records.append(filled);
    }
}

#[cfg(test)]
mod tests;
