//! Sample backends: httpbin and helloworld, for demos, walkthroughs and tests.
//!
//! One small HTTP/1.1 and h2c server. [`serve`] runs an [`App`] on a bound listener, in the process
//! of whoever calls it (`portcullis demo`, tests) or in the binary `portcullis-samples`.
//!
//! Invariant: whatever a client asks for costs bounded memory and ends in bounded time.

mod app;
mod body;
mod httpbin;
mod server;
mod websocket;

pub use app::{App, Helloworld};
pub use server::{Server, serve};
