//! Learning that something changed, from the kernel.

mod writers;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use self::writers::{BeingWritten, Patience, Writers};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::scan::WatchList;

/// Watches folders.
///
/// It says only *that* something changed; what is there now is for a scan to find out.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

/// Why changes are not seen at once. Looking again from time to time still finds them.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// No watch at all.
    #[error("cannot watch for changes: {0}")]
    Start(#[source] notify::Error),
    /// Not this folder.
    #[error("cannot watch {} for changes: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said. For "limit reached" the sysctl `fs.inotify.max_user_watches`
        /// helps.
        source: notify::Error,
    },
}

/// What the kernel said about paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Someone writes to this file, and may not be done.
    Writing(PathBuf),
    /// Something else about this path changed, or whoever wrote to it is done.
    Changed(PathBuf),
    /// Events were lost: anything may have changed.
    Anything,
}

impl Watch {
    /// A watch of nothing yet. Notices go to `sink`, from a thread of its own.
    pub fn new(sink: impl Fn(Notice) + Send + 'static) -> Result<Self, WatchError> {
        let forward = move |event: notify::Result<Event>| match event {
            Ok(event) => notices(event).into_iter().for_each(&sink),
            Err(_) => sink(Notice::Anything),
        };
        let watcher = notify::recommended_watcher(forward).map_err(WatchError::Start)?;
        let watched = BTreeSet::new();
        Ok(Self { watcher, watched })
    }

    /// Watches what `list` needs and nothing else.
    ///
    /// A folder that was deleted and made again loses its watch without a word, so all are asked
    /// for each time. What changed before a new folder was watched is not noticed: answers whether
    /// there is one, so that the caller can look once more.
    pub fn follow(&mut self, list: &WatchList) -> Result<Followed, WatchError> {
        let wanted = list.watched();
        for path in self.watched.clone() {
            if !wanted.contains(path.as_path()) {
                // Fails if the folder is gone, and the watch with it.
                let _ = self.watcher.unwatch(&path);
                self.watched.remove(&path);
            }
        }
        let mut followed = Followed::Same;
        let mut failure = None;
        for path in wanted {
            match self.watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) if self.watched.insert(path.to_owned()) => followed = Followed::More,
                Ok(()) => {}
                // It is gone again: the folder above is watched too.
                Err(_) if !path.exists() => {}
                Err(source) => {
                    let path = path.to_owned();
                    failure = Some(WatchError::Folder { path, source });
                }
            }
        }
        failure.map_or(Ok(followed), Err)
    }
}

/// Whether [`Watch::follow`] began to watch something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// Nothing new.
    Same,
    /// What happened in a new folder before is not noticed.
    More,
}

fn notices(event: Event) -> Vec<Notice> {
    if event.need_rescan() {
        return vec![Notice::Anything];
    }
    let notice = match event.kind {
        // Our own reading is seen too; it changes nothing.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Notice::Changed,
        EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Data(_)) => Notice::Writing,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => Notice::Changed,
    };
    event.paths.into_iter().map(notice).collect()
}
