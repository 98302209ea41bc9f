//! What a data plane must know, and nothing more.
