//! The pure function from Kubernetes objects to snapshots and statuses.
//!
//! [`translate`] is called by the controller and by standalone mode whenever an object or an
//! observed fact has changed. It is deterministic (same inputs, same bytes out, whatever the order
//! in which objects arrived) and total: what a user got wrong becomes a condition with a reason in
//! words, never an error and never a panic. It knows no clock: [`Inputs::now`] comes in, and
//! [`Output::recheck_at`] says when time alone will change the answer. Who translates again and
//! again keeps a [`Translator`], whose cost goes with what changed.

pub mod features;
pub mod infra;
pub mod patterns;
pub mod references;
pub mod status;
pub mod tls;

mod attach;
mod backends;
mod class;
mod facts;
mod filters;
mod grants;
mod inputs;
mod listeners;
mod matches;
mod namespaces;
mod output;
mod policies;
mod problem;
mod routes;
mod translator;
mod world;

pub use inputs::{
    InfraTrouble, Inputs, Installed, ObservedDataPlane, ObservedGateway, ObservedInfra, Options,
    PortFailure, ir_key,
};
pub use output::{GatewayOutput, Output, StatusMap, Statuses};
pub use translator::Translator;

/// Translates everything. See the crate's documentation for what it promises.
pub fn translate(inputs: &Inputs<'_>, options: &Options) -> Output {
    Translator::new(options.clone()).translate(inputs)
}
