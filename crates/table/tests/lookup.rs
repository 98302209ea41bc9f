//! What a table finds, against an oracle, against written cases, and the order both rest on.

#![expect(clippy::unwrap_used, reason = "what the tests read stands beside them")]

#[path = "lookup/building.rs"]
mod building;
#[path = "lookup/calls.rs"]
mod calls;
#[path = "lookup/config.rs"]
mod config;
#[path = "lookup/names.rs"]
mod names;
#[path = "lookup/oracle.rs"]
mod oracle;
#[path = "lookup/property.rs"]
mod property;
#[path = "lookup/request.rs"]
mod request;
#[path = "lookup/scenarios.rs"]
mod scenarios;
