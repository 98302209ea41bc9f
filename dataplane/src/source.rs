//! Where a data plane in a cluster gets its snapshots: the controller's stream.
//!
//! [`follow()`] connects, says what is held, applies what comes and answers, for ever. Whatever goes
//! wrong on the way, what is served stays: a broken update is refused, a lost controller is looked
//! for again, and when it is found only what changed meanwhile is sent.

mod backoff;
mod client;
mod dial;
mod follow;
mod holder;
mod race;

use std::path::PathBuf;

use portcullis_ir::ObjectKey;

pub use dial::{Controller, InvalidController};
pub use follow::follow;

/// Whom to follow, and as whom.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// The Gateway to serve.
    pub gateway: ObjectKey,
    /// Where the controller is.
    pub controller: Controller,
    /// A folder with `token`, shown to the controller, and `ca.crt`, by which the controller is
    /// known. Both are read for every connection: kubelet replaces them.
    pub credentials: PathBuf,
}
