//! Secrets laid out in files, as kubelet mounts them.
//!
//! `<folder>/<namespace>/<secret>/<key>`. kubelet writes the keys into a new hidden folder and
//! swaps the link `..data` to it, so that all keys change at once; each visible name is a link
//! through `..data`. Plain files work as well.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reading::{Reading, Readings};
use super::walk::Walk;
use super::{Lost, Sight};

/// How often a Secret is read again when `..data` was swapped while it was read.
const ATTEMPTS: usize = 4;

/// Which Secret a folder of files stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountName {
    /// The Secret's namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for MountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One Secret's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Their folder.
    pub path: PathBuf,
    /// Each key with its file's content.
    pub keys: BTreeMap<String, Reading>,
}

/// Finds every Secret below `root`.
pub(super) fn look(root: &Path, walk: &mut Walk, readings: &mut Readings, sight: &mut Sight) {
    for namespace in walk.folders(root) {
        for secret in walk.folders(&namespace) {
            let (Some(namespace), Some(name)) = (name_of(&namespace), name_of(&secret)) else {
                let reason = "the name is not UTF-8".to_owned();
                walk.lost.push(Lost {
                    path: secret,
                    reason,
                });
                continue;
            };
            let mount = MountName { namespace, name };
            let Entry::Vacant(vacant) = sight.mounts.entry(mount) else {
                continue;
            };
            match read_mount(&secret, walk, readings) {
                Ok(keys) => {
                    vacant.insert(Mount { path: secret, keys });
                }
                Err(error) => {
                    let reason = error.to_string();
                    walk.lost.push(Lost {
                        path: secret,
                        reason,
                    });
                }
            }
        }
    }
}

fn name_of(path: &Path) -> Option<Arc<str>> {
    path.file_name()?.to_str().map(Arc::from)
}

/// Reads all keys from one state of the Secret.
fn read_mount(
    secret: &Path,
    walk: &mut Walk,
    readings: &mut Readings,
) -> io::Result<BTreeMap<String, Reading>> {
    walk.list(secret);
    let mut keys = BTreeMap::new();
    for _ in 0..ATTEMPTS {
        let data = data_folder(secret)?;
        keys = read_keys(&data, readings)?;
        if data_folder(secret)? == data {
            break;
        }
    }
    Ok(keys)
}

/// The folder that holds the files: what `..data` leads to, or the Secret's own.
fn data_folder(secret: &Path) -> io::Result<PathBuf> {
    let data = secret.join("..data");
    match fs::symlink_metadata(&data) {
        Ok(_) => fs::canonicalize(data),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(secret.to_owned()),
        Err(error) => Err(error),
    }
}

fn read_keys(data: &Path, readings: &mut Readings) -> io::Result<BTreeMap<String, Reading>> {
    let mut keys = BTreeMap::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let Some(key) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if key.starts_with('.') || path.is_dir() {
            continue;
        }
        if let Some(reading) = readings.read(&path, None) {
            keys.insert(key.to_owned(), reading);
        }
    }
    Ok(keys)
}
