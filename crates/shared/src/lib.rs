//! Values that are in memory once, however many have them.
//!
//! There may be thousands of routes, each of which is held as it was written, as it is served and
//! with what is said of it, by whoever compares what is with what was. [`SharedMap`] lets all of
//! them share what did not change; [`Alike`] lets those share who say the same.

mod alike;
mod map;

pub use alike::Alike;
pub use map::{Change, Changes, Iter, SharedMap};
