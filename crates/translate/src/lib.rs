//! The pure function from Kubernetes objects to snapshots and statuses.
