//! Backends: their endpoints, and how one is reached.

pub(crate) mod budget;
pub(crate) mod cluster;
pub(crate) mod connect;
pub(crate) mod pool;
pub(crate) mod resolve;
pub(crate) mod shunned;
pub(crate) mod tls;
