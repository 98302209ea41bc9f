//! YAML text to a tree that knows where each value stands, and values back to YAML text.
//!
//! Reads what `kubectl apply` reads: YAML 1.2 with the 1.1 words for booleans, aliases, merge
//! keys. Depth and alias expansion are bounded, so that no text takes more than its due.

mod load;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;
mod write;

pub(crate) use self::load::{SyntaxError, documents};
pub(crate) use self::tree::Node;
pub use self::write::to_yaml;
