//! The messages of `proto/portcullis/v1`, as prost and tonic make them (`tests/bootstrap.rs`).

use std::fmt;

pub use self::generated::*;

mod generated {
    #![expect(
        clippy::allow_attributes_without_reason,
        clippy::pedantic,
        unused_qualifications,
        reason = "written by a generator, to its own taste"
    )]

    include!("gen/portcullis.v1.rs");
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chain,
            private_key: _,
            leaf,
        } = self;
        f.debug_struct("CertificateChain")
            .field("chain", chain)
            .field("private_key", &"[redacted]")
            .field("leaf", leaf)
            .finish()
    }
}
