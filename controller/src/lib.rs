//! The Kubernetes controller: watch, translate, write status, serve snapshots.
