//! Going through folders.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Lost;
use super::reading::explain;

/// Which folders were gone through, over all roots.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Folders by device and inode: one that is reached by two ways (a link, a root below another
    /// root) is gone through once, and links in a circle end.
    seen: BTreeSet<(u64, u64)>,
    pub(super) visited: Vec<PathBuf>,
    pub(super) lost: Vec<Lost>,
}

/// A name in a folder.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) target: Target,
}

/// What a name stands for.
pub(super) enum Target {
    Folder,
    /// A folder, by a symbolic link.
    LinkedFolder,
    File,
    /// A symbolic link that cannot be followed, and why.
    Nothing(io::Error),
}

impl Walk {
    /// Every file at or below `root` that is named like a manifest, in no certain order.
    pub(super) fn manifests_below(&mut self, root: &Path) -> Vec<PathBuf> {
        if root.is_file() {
            return vec![root.to_owned()];
        }
        let mut manifests = Vec::new();
        let mut folders = BTreeSet::from([root.to_owned()]);
        // A folder that a link leads to as well is known by its own path, whatever links there are.
        let mut links = BTreeSet::new();
        while let Some(folder) = folders.pop_first().or_else(|| links.pop_first()) {
            for Entry { path, target } in self.list(&folder) {
                match target {
                    Target::Folder => _ = folders.insert(path),
                    Target::LinkedFolder => _ = links.insert(path),
                    Target::File | Target::Nothing(_) if is_manifest(&path) => manifests.push(path),
                    Target::File => {}
                    Target::Nothing(error) => self.lose(path, &error),
                }
            }
        }
        manifests
    }

    /// The folders in a folder, in order. A link that leads nowhere may have led to one.
    pub(super) fn folders(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for Entry { path, target } in self.list(folder) {
            match target {
                Target::Folder | Target::LinkedFolder => folders.push(path),
                Target::File => {}
                Target::Nothing(error) => self.lose(path, &error),
            }
        }
        folders
    }

    fn lose(&mut self, path: PathBuf, error: &io::Error) {
        let reason = explain(&path, error);
        self.lost.push(Lost { path, reason });
    }

    /// The visible names in a folder, in order; nothing if it was gone through before. A folder that cannot
    /// be read is noted as lost.
    pub(super) fn list(&mut self, folder: &Path) -> Vec<Entry> {
        match self.try_list(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.lose(folder.to_owned(), &error);
                Vec::new()
            }
        }
    }

    fn try_list(&mut self, folder: &Path) -> io::Result<Vec<Entry>> {
        let metadata = fs::metadata(folder)?;
        if !self.seen.insert((metadata.dev(), metadata.ino())) {
            return Ok(Vec::new());
        }
        let names: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        self.visited.push(folder.to_owned());
        let visible = names
            .into_iter()
            .filter(|name| !is_hidden(&name.file_name()));
        let entries = visible.map(|name| Entry {
            path: name.path(),
            target: target(&name),
        });
        let mut entries: Vec<_> = entries.collect();
        // The system lists them in any order, and of two links to one folder the first counts.
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }
}

fn target(name: &fs::DirEntry) -> Target {
    match name.file_type() {
        Ok(kind) if kind.is_dir() => Target::Folder,
        Ok(kind) if !kind.is_symlink() => Target::File,
        Ok(_) | Err(_) => match fs::metadata(name.path()) {
            Ok(metadata) if metadata.is_dir() => Target::LinkedFolder,
            Ok(_) => Target::File,
            Err(error) => Target::Nothing(error),
        },
    }
}

/// Names that begin with a dot: editors' scratch files, `.git`, kubelet's `..data`.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json"))
}
