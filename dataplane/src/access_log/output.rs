//! Where lines are written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the writer looks whether its file was renamed.
const ROTATION_CHECK: Duration = Duration::from_secs(1);

/// A place to write lines to.
pub(super) enum Output {
    Stream(Box<dyn Write + Send>),
    File(LogFile),
}

/// A file that follows its name.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    checked: Option<Instant>,
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self::Stream(Box::new(io::stdout()))
    }

    pub(super) fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::File(LogFile {
            path: path.to_owned(),
            file: append(path)?,
            checked: None,
        }))
    }

    /// Writes whole lines.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(stream) => {
                stream.write_all(lines)?;
                stream.flush()
            }
            Self::File(file) => {
                file.follow_rotation();
                file.file.write_all(lines)
            }
        }
    }
}

impl LogFile {
    /// Opens the path again when it leads to another file than the open one, or to none. If that
    /// fails the open file goes on being written.
    fn follow_rotation(&mut self) {
        let now = Instant::now();
        if self
            .checked
            .is_some_and(|checked| now - checked < ROTATION_CHECK)
        {
            return;
        }
        self.checked = Some(now);
        if !self.is_current() {
            match append(&self.path) {
                Ok(file) => self.file = file,
                Err(error) => {
                    tracing::warn!(%error, path = %self.path.display(), "cannot reopen access log");
                }
            }
        }
    }

    fn is_current(&self) -> bool {
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let named = std::fs::metadata(&self.path).map(identity);
        let open = self.file.metadata().map(identity);
        matches!((named, open), (Ok(named), Ok(open)) if named == open)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_file_is_opened_again_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let rotated = dir.path().join("access.log.1");
        let mut output = Output::file(&path).unwrap();
        output.write(b"one\n").unwrap();
        std::fs::rename(&path, &rotated).unwrap();
        if let Output::File(file) = &mut output {
            file.checked = None;
        }
        output.write(b"two\n").unwrap();
        assert_eq!(std::fs::read(&rotated).unwrap(), b"one\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
    }
}
