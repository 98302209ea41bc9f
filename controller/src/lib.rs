//! The Kubernetes controller: watch, translate, write status, serve snapshots.
//!
//! [`app::run`] starts one task per duty and joins them; tasks only move messages:
//!
//! ```text
//! watch ──Event──> reconcile ──publish──> serve ──deltas──> data planes
//!   ^                │  ^  ^                │
//!   └──References────┘  │  └────Report──────┘
//!                       │
//!      infra ──Event────┘      reconcile ──Wanted──> infra    ──> Deployments, Services
//!                              reconcile ──Wanted──> status   ──> status subresources
//! ```
//!
//! Invariants: what is decided is decided in plain state machines, whose tests know no cluster.
//! Only the leader writes, and every write asks [`leader::Leadership::is_held`] just before it is
//! sent. Followers watch and translate, and serve no streams.

pub mod admin;
pub mod app;
pub mod config;
pub mod infra;
pub mod leader;
pub mod metrics;
pub mod reconcile;
pub mod serve;
pub mod sessions;
pub mod status;
pub mod watch;

pub use config::Config;
