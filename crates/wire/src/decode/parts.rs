//! An update from the messages it comes in.

use portcullis_ir::Version;

use super::{Received, object_key, required, resource, resource_id};
use crate::delta::{Base, Delta, Update};
use crate::error::InvalidUpdate;
use crate::limits::MAX_PARTS;
use crate::messages::{self, Nothing, state_update};

/// An update of which parts have come. After an error it is as if nothing had.
#[derive(Debug, Default)]
pub struct Assembly {
    begun: Option<Received>,
    parts: usize,
}

/// Whether a part is the last of its update.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Last,
    Between,
}

impl Assembly {
    /// Takes the next part; answers the whole update with the last of them.
    pub fn push(
        &mut self,
        message: messages::StateUpdate,
    ) -> Result<Option<Received>, InvalidUpdate> {
        let (begun, parts) = (self.begun.take(), std::mem::take(&mut self.parts));
        let number = message.part;
        let (part, place) = read(message)?;
        if parts == MAX_PARTS {
            return Err(InvalidUpdate::TooManyParts);
        }
        if usize::try_from(number).ok() != Some(parts) {
            return Err(InvalidUpdate::OutOfOrder { number });
        }
        let whole = match begun {
            None => part,
            Some(begun) => join(begun, part)?,
        };
        if place == Place::Last {
            return Ok(Some(whole));
        }
        self.begun = Some(whole);
        self.parts = parts + 1;
        Ok(None)
    }
}

fn join(mut begun: Received, part: Received) -> Result<Received, InvalidUpdate> {
    let Received { update, refused } = part;
    let Update {
        version,
        base,
        delta,
    } = update;
    let Delta {
        gateway,
        generation,
        upserts,
        removals,
    } = delta;
    let before = &mut begun.update;
    let same = (before.version, before.base) == (version, base)
        && (&before.delta.gateway, before.delta.generation) == (&gateway, generation);
    if !same {
        let begun = before.version;
        return Err(InvalidUpdate::Interrupted { begun });
    }
    before.delta.upserts.extend(upserts);
    before.delta.removals.extend(removals);
    begun.refused.extend(refused);
    Ok(begun)
}

fn read(message: messages::StateUpdate) -> Result<(Received, Place), InvalidUpdate> {
    let messages::StateUpdate {
        version,
        gateway,
        generation,
        base,
        upserts,
        removals,
        more_follows,
        part: _,
        entries,
    } = message;
    let found = upserts.len() + removals.len();
    if entries.map(u64::from) != u64::try_from(found).ok() {
        return Err(InvalidUpdate::Entries {
            announced: entries,
            found,
        });
    }
    let base = match base.ok_or(InvalidUpdate::NoBase)? {
        state_update::Base::Full(Nothing {}) => Base::Empty,
        state_update::Base::DeltaFrom(held) => Base::Version(Version(held)),
    };
    let gateway = required(gateway, "gateway", object_key)
        .map_err(|error| InvalidUpdate::Gateway(error.cause))?;
    let mut refused = Vec::new();
    let upserts = (upserts.into_iter())
        .filter_map(|message| resource(message).map_err(|e| refused.push(e)).ok())
        .collect();
    let removals = (removals.into_iter().enumerate())
        .map(|(index, id)| resource_id(id).map_err(|cause| InvalidUpdate::Removal { index, cause }))
        .collect::<Result<_, _>>()?;
    let update = Update {
        version: Version(version),
        base,
        delta: Delta {
            gateway,
            generation,
            upserts,
            removals,
        },
    };
    let place = if more_follows {
        Place::Between
    } else {
        Place::Last
    };
    Ok((Received { update, refused }, place))
}
