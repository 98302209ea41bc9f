//! The last good objects of every file.
//!
//! [`Shelf::update`] takes in what a scan saw, and gives all objects that are in force with all
//! that is to be said about the files. It does what the API server does for a cluster: an object
//! that is refused leaves the one before in force, every object is there once, generations count
//! changes of `spec`.

mod assembly;
mod file;
mod generations;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_api::{Kind, ObjectKey, Objects};
use portcullis_shared::SharedMap;

use self::assembly::{Assembly, Outcome, Presence};
use self::file::{Extent, File};
use self::generations::Generations;
use crate::finding::{Finding, Severity};
use crate::scan::{Lost, Mount, MountName, Place, Sight};

/// Keeps the last good objects of every file.
#[derive(Debug, Default)]
pub struct Shelf {
    files: BTreeMap<Place, File>,
    mounts: BTreeMap<MountName, Mounted>,
    generations: Generations,
    outcome: Outcome,
    tokens: Tokens,
}

/// Numbers that tell one reading of an object from the next.
#[derive(Debug, Default)]
struct Tokens(u64);

impl Tokens {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// A mounted Secret.
#[derive(Debug)]
struct Mounted {
    mount: Mount,
    file: File,
}

/// Where each object was written.
pub type Origins = SharedMap<(Kind, ObjectKey), Origin>;

/// Everything that is in force. Shares with the contents before what did not change.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The objects.
    pub objects: Objects,
    /// Where each was written.
    pub origins: Origins,
    /// What is to be said, by file.
    pub findings: BTreeSet<Finding>,
    /// Files and folders of which an earlier version is in force, and how many objects that keeps.
    pub kept: BTreeMap<PathBuf, usize>,
}

/// Where an object was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, or the folder of a mounted Secret.
    pub path: Arc<Path>,
    /// The line of its first key, from 1; `None` for a mounted Secret.
    pub line: Option<usize>,
}

impl Shelf {
    /// Takes in what was seen.
    pub fn update(&mut self, sight: Sight) -> Contents {
        let Sight {
            files,
            mounts,
            lost,
            watch: _,
            unsettled: _,
        } = sight;
        let Self {
            files: shelved,
            mounts: mounted,
            generations,
            outcome,
            tokens,
        } = self;
        let is_lost = |path: &Path| lost.iter().any(|lost| path.starts_with(&lost.path));
        shelved.retain(|place, _| files.contains_key(place) || is_lost(&place.path));
        mounted.retain(|name, it| mounts.contains_key(name) || is_lost(&it.mount.path));
        let seen: BTreeSet<_> = files.keys().cloned().collect();
        let seen_mounts: BTreeSet<_> = mounts.keys().cloned().collect();
        for (place, reading) in files {
            let path = place.path.clone();
            let extent = if is_lost(&path) {
                Extent::Part
            } else {
                Extent::Whole
            };
            shelved
                .entry(place)
                .or_default()
                .read(&path, reading, extent, tokens);
        }
        for (name, mount) in mounts {
            shelve_mount(mounted, name, mount, tokens);
        }
        let presence = |is_seen| {
            if is_seen {
                Presence::Seen
            } else {
                Presence::Lost
            }
        };
        let mut assembly = Assembly::new(outcome);
        for (place, file) in shelved.iter() {
            assembly.add(&place.path, file, presence(seen.contains(place)));
        }
        for (name, Mounted { mount, file }) in mounted.iter() {
            assembly.add(&mount.path, file, presence(seen_mounts.contains(name)));
        }
        let (mut contents, new_outcome) = assembly.finish(generations);
        for file in shelved.values_mut() {
            file.let_go(&new_outcome.moved);
        }
        let mounted = mounted.values_mut().map(|mounted| &mut mounted.file);
        for file in shelved.values_mut().chain(mounted) {
            file.adopt(generations);
        }
        *outcome = new_outcome;
        for lost in &lost {
            tell_lost(lost, &mut contents);
        }
        contents
    }
}

/// What is kept of the files in a lost folder is said of the folder.
fn tell_lost(lost: &Lost, contents: &mut Contents) {
    let Lost { path, reason } = lost;
    let is_below = |file: &PathBuf| file.starts_with(path);
    let files = contents.kept.extract_if(.., |file, _| is_below(file));
    let count: usize = files.map(|(_, count)| count).sum();
    if count > 0 {
        contents.kept.insert(path.clone(), count);
    }
    contents.findings.insert(Finding {
        path: path.clone(),
        at: None,
        severity: Severity::Error,
        message: reason.clone(),
    });
}

fn shelve_mount(
    mounted: &mut BTreeMap<MountName, Mounted>,
    name: MountName,
    mount: Mount,
    tokens: &mut Tokens,
) {
    let before = mounted.remove(&name);
    let is_same = before.as_ref().is_some_and(|before| before.mount == mount);
    let mut file = before.map(|before| before.file).unwrap_or_default();
    if !is_same {
        file.take(secret::read(&name, &mount), Extent::Whole, tokens);
    }
    mounted.insert(name, Mounted { mount, file });
}
