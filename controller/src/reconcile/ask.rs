//! Which Secrets and ConfigMaps are asked for, and which have not been answered yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_api::{Kind, ObjectKey, Objects};
use portcullis_translate::references::References;

use crate::watch;

/// The kinds that come only when they are asked for.
pub(super) const ASKED: [Kind; 2] = [Kind::Secret, Kind::ConfigMap];

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Ask {
    asked: Arc<watch::References>,
    unanswered: BTreeSet<(Kind, ObjectKey)>,
}

impl Ask {
    /// Asks for what the index wants. What is wanted no more is dropped from `objects`: nobody
    /// follows it. Gives what to ask for, if that is news.
    pub(super) fn ask(
        &mut self,
        index: &References,
        objects: &mut Objects,
    ) -> Option<Arc<watch::References>> {
        let wanted = watch::References {
            secrets: index.wanted(Kind::Secret).cloned().collect(),
            config_maps: index.wanted(Kind::ConfigMap).cloned().collect(),
        };
        if wanted == *self.asked {
            return None;
        }
        for kind in ASKED {
            let (before, after) = (of_kind(&self.asked, kind), of_kind(&wanted, kind));
            for key in before.difference(after) {
                self.unanswered.remove(&(kind, key.clone()));
                objects.remove(kind, key);
            }
            let new = after.difference(before).map(|key| (kind, key.clone()));
            self.unanswered.extend(new);
        }
        self.asked = Arc::new(wanted);
        Some(Arc::clone(&self.asked))
    }

    /// Whether a Secret or ConfigMap is wanted.
    pub(super) fn is_asked(&self, kind: Kind, key: &ObjectKey) -> bool {
        of_kind(&self.asked, kind).contains(key)
    }

    /// Notes an answer; says whether it was waited for.
    pub(super) fn answer(&mut self, kind: Kind, key: &ObjectKey) -> bool {
        self.unanswered.remove(&(kind, key.clone()))
    }

    /// What is still to be answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (Kind, &ObjectKey)> {
        self.unanswered.iter().map(|(kind, key)| (*kind, key))
    }
}

fn of_kind(references: &watch::References, kind: Kind) -> &BTreeSet<ObjectKey> {
    match kind {
        Kind::ConfigMap => &references.config_maps,
        _ => &references.secrets,
    }
}
