//! The Kubernetes controller: watch, translate, write status, serve snapshots.
//!
//! The translation it will run is whole (`portcullis-translate`), and so are the messages it will
//! send (`portcullis-wire`); its tasks and its role in the binary arrive with the cluster work.
