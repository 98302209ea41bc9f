//! Asking a cluster: through its API server, by the user's kubeconfig and with the user's rights.
//!
//! Reads only. What the API server does not know, the processes themselves say: a controller which
//! versions its data planes hold, a data plane what it has loaded. They are reached by a forwarded
//! port, as `kubectl port-forward` would.

mod api;
mod dump;
mod error;
mod forward;
mod overview;
mod pods;
mod scope;
mod sessions;

pub(crate) use self::dump::dump;
pub(crate) use self::error::ClusterError;
pub(crate) use self::overview::status;
