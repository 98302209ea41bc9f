//! TLS material: PEM text to parsed certificates and CA bundles, and which listener uses which.
//!
//! What is wrong with a user's certificate is a value with words for it, never an error: see
//! [`UnusableCertificate`] and [`UnusableBundle`].

pub(crate) mod backend;
pub(crate) mod bundles;
pub(crate) mod credentials;
mod info;
mod options;
mod pair;
mod pem;
pub(crate) mod termination;
mod trust;

pub use pair::{UnusableCertificate, certificate};
pub use trust::{UnusableBundle, trust_bundle};

#[cfg(test)]
mod tests;
