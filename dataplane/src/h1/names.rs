//! Names of header fields that came before.
//!
//! The fields of one client's requests have the same names each time, and most clients' have them
//! alike. Each thread remembers names in the spelling in which they came: neither is a name read
//! byte by byte again, nor is memory allocated for one that is not in the standards.

use std::array;
use std::cell::RefCell;

use http::{HeaderName, header};

use crate::http::rare::Rares;

/// How many names are remembered. One that falls where another is takes its place.
const SLOTS: usize = 256;

/// Longer names are not remembered.
const LONGEST: usize = 40;

thread_local! {
    static NAMES: RefCell<Names> = RefCell::new(Names::default());
}

/// The name of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// As the standards have it, in lower case.
    pub(crate) lower: HeaderName,
    pub(crate) role: Role,
    pub(crate) rare: Rares,
}

/// What a field is to the connection that it comes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding`.
    Coding,
    /// `Connection`.
    Connection,
    /// `Host`.
    Host,
    /// Nothing.
    Other,
}

/// Calls `make` with what finds names.
pub(crate) fn with<T>(make: impl FnOnce(&mut Names) -> T) -> T {
    NAMES.with_borrow_mut(make)
}

/// The names of one thread.
pub(crate) struct Names(Box<[Option<Entry>; SLOTS]>);

struct Entry {
    spelling: [u8; LONGEST],
    length: usize,
    name: Name,
}

impl Default for Names {
    fn default() -> Self {
        Self(Box::new(array::from_fn(|_| None)))
    }
}

impl Names {
    /// The name that is spelled so; `None` if it is none.
    pub(crate) fn find(&mut self, spelling: &[u8]) -> Option<Name> {
        let slot = self.0.get_mut(slot_of(spelling))?;
        if let Some(entry) = slot
            && entry.spelling.get(..entry.length) == Some(spelling)
        {
            return Some(entry.name.clone());
        }
        let name = Name::new(spelling)?;
        if let Some(entry) = Entry::new(spelling, name.clone()) {
            *slot = Some(entry);
        }
        Some(name)
    }
}

impl Name {
    fn new(spelling: &[u8]) -> Option<Self> {
        let lower = HeaderName::from_bytes(spelling).ok()?;
        let (role, rare) = (Role::of(&lower), Rares::of_name(&lower));
        Some(Self { lower, role, rare })
    }
}

impl Role {
    fn of(name: &HeaderName) -> Self {
        match *name {
            header::CONTENT_LENGTH => Self::Length,
            header::TRANSFER_ENCODING => Self::Coding,
            header::CONNECTION => Self::Connection,
            header::HOST => Self::Host,
            _ => Self::Other,
        }
    }
}

impl Entry {
    fn new(spelling: &[u8], name: Name) -> Option<Self> {
        let mut kept = [0; LONGEST];
        kept.get_mut(..spelling.len())?.copy_from_slice(spelling);
        Some(Self {
            spelling: kept,
            length: spelling.len(),
            name,
        })
    }
}

/// Where a name is looked for: by its length, its first four bytes and its last.
fn slot_of(spelling: &[u8]) -> usize {
    let first = (spelling.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let last = (spelling.last_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let length = u32::try_from(spelling.len()).unwrap_or(0);
    let mixed = (first ^ last.rotate_left(13) ^ length).wrapping_mul(0x9E37_79B1);
    (mixed >> 24) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_the_second_time() {
        let long = "x-".repeat(40);
        let spellings = [
            "Host",
            "host",
            "te",
            "x-request-id",
            "X-Request-ID",
            "dnt",
            "DNT",
            &long,
        ];
        let mut names = Names::default();
        for _ in 0..2 {
            for spelling in spellings {
                let found = names.find(spelling.as_bytes()).unwrap();
                assert_eq!(found.lower.as_str(), spelling.to_lowercase());
            }
        }
    }

    #[test]
    fn what_falls_on_the_same_place_is_told_apart() {
        let mut names = Names::default();
        for number in 0..2_000 {
            let spelling = format!("x-{number}-y");
            let found = names.find(spelling.as_bytes()).unwrap();
            assert_eq!(found.lower.as_str(), spelling);
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        for spelling in [&b""[..], b"a b", b"a:", b"\xe4", b"a\0"] {
            assert_eq!(Names::default().find(spelling), None);
        }
    }
}
