//! What is to be written when.

use std::collections::BTreeSet;

use portcullis_api::Kind;
use tokio::time::Instant;

use crate::status::Subject;

/// Objects by when they are due.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Few say something of many, and people wait for it: they do not stand behind those many.
    few: BTreeSet<(Instant, Subject)>,
    many: BTreeSet<(Instant, Subject)>,
}

impl Queue {
    pub(super) fn insert(&mut self, due: Instant, subject: Subject) {
        self.of(subject.kind).insert((due, subject));
    }

    pub(super) fn remove(&mut self, due: Instant, subject: &Subject) {
        self.of(subject.kind).remove(&(due, subject.clone()));
    }

    /// When the next is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let firsts = [self.few.first(), self.many.first()];
        firsts.into_iter().flatten().map(|(due, _)| *due).min()
    }

    /// Takes out one that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Subject> {
        let is_due = |queue: &BTreeSet<(Instant, Subject)>| {
            queue.first().is_some_and(|(due, _)| *due <= now)
        };
        let mut queues = [&mut self.few, &mut self.many].into_iter();
        let queue = queues.find(|queue| is_due(queue))?;
        queue.pop_first().map(|(_, subject)| subject)
    }

    pub(super) fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    fn of(&mut self, kind: Kind) -> &mut BTreeSet<(Instant, Subject)> {
        match kind {
            Kind::GatewayClass | Kind::Gateway => &mut self.few,
            _ => &mut self.many,
        }
    }
}
