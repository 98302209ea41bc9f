//! Reading files again only when they may have changed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::watch::Patience;

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// Time stamps of a file advance in steps of up to 10 ms. A file that changed more recently before
/// it was read may change again and look the same.
const RECENT: Duration = Duration::from_millis(40);

/// What reading a file gave. Prints without the content: there may be keys in it.
#[derive(Clone)]
pub enum Reading {
    /// Its content.
    Bytes(Arc<[u8]>),
    /// It is there, but could not be read; the reason in words.
    Unreadable(Arc<str>),
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Unreadable(reason) => f.debug_tuple("Unreadable").field(reason).finish(),
        }
    }
}

impl PartialEq for Reading {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Unreadable(a), Self::Unreadable(b)) => a == b,
            (Self::Bytes(_), Self::Unreadable(_)) | (Self::Unreadable(_), Self::Bytes(_)) => false,
        }
    }
}

impl Eq for Reading {}

/// What was read of each file, and how the file looked then.
#[derive(Debug, Default)]
pub(super) struct Readings {
    known: BTreeMap<PathBuf, Known>,
    /// The number of the scan, to forget files that one scan did not ask for.
    scan: u64,
}

#[derive(Clone, Debug)]
struct Known {
    stamp: Option<Stamp>,
    settled: bool,
    reading: Reading,
    scan: u64,
}

/// How a file looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Readings {
    /// A scan begins.
    pub(super) fn begin(&mut self) {
        self.scan += 1;
    }

    /// The scan is over. Whether something it read may have changed meanwhile unnoticed.
    pub(super) fn end(&mut self) -> bool {
        let scan = self.scan;
        self.known.retain(|_, known| known.scan == scan);
        self.known.values().any(|known| !known.settled)
    }

    /// What the file holds, or did before someone began to write; `None` if it is gone, or new and
    /// not to be read yet.
    pub(super) fn read(&mut self, path: &Path, patience: Option<Patience>) -> Option<Reading> {
        let scan = self.scan;
        let held = matches!(patience, Some(Patience::Unstrained | Patience::Strained));
        let metadata = fs::metadata(path);
        if metadata.is_err() && is_gone(path) {
            return None;
        }
        if let Some(known) = self.known.get_mut(path) {
            known.scan = scan;
            let same = metadata.as_ref().ok().map(Stamp::of) == known.stamp;
            if held || (same && known.settled) {
                return Some(known.reading.clone());
            }
        } else if held {
            return None;
        }
        let fresh = Known::read(path, metadata, scan);
        // An equal reading keeps its memory, so that it is seen to be the same without comparing.
        let known = self
            .known
            .entry(path.to_owned())
            .or_insert_with(|| fresh.clone());
        let reading = if known.reading == fresh.reading {
            known.reading.clone()
        } else {
            fresh.reading.clone()
        };
        *known = Known {
            reading: reading.clone(),
            ..fresh
        };
        Some(reading)
    }
}

impl Known {
    fn read(path: &Path, metadata: io::Result<Metadata>, scan: u64) -> Self {
        let stamp = metadata.as_ref().ok().map(Stamp::of);
        let settled = stamp.is_none_or(|stamp| !stamp.is_recent());
        let bytes = metadata.and_then(|metadata| read_regular(path, &metadata));
        let reading = match bytes {
            Ok(bytes) => Reading::Bytes(bytes.into()),
            Err(error) => Reading::Unreadable(explain(path, &error).into()),
        };
        Self {
            stamp,
            settled,
            reading,
            scan,
        }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn is_recent(self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let since_epoch = u64::try_from(seconds)
            .map(Duration::from_secs)
            .unwrap_or_default()
            + u64::try_from(nanoseconds)
                .map(Duration::from_nanos)
                .unwrap_or_default();
        // A time in the future (another machine's clock, on a network file system) says nothing.
        SystemTime::now()
            .duration_since(UNIX_EPOCH + since_epoch)
            .is_ok_and(|age| age < RECENT)
    }
}

/// Opening anything else (a pipe, a device) could block for ever.
fn read_regular(path: &Path, metadata: &Metadata) -> io::Result<Vec<u8>> {
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "larger than {} MiB",
            LARGEST >> 20
        )));
    }
    Ok(bytes)
}

/// Whether there is not even a link that leads nowhere.
fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Why `path` cannot be followed or read, in words.
pub(super) fn explain(path: &Path, error: &io::Error) -> String {
    match fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            format!(
                "the link leads to {}, which does not exist",
                target.display()
            )
        }
        _ => error.to_string(),
    }
}
