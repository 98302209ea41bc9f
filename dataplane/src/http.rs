//! HTTP: from a matched request to the answer.

mod attempt;
pub(crate) mod backend;
mod body;
pub(crate) mod ctx;
pub(crate) mod deadline;
mod dots;
mod exchange;
pub mod filter;
pub(crate) mod forward;
pub(crate) mod gateway;
pub(crate) mod grpc;
mod head;
pub(crate) mod message;
mod mirror;
mod patience;
pub(crate) mod rare;
pub(crate) mod refusal;
mod report;
pub(crate) mod respond;
pub(crate) mod retry;
pub(crate) mod routing;
pub(crate) mod select;
pub(crate) mod spot;
