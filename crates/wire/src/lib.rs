//! The stream between controller and data plane: protobuf messages, the IR to and from them, and
//! the algebra of changes.
//!
//! The controller sends [`Update`]s, each made by [`delta::diff`] against what the data plane
//! holds; the data plane reads them with [`decode::state_update`] and makes the next snapshot with
//! [`Received::apply`]. Reading never panics: a resource that cannot be read, because it is broken
//! or because it comes from a newer controller, is refused alone, and what was held under its id
//! stays.
//!
//! A large update goes in [`Update::parts`] and is put together by [`decode::Assembly`]. A data
//! plane answers with a [`Reply`].

pub mod decode;
pub mod delta;
mod encode;
mod error;
pub mod limits;
pub mod messages;
mod reply;
mod resource;

pub use decode::Received;
pub use delta::{Base, Delta, Update};
pub use encode::Parts;
pub use error::{Cause, InvalidMessage, InvalidResource, InvalidUpdate};
pub use reply::{Ack, Hello, Nack, RefusedResource, Reply};
pub use resource::{Resource, ResourceId};
