//! Gateway API and core Kubernetes types as Portcullis uses them.
