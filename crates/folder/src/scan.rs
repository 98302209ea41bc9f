//! What the folders hold now.
//!
//! A [`Scanner`] looks at everything each time it is asked, and reads again only what may have
//! changed. It never fails: what cannot be read is part of what it [`Sight`]s.

mod mounts;
mod reading;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub use self::mounts::{Mount, MountName};
pub use self::reading::Reading;
use self::reading::Readings;
use self::walk::Walk;
use crate::watch::{BeingWritten, Patience};

/// Where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Folders of manifests (or single files), first choice first.
    pub manifests: Vec<PathBuf>,
    /// Folders of mounted Secrets: `<folder>/<namespace>/<secret>/<key>`.
    pub credentials: Vec<PathBuf>,
}

/// Where a manifest is, in the order in which files take precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of [`Roots::manifests`] it is below.
    pub root: usize,
    /// Its path, beginning as the user wrote the folder's.
    pub path: PathBuf,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Sight {
    /// Every manifest.
    pub files: BTreeMap<Place, Reading>,
    /// Every mounted Secret. The first of several folders with the same one counts.
    pub mounts: BTreeMap<MountName, Mount>,
    /// What could not be looked into: what it held before is unknown, not gone.
    pub lost: Vec<Lost>,
    /// What to watch, to learn of changes.
    pub watch: WatchList,
    /// Whether something changed so shortly before that a further change may look the same. Look
    /// again soon.
    pub unsettled: bool,
}

/// A folder that could not be looked into, or a file that has not been closed for long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The folder or file, beginning as the user wrote it.
    pub path: PathBuf,
    /// What the system said, or what is the matter.
    pub reason: String,
}

impl Lost {
    fn unclosed(path: &Path) -> Self {
        let reason = "someone writes to it and has not closed it; what it held before stays in \
                      force until they do"
            .to_owned();
        let path = path.to_owned();
        Self { path, reason }
    }
}

/// What to watch, as absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchList {
    /// Folders in which every change counts.
    pub folders: BTreeSet<PathBuf>,
    /// Single names that count, in folders where nothing else does: a root in the folder above it,
    /// and what a symbolic link leads to.
    pub names: BTreeSet<PathBuf>,
}

/// Looks at the folders.
#[derive(Debug)]
pub struct Scanner {
    roots: Roots,
    readings: Readings,
    /// Roots that were lost and have shown nothing since. One that comes back may still be filled:
    /// an empty one is not taken at its word.
    emptied: BTreeSet<PathBuf>,
}

impl Scanner {
    /// A scanner of these folders. Nothing is read yet.
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            readings: Readings::default(),
            emptied: BTreeSet::new(),
        }
    }

    /// Looks at everything. A file of `being_written` is taken as [`Patience`] says.
    pub fn scan(&mut self, being_written: &BeingWritten) -> Sight {
        let Self {
            roots,
            readings,
            emptied,
        } = self;
        readings.begin();
        let mut sight = Sight::default();
        let (mut walk, mut mounts) = (Walk::default(), Walk::default());
        for (root, folder) in roots.manifests.iter().enumerate() {
            sight.watch.watch_root(folder);
            for path in walk.manifests_below(folder) {
                let patience = being_written.patience(&path);
                if matches!(patience, Some(Patience::Strained | Patience::Over)) {
                    sight.lost.push(Lost::unclosed(&path));
                }
                let Some(reading) = readings.read(&path, patience) else {
                    continue;
                };
                sight.watch.watch_link(&path);
                sight.files.insert(Place { root, path }, reading);
            }
        }
        for folder in &roots.credentials {
            sight.watch.watch_root(folder);
            mounts::look(folder, &mut mounts, readings, &mut sight);
        }
        sight.lost.extend(walk.lost.into_iter().chain(mounts.lost));
        for folder in walk.visited.into_iter().chain(mounts.visited) {
            sight.watch.watch_link(&folder);
            sight.watch.folders.insert(absolute(folder));
        }
        for lost in &sight.lost {
            sight.watch.watch_return(&lost.path);
        }
        for root in roots.manifests.iter().chain(&roots.credentials) {
            sight.doubt_empty(root, emptied);
        }
        sight.unsettled = readings.end();
        sight
    }
}

impl Sight {
    fn doubt_empty(&mut self, root: &Path, emptied: &mut BTreeSet<PathBuf>) {
        let files = self.files.keys().map(|place| &place.path);
        let mut shown = files.chain(self.mounts.values().map(|mount| &mount.path));
        if self.lost.iter().any(|lost| lost.path == root) {
            emptied.insert(root.to_owned());
        } else if shown.any(|path| path.starts_with(root)) {
            emptied.remove(root);
        } else if emptied.contains(root) {
            let reason = "was gone, and is back but empty".to_owned();
            self.lost.push(Lost {
                path: root.to_owned(),
                reason,
            });
        }
    }
}

impl WatchList {
    /// A root may itself be deleted, made anew, or be swapped by a symbolic link anywhere on the
    /// way to it.
    fn watch_root(&mut self, root: &Path) {
        let root = absolute(root.to_owned());
        let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink());
        let links = root.ancestors().skip(1).filter(|path| is_link(path));
        self.names.extend(links.map(Path::to_owned));
        // With the folder above gone as well, what can be watched is the nearest that exists.
        let missing = root.ancestors().skip(1).take_while(|path| !path.exists());
        self.names.extend(missing.map(Path::to_owned));
        self.names.insert(root);
    }

    /// A symbolic link shows no change when what it leads to is edited in place or swapped.
    fn watch_link(&mut self, path: &Path) {
        if fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink())
            && let Ok(target) = fs::canonicalize(path)
        {
            self.names.insert(target);
        }
    }

    /// What a link led to may come back, and with it all that was found through the link.
    fn watch_return(&mut self, link: &Path) {
        let (Ok(target), Some(folder)) = (fs::read_link(link), link.parent()) else {
            return;
        };
        let target = folder.join(target);
        // Without `..` and links: a folder that is watched under two names tells of changes by one.
        if let (Some(above), Some(name)) = (target.parent(), target.file_name())
            && let Ok(above) = fs::canonicalize(above)
        {
            self.names.insert(above.join(name));
        }
    }

    /// Whether a change of `path` may change what a scan sees.
    pub fn covers(&self, path: &Path) -> bool {
        self.names.contains(path)
            || self.folders.contains(path)
            || path
                .parent()
                .is_some_and(|parent| self.folders.contains(parent))
    }

    /// The folders that must be watched to learn of all that is covered.
    pub fn watched(&self) -> BTreeSet<&Path> {
        let above = self.names.iter().filter_map(|name| name.parent());
        let folders = self.folders.iter().map(PathBuf::as_path);
        above.filter(|path| path.is_dir()).chain(folders).collect()
    }
}

/// The absolute form of a path, without following links. A path that has none (it is empty) stays.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
