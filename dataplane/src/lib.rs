//! Listeners, TLS and proxying for one Gateway's snapshot.
//!
//! [`DataPlane::start`] starts the workers, [`DataPlane::apply`] makes them serve a snapshot.
//! Everything that requests look at hangs on one pointer, which an apply swaps.
//!
//! Invariant: the old table stays. What cannot be applied (a port in use, a bad certificate)
//! leaves all that worked working, and is said in [`Applied`].

pub mod access_log;
pub mod admin;
mod app;
mod config;
mod datagram;
mod h1;
mod h2;
pub mod http;
mod limits;
mod listener;
pub mod metrics;
pub mod source;
mod state;
mod stream;
mod upstream;
mod worker;

pub use app::{Applied, DataPlane, Drained, StartError};
pub use config::{Config, DatagramConfig, DrainConfig, PortMap};
pub use listener::{BindFailure, PortStates, RealPort};
