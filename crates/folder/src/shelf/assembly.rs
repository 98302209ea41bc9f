//! All files together: every object once.
//!
//! When several files have an object, the one that is in force stays so: a second file, whatever it
//! is called, disturbs nothing. Only an object that is no longer read, but kept, gives way: it was
//! moved. Not to a file that had it all along, though, and was refused: then nothing was moved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_api::{Kind, ObjectKey, Objects};

use super::file::{File, Placed};
use super::generations::Generations;
use super::{Contents, Origin, Origins};
use crate::finding::{Finding, LineColumn, Severity};

type Name = (Kind, ObjectKey);

/// What an assembly leaves for the next one.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    objects: Objects,
    origins: Origins,
    /// Objects that were read, but are in force from another file.
    refused: BTreeSet<(Name, PathBuf)>,
    /// Objects that were kept in one file until they were read in another.
    pub(super) moved: BTreeSet<Name>,
}

/// Whether a file was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Seen,
    /// It is in a folder that was lost.
    Lost,
}

/// A file that has an object.
#[derive(Clone, Copy)]
struct Claim<'a> {
    path: &'a Path,
    placed: &'a Placed,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is in the file now.
    Read,
    /// It is of an earlier version of the file, or the file is lost.
    Kept,
}

/// Contents in the making. Files are added in the order in which they take precedence at first.
pub(super) struct Assembly<'a> {
    before: &'a Outcome,
    /// Those of the files, for the objects of one file to share.
    paths: BTreeMap<&'a Path, Arc<Path>>,
    claims: BTreeMap<&'a Name, Vec<Claim<'a>>>,
    contents: Contents,
    outcome: Outcome,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(before: &'a Outcome) -> Self {
        Self {
            before,
            paths: BTreeMap::new(),
            claims: BTreeMap::new(),
            contents: Contents {
                objects: before.objects.clone(),
                origins: before.origins.clone(),
                ..Contents::default()
            },
            outcome: Outcome::default(),
        }
    }

    pub(super) fn add(&mut self, path: &'a Path, file: &'a File, presence: Presence) {
        let standing = match presence {
            Presence::Seen => Standing::Read,
            Presence::Lost => Standing::Kept,
        };
        self.paths.insert(path, path.into());
        let read = file.objects().iter().map(|placed| (placed, standing));
        let kept = file.kept().iter().map(|placed| (placed, Standing::Kept));
        for (placed, standing) in read.chain(kept) {
            self.claims.entry(&placed.name).or_default().push(Claim {
                path,
                placed,
                standing,
            });
        }
        self.contents
            .findings
            .extend(file.findings().iter().cloned());
    }

    pub(super) fn finish(mut self, generations: &mut Generations) -> (Contents, Outcome) {
        generations.begin();
        let claims = std::mem::take(&mut self.claims);
        for name in self.before.origins.keys() {
            if !claims.contains_key(name) {
                let (kind, key) = name;
                self.contents.objects.remove(*kind, key);
                self.contents.origins.remove(name);
            }
        }
        for (name, claims) in claims {
            if let Some(chosen) = self.choose(name, &claims) {
                self.settle(name, chosen, &claims, generations);
            }
        }
        generations.end();
        self.outcome.objects = self.contents.objects.clone();
        self.outcome.origins = self.contents.origins.clone();
        (self.contents, self.outcome)
    }

    /// Whose object is in force.
    fn choose(&self, name: &Name, claims: &[Claim<'a>]) -> Option<Claim<'a>> {
        let origin = self.before.origins.get(name);
        let is_owner = |claim: &&Claim<'_>| origin.is_some_and(|it| *it.path == *claim.path);
        let is_read = |claim: &&Claim<'_>| claim.standing == Standing::Read;
        let is_new = |claim: &&Claim<'_>| {
            is_read(claim)
                && !self
                    .before
                    .refused
                    .contains(&(name.clone(), claim.path.to_owned()))
        };
        let owners = || claims.iter().filter(is_owner);
        owners()
            .find(is_read)
            .or_else(|| {
                let replacement = claims.iter().find(is_new);
                replacement.or_else(|| owners().next())
            })
            .or_else(|| claims.iter().find(is_read))
            .or_else(|| claims.first())
            .copied()
    }

    fn settle(
        &mut self,
        name: &Name,
        chosen: Claim<'a>,
        claims: &[Claim<'a>],
        generations: &mut Generations,
    ) {
        for claim in claims {
            let is_chosen = std::ptr::eq(claim.placed, chosen.placed);
            if claim.standing == Standing::Read && !is_chosen {
                let finding = duplicate(name, chosen, claim);
                self.contents.findings.insert(finding);
                if claim.path != chosen.path {
                    let refused = (name.clone(), claim.path.to_owned());
                    self.outcome.refused.insert(refused);
                }
            }
        }
        match chosen.standing {
            Standing::Kept => {
                *self
                    .contents
                    .kept
                    .entry(chosen.path.to_owned())
                    .or_default() += 1;
            }
            Standing::Read if claims.iter().any(|it| it.standing == Standing::Kept) => {
                self.outcome.moved.insert(name.clone());
            }
            Standing::Read => {}
        }
        let (kind, key) = name;
        let object = generations.number(name, chosen.placed);
        let Contents {
            objects, origins, ..
        } = &mut self.contents;
        if !(objects.find(*kind, key)).is_some_and(|known| known.is(&object)) {
            objects.insert_at(key.clone(), object);
        }
        let origin = Origin {
            path: (self.paths.get(chosen.path).cloned()).unwrap_or_else(|| chosen.path.into()),
            line: chosen.placed.line,
        };
        if origins.get(name) != Some(&origin) {
            origins.insert(name.clone(), origin);
        }
    }
}

fn duplicate((kind, key): &Name, chosen: Claim<'_>, claim: &Claim<'_>) -> Finding {
    let file = chosen.path.display();
    let why = match (chosen.standing, chosen.placed.line) {
        (Standing::Read, Some(line)) => {
            format!("is also in {file}:{line}, and that one is in force")
        }
        (Standing::Read, None) => format!("is also in {file}, and that one is in force"),
        (Standing::Kept, _) => {
            format!("was also in {file}, which cannot be read in full: that one stays in force")
        }
    };
    let line = claim.placed.line;
    Finding {
        path: claim.path.to_owned(),
        at: line.map(|line| LineColumn { line, column: 1 }),
        severity: Severity::Error,
        message: format!("{kind} {key} {why}; remove one of the two"),
    }
}
