//! An update as the messages it is sent in.

use std::slice::Iter;

use prost::Message;

use crate::delta::{Base, Delta, Update};
use crate::limits::PART_BYTES;
use crate::messages::{self, Nothing, state_update};
use crate::resource::{Resource, ResourceId};

/// The messages of an update, in order; at least one. Each is made when it is asked for.
#[derive(Debug)]
pub struct Parts<'a> {
    update: &'a Update,
    upserts: Iter<'a, Resource>,
    removals: Iter<'a, ResourceId>,
    part_bytes: usize,
    next: u32,
    done: bool,
}

impl Update {
    /// The messages to send: one, or several if it is large.
    pub fn parts(&self) -> Parts<'_> {
        self.parts_of(PART_BYTES)
    }

    /// As [`Update::parts`], closing each at `part_bytes`.
    pub fn parts_of(&self, part_bytes: usize) -> Parts<'_> {
        Parts {
            update: self,
            upserts: self.delta.upserts.iter(),
            removals: self.delta.removals.iter(),
            part_bytes,
            next: 0,
            done: false,
        }
    }
}

impl Iterator for Parts<'_> {
    type Item = messages::StateUpdate;

    fn next(&mut self) -> Option<messages::StateUpdate> {
        if self.done {
            return None;
        }
        let mut room = self.part_bytes;
        let upserts: Vec<_> = take(&mut self.upserts, &mut room);
        let removals: Vec<_> = take(&mut self.removals, &mut room);
        self.done = self.upserts.as_slice().is_empty() && self.removals.as_slice().is_empty();
        let part = self.next;
        self.next += 1;
        let entries = u32::try_from(upserts.len() + removals.len()).ok();
        Some(messages::StateUpdate {
            upserts,
            removals,
            more_follows: !self.done,
            part,
            entries,
            ..head(self.update)
        })
    }
}

/// What all parts have in common.
fn head(update: &Update) -> messages::StateUpdate {
    let Update {
        version,
        base,
        delta,
    } = update;
    let Delta {
        gateway,
        generation,
        upserts: _,
        removals: _,
    } = delta;
    messages::StateUpdate {
        version: version.0,
        gateway: Some(gateway.into()),
        generation: *generation,
        base: Some(match base {
            Base::Empty => state_update::Base::Full(Nothing {}),
            Base::Version(held) => state_update::Base::DeltaFrom(held.0),
        }),
        upserts: Vec::new(),
        removals: Vec::new(),
        more_follows: false,
        part: 0,
        entries: None,
    }
}

/// As many as there is room for, and one that goes beyond it.
fn take<'a, T, M: From<&'a T> + Message>(from: &mut Iter<'a, T>, room: &mut usize) -> Vec<M> {
    let mut taken = Vec::new();
    while *room > 0 {
        let Some(value) = from.next() else {
            break;
        };
        let message = M::from(value);
        *room = room.saturating_sub(message.encoded_len());
        taken.push(message);
    }
    taken
}
