//! How far each object is: what was asked for, what came of it, when to try again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portcullis_translate::InfraTrouble;
use tokio::time::Instant;

use crate::infra::decide::Memory;
use crate::infra::resource::ResourceId;

/// How long to wait after a first failure; doubled with each that follows.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// How long to wait at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How far an object is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing is under way.
    #[default]
    Idle,
    /// The API server has been asked for something, and has not answered.
    Asked,
    /// There is an object that we do not know.
    MustLook,
    /// The object has just been read.
    Looked,
}

#[derive(Debug, Default)]
struct Entry {
    progress: Progress,
    memory: Option<Memory>,
    trouble: Option<InfraTrouble>,
    failures: u32,
    /// Not to be tried before.
    due: Option<Instant>,
}

/// Every object that something was done about.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    entries: BTreeMap<ResourceId, Entry>,
}

impl Backlog {
    /// Whether something may be done about an object now.
    pub(super) fn is_ready(&self, id: &ResourceId, now: Instant) -> bool {
        let Some(entry) = self.entries.get(id) else {
            return true;
        };
        entry.progress != Progress::Asked && entry.due.is_none_or(|due| due <= now)
    }

    pub(super) fn progress(&self, id: &ResourceId) -> Progress {
        let entry = self.entries.get(id);
        entry.map(|entry| entry.progress).unwrap_or_default()
    }

    pub(super) fn memory(&self, id: &ResourceId) -> Option<&Memory> {
        self.entries.get(id)?.memory.as_ref()
    }

    /// What is wrong with the objects of one name.
    pub(super) fn trouble(&self, namespace: &str, name: &str) -> Option<InfraTrouble> {
        let mut of_name = self.of_name(namespace, name);
        of_name.find_map(|(_, entry)| entry.trouble.clone())
    }

    /// What is wrong with an object.
    pub(super) fn trouble_of(&self, id: &ResourceId) -> Option<&InfraTrouble> {
        self.entries.get(id)?.trouble.as_ref()
    }

    pub(super) fn mark(&mut self, id: &ResourceId, progress: Progress) {
        self.entries.entry(id.clone()).or_default().progress = progress;
    }

    /// An object was written.
    pub(super) fn succeed(&mut self, id: &ResourceId, memory: Memory) {
        let entry = Entry {
            memory: Some(memory),
            ..Entry::default()
        };
        self.entries.insert(id.clone(), entry);
    }

    /// An object is as it is to be, whoever made it so.
    pub(super) fn settle(&mut self, id: &ResourceId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.progress = Progress::Idle;
            entry.trouble = None;
            entry.failures = 0;
            entry.due = None;
        }
    }

    /// Something did not work; it is tried again later. What was wrong stays wrong while it is only
    /// not known to be right.
    pub(super) fn fail(&mut self, id: &ResourceId, trouble: Option<InfraTrouble>, now: Instant) {
        let entry = self.entries.entry(id.clone()).or_default();
        let wait = FIRST_WAIT * 2_u32.saturating_pow(entry.failures.min(16));
        entry.progress = Progress::Idle;
        entry.failures += 1;
        entry.due = Some(now + wait.min(LONGEST_WAIT));
        if trouble.is_some() {
            entry.trouble = trouble;
        }
    }

    pub(super) fn remove(&mut self, id: &ResourceId) {
        self.entries.remove(id);
    }

    /// Objects of this name are tried at once: something has changed.
    pub(super) fn hurry(&mut self, namespace: &str, name: &str) {
        for (id, entry) in &mut self.entries {
            if id.namespace == namespace && id.name == name {
                entry.failures = 0;
                entry.due = None;
            }
        }
    }

    /// Nothing of the past counts but what is under way.
    pub(super) fn forget(&mut self) {
        self.entries
            .retain(|_, entry| entry.progress == Progress::Asked);
        for entry in self.entries.values_mut() {
            entry.memory = None;
            entry.trouble = None;
        }
    }

    /// Namespace and name of the objects whose time has come; they are told once.
    pub(super) fn due(&mut self, now: Instant) -> BTreeSet<(String, String)> {
        let mut names = BTreeSet::new();
        for (id, entry) in &mut self.entries {
            if entry.due.is_some_and(|due| due <= now) {
                entry.due = None;
                names.insert((id.namespace.clone(), id.name.clone()));
            }
        }
        names
    }

    /// When [`Backlog::due`] will have something next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.due).min()
    }

    fn of_name(&self, namespace: &str, name: &str) -> impl Iterator<Item = (&ResourceId, &Entry)> {
        let entries = self.entries.iter();
        entries.filter(move |(id, _)| id.namespace == namespace && id.name == name)
    }
}
