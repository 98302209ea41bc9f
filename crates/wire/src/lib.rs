//! The stream between controller and data plane: protobuf messages, the IR to and from them, and
//! the algebra of changes.
//!
//! The controller sends [`Update`]s, each made by [`delta::diff`] against what the data plane
//! holds; the data plane reads them with [`decode::state_update`] and makes the next snapshot with
//! [`Received::apply`]. Reading never panics: a resource that cannot be read, because it is broken
//! or because it comes from a newer controller, is refused alone, and what was held under its id
//! stays.

pub mod decode;
pub mod delta;
mod encode;
mod error;
pub mod messages;
mod resource;

pub use decode::Received;
pub use delta::{Base, Delta, Update};
pub use error::{Cause, InvalidResource, InvalidUpdate};
pub use resource::{Resource, ResourceId};
