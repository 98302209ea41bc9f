//! Going through folders.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Lost;

/// Which folders were gone through, over all roots.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Folders by device and inode: one that is reached by two ways (a link, a root below another
    /// root) is gone through once, and links in a circle end.
    seen: BTreeSet<(u64, u64)>,
    pub(super) visited: Vec<PathBuf>,
    pub(super) lost: Vec<Lost>,
}

/// What a name in a folder is, with links followed.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
}

impl Walk {
    /// Every file at or below `root` that is named like a manifest, in no certain order.
    pub(super) fn manifests_below(&mut self, root: &Path) -> Vec<PathBuf> {
        if root.is_file() {
            return vec![root.to_owned()];
        }
        let mut manifests = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for Entry { path, is_folder } in self.list(&folder) {
                if is_folder {
                    folders.push(path);
                } else if is_manifest(&path) {
                    manifests.push(path);
                }
            }
        }
        manifests
    }

    /// The visible names in a folder; nothing if it was gone through before. A folder that cannot
    /// be read is noted as lost.
    pub(super) fn list(&mut self, folder: &Path) -> Vec<Entry> {
        match self.try_list(folder) {
            Ok(entries) => entries,
            Err(error) => {
                let reason = error.to_string();
                self.lost.push(Lost {
                    path: folder.to_owned(),
                    reason,
                });
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
        let entries = visible.map(|name| {
            let path = name.path();
            let is_folder = match name.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                Ok(_) | Err(_) => path.is_dir(),
            };
            Entry { path, is_folder }
        });
        Ok(entries.collect())
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
