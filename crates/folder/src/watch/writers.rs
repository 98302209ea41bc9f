//! Files that someone writes to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Notice;

/// A write that takes longer is told, so that nobody wonders why an edit has no effect.
const LONG_WRITE: Duration = Duration::from_secs(2);

/// How long a file is taken as it was before, if nobody closes it: longer than the slowest of
/// writers, but some never close, and a notice may be missed.
const LONGEST_WRITE: Duration = Duration::from_mins(5);

/// Files that someone writes to.
///
/// A file that is cut short may well be valid, and lack half of its routes. So it is not read until
/// its writer closes it, within a limit; and nothing goes away before that at all.
#[derive(Debug, Default)]
pub struct Writers {
    since: BTreeMap<PathBuf, Instant>,
    /// When [`Writers::busy`] will answer otherwise, as far as it could tell when it was asked.
    next_change: Option<Instant>,
}

/// How long a file has been written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not for long: it is taken as it was before, or as absent when it is new.
    Unstrained,
    /// The same, but that is told.
    Strained,
    /// Too long: it is read, but what is missing from it is not taken for deleted.
    Over,
}

/// Files that someone writes to at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeingWritten(BTreeMap<PathBuf, Patience>);

impl Writers {
    /// Takes a notice in.
    pub fn note(&mut self, notice: &Notice, now: Instant) {
        match notice {
            Notice::Writing(path) => {
                self.since.entry(path.clone()).or_insert(now);
            }
            // A folder may have been replaced with all that is in it.
            Notice::Changed(path) => self.since.retain(|file, _| !file.starts_with(path)),
            Notice::Anything => self.since.clear(),
        }
    }

    /// The files that are written to at `now`.
    pub fn busy(&mut self, now: Instant) -> BeingWritten {
        let ends = |since: &Instant| [LONG_WRITE, LONGEST_WRITE].map(|limit| *since + limit);
        let changes = self.since.values().flat_map(ends);
        self.next_change = changes.filter(|end| *end > now).min();
        let patience = |(path, since): (&PathBuf, &Instant)| {
            let [long, longest] = ends(since);
            let patience = if now >= longest {
                Patience::Over
            } else if now >= long {
                Patience::Strained
            } else {
                Patience::Unstrained
            };
            (path.clone(), patience)
        };
        self.since.iter().map(patience).collect()
    }

    /// When [`Writers::busy`] will answer otherwise than when it was asked last, if nothing is
    /// noted meanwhile.
    pub fn patience_ends(&self) -> Option<Instant> {
        self.next_change
    }
}

impl FromIterator<(PathBuf, Patience)> for BeingWritten {
    /// Paths must be absolute. They are known by what links lead to as well.
    fn from_iter<I: IntoIterator<Item = (PathBuf, Patience)>>(files: I) -> Self {
        let mut all = BTreeMap::new();
        for (path, patience) in files {
            if let Ok(target) = fs::canonicalize(&path) {
                all.insert(target, patience);
            }
            all.insert(path, patience);
        }
        Self(all)
    }
}

impl BeingWritten {
    /// How long `path` has been written to; `None` if it is not.
    pub(crate) fn patience(&self, path: &Path) -> Option<Patience> {
        if self.0.is_empty() {
            return None;
        }
        let paths = [std::path::absolute(path), fs::canonicalize(path)];
        paths
            .iter()
            .flatten()
            .find_map(|path| self.0.get(path))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(writers: &mut Writers, now: Instant) -> Option<Patience> {
        writers.busy(now).patience(Path::new("/conf/a.yaml"))
    }

    #[test]
    fn patience_ends_step_by_step_until_the_file_is_closed() {
        let path = PathBuf::from("/conf/a.yaml");
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut writers = Writers::default();
        assert_eq!(
            (patience(&mut writers, start), writers.patience_ends()),
            (None, None)
        );
        writers.note(&Notice::Writing(path.clone()), start);
        let expected = [
            (1, Patience::Unstrained, Some(after(2))),
            (2, Patience::Strained, Some(after(300))),
            (200, Patience::Strained, Some(after(300))),
            (300, Patience::Over, None),
            (9000, Patience::Over, None),
        ];
        for (seconds, expected, next) in expected {
            let now = after(seconds);
            writers.note(&Notice::Writing(path.clone()), now);
            let found = (patience(&mut writers, now), writers.patience_ends());
            assert_eq!(found, (Some(expected), next), "{seconds}");
        }
        writers.note(&Notice::Changed(path), after(9001));
        assert_eq!(patience(&mut writers, after(9001)), None);
    }

    #[test]
    fn a_folder_that_is_replaced_has_no_writers() {
        let now = Instant::now();
        for notice in [Notice::Changed("/conf".into()), Notice::Anything] {
            let mut writers = Writers::default();
            writers.note(&Notice::Writing("/conf/a.yaml".into()), now);
            writers.note(&Notice::Changed("/conf/b.yaml".into()), now);
            assert_ne!(patience(&mut writers, now), None);
            writers.note(&notice, now);
            assert_eq!(patience(&mut writers, now), None);
        }
    }
}
