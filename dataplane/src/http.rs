//! HTTP: from a matched request to the answer.

mod attempt;
pub(crate) mod call;
pub(crate) mod ctx;
pub(crate) mod deadline;
mod dots;
pub mod filter;
pub(crate) mod forward;
pub(crate) mod grpc;
mod head;
#[expect(dead_code, reason = "the ends and the exchange are being written")]
pub(crate) mod message;
mod mirror;
mod patience;
pub(crate) mod proxy;
pub(crate) mod refusal;
mod report;
pub(crate) mod respond;
pub(crate) mod retry;
pub(crate) mod routing;
pub(crate) mod select;
pub(crate) mod spot;
